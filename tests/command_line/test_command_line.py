"""The command: thin calls, exit codes, and refusals whose advice can be typed."""

import argparse
import re
import shlex
import subprocess
import sys
import warnings

import numpy as np
import pytest
from astropy.table import Table

import agnsal
from agnsal.command_line.main import main
from agnsal.command_line.options import add_reading_options, in_options, run_script
from tests.spectra.survey_files import write_spec

COMMANDS = ("inspect", "explain", "explore", "fetch")


@pytest.fixture(scope="module")
def classifiers(tmp_path_factory):
    """A folder for the small classifier, trained once for this module."""
    return tmp_path_factory.mktemp("classifiers")


def test_inspect_says_what_files_hold(repository, capsys):
    files = sorted((repository / "data").glob("*.fits"))[:2]
    assert main(["inspect", *map(str, files)]) == 0
    out = capsys.readouterr().out
    assert all(file.name in out for file in files)
    assert "vacuum" in out


def test_inspect_goes_on_after_a_file_it_cannot_read(repository, tmp_path, capsys):
    good = sorted((repository / "data").glob("*.fits"))[0]
    assert main(["inspect", str(tmp_path / "nothing.fits"), str(good)]) == 1
    out = capsys.readouterr().out
    assert "nothing.fits:" in out
    assert good.name in out


def test_explain_writes_a_page(repository, tmp_path, classifiers, capsys):
    file = sorted((repository / "data").glob("*.fits"))[0]
    given = ["--quick", "--quiet", "--classifiers", str(classifiers), "--output", str(tmp_path / "page")]
    assert main(["explain", str(file), *given]) == 0
    assert {path.suffix for path in (tmp_path / "page").iterdir()} >= {".pdf", ".png", ".html"}
    assert "Written to" in capsys.readouterr().out


def test_explore_puts_a_folder_into_one_page(repository, tmp_path, classifiers, capsys):
    page = tmp_path / "explorer.html"
    given = ["--quick", "--quiet", "--classifiers", str(classifiers), "--output", str(page)]
    assert main(["explore", str(repository / "data"), *given]) == 0
    assert "27 spectra are in" in capsys.readouterr().out
    assert "sim-" in page.read_text(encoding="utf-8") or "9901" in page.read_text(encoding="utf-8")


def test_explore_takes_a_sample_and_a_model_of_ones_own(tmp_path, capsys):
    sample = agnsal.simulate_agn(20, 20, 0, seed=0).normalize()
    sample.write(tmp_path / "sample.npz")
    agnsal.ProbabilisticSVC("linear", C=0.1, random_state=0).fit(sample).write(tmp_path / "model.npz")
    given = ["--model", str(tmp_path / "model.npz"), "--output", str(tmp_path / "a.html"), "--title", "Mine"]
    assert main(["explore", str(tmp_path / "sample.npz"), *given]) == 0
    assert "<title>Mine</title>" in (tmp_path / "a.html").read_text(encoding="utf-8")


def test_explore_asks_for_bokeh_before_it_trains(repository, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "bokeh.resources", None)
    monkeypatch.setattr(agnsal, "default_classifier", lambda *_, **__: pytest.fail("trained"))
    assert main(["explore", str(repository / "data"), "--output", str(tmp_path / "page.html")]) == 1
    said = capsys.readouterr().err
    assert said == "agnsal: the explorer needs bokeh and jinja2: pip install 'agnsal[explorer]'.\n"


def test_fetch_takes_a_table(httpserver, tmp_path, capsys):
    write_spec(tmp_path / "original.fits")
    place = "/dr17/sdss/spectro/redux/26/spectra/lite/0406/spec-0406-51869-0374.fits"
    httpserver.expect_request(place).respond_with_data((tmp_path / "original.fits").read_bytes())
    Table({"PL": [406], "mjd": [51869], "fiber": [374]}).write(tmp_path / "table.csv")
    given = [str(tmp_path / "table.csv"), str(tmp_path / "spectra"), "--base-url", httpserver.url_for(""), "--quiet"]
    assert main(["fetch", *given]) == 1
    assert "--columns" in capsys.readouterr().err
    assert main(["fetch", *given, "--columns", "plate=PL"]) == 0
    assert "1 of 1 spectra" in capsys.readouterr().out
    assert len(agnsal.read_spectra(tmp_path / "spectra")) == 1


# --------------------------------------------------------------------------------------------------- what goes wrong

AXIS = np.linspace(380.0, 560.0, 900)
FLUX = 1 + 0.1 * np.sin(AXIS)
FILES = {
    "bare columns": "\n".join(f"{x:.3f} {y:.5f}" for x, y in zip(AXIS, FLUX, strict=True)),
    "no unit": "wave flux\n" + "\n".join(f"{x:.3f} {y:.5f}" for x, y in zip(AXIS, FLUX, strict=True)),
    "two fluxes": "wave(nm) flux1 flux2\n" + "\n".join(f"{x:.3f} {y:.5f} 2" for x, y in zip(AXIS, FLUX, strict=True)),
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_the_advice_of_a_refusal_can_be_typed(text, tmp_path, classifiers, capsys):
    file = tmp_path / "spectrum.txt"
    file.write_text(text)
    common = [
        "explain",
        str(file),
        "--quick",
        "--quiet",
        "--classifiers",
        str(classifiers),
        "--output",
        str(tmp_path / "p"),
    ]
    common += ["--medium", "vacuum", "--redshift", "0.0"]
    given = []
    for _ in range(4):
        if main([*common, *given]) == 0:
            break
        said = capsys.readouterr().err
        assert "read_spectra" not in said
        advice = re.search(r"for instance: (--.*?)(?:$|, or |\. )|(--units wavelength=nm)", said, flags=re.M)
        assert advice, said
        given += shlex.split((advice[1] or advice[2]).rstrip(".").replace("wavelength=Angstrom", "wavelength=nm"))
    else:
        pytest.fail(said)
    assert (tmp_path / "p").is_dir()


def test_a_spectrum_that_ends_before_5100_is_explained_by_its_median(tmp_path, classifiers, capsys):
    file = tmp_path / "blue.txt"
    blue = AXIS < 500
    file.write_text(
        "wave(nm) flux\n" + "\n".join(f"{x:.3f} {y:.5f}" for x, y in zip(AXIS[blue], FLUX[blue], strict=True))
    )
    given = ["explain", str(file), "--quick", "--quiet", "--redshift", "0", "--medium", "vacuum"]
    given += ["--units", "flux=Jy", "--classifiers", str(classifiers), "--output", str(tmp_path / "page")]
    assert main(given) == 1
    said = capsys.readouterr().err
    assert "no good bin at 5100 Angstrom" in said
    assert "on_error" not in said
    assert main([*given, *re.search(r"--normalize-by \w+", said)[0].split()]) == 0
    assert "divided by" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("said", "typed"),
    [
        ("read_spectra(path, units={'wavelength': 'nm'}), or 'log10(A)'", "--units wavelength=nm, or 'log10(A)'"),
        ("read_spectra(path, mask='good'), or mask='bad'.", "--mask good, or --mask bad."),
        ("read_spectra(path, columns={'flux': 1, 'wavelength': 'A (nm)'})", "--columns flux=1 'wavelength=A (nm)'"),
        ("give redshift= or frame='rest'", "give --redshift or --frame rest"),
        ('no flux in "a"; at=4500 * u.AA 3 of 5 were; on_error="skip" leaves it out.', 'no flux in "a".'),
        ("nothing to translate (a=1, redshifted)", "nothing to translate (a=1, redshifted)"),
    ],
)  # fmt: skip
def test_refusals_in_the_words_of_options(said, typed):
    assert in_options(said) == typed


def test_warnings_and_refusals_of_scripts_in_the_words_of_their_options(monkeypatch, capsys):
    def parse(arguments):
        parser = argparse.ArgumentParser()
        add_reading_options(parser)
        return parser.parse_args(arguments)

    def main(_):
        warnings.warn("taken to be in vacuum; medium='air' says otherwise", agnsal.AgnsalWarning, stacklevel=1)
        raise agnsal.AgnsalError("no redshift is known; give redshift=0.1")

    monkeypatch.setattr("sys.argv", ["script"])
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with pytest.raises(SystemExit, match=r"^no redshift is known; give --redshift 0\.1$"):
            run_script(main, parse)
    assert capsys.readouterr().err == "note: taken to be in vacuum; --medium air says otherwise\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert f"agnsal {command} " in capsys.readouterr().out.split("example:")[1]


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["explain"], ["explain", "x", "--columns", "flux"]])
def test_wrong_usage_exits_with_two(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: agnsal" in capsys.readouterr().err


def test_an_interruption_is_no_traceback(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(agnsal, "inspect_spectra", interrupted)
    assert main(["inspect", "x"]) == 130


def test_warnings_are_notes(tmp_path, capsys, classifiers):
    file = tmp_path / "spectrum.csv"
    wavelength = np.linspace(3700, 5400, 1500)
    Table({"wavelength (Angstrom)": wavelength, "flux": 1 + 0 * wavelength}).write(file)
    code = "import sys; from agnsal.command_line.main import main; sys.exit(main(sys.argv[1:]))"
    given = ["explain", str(file), "--redshift", "0", "--quick", "--quiet", "--classifiers", str(classifiers)]
    given += ["--units", "flux=1e-17 erg/s/cm2/A", "--output", str(tmp_path / "p")]
    done = subprocess.run(
        [sys.executable, "-c", code, *given, "--output", str(tmp_path / "p")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "agnsal: note: " in done.stderr
    assert "Traceback" not in done.stderr
    assert "warnings.warn" not in done.stderr
