"""Fetch the real spectra of Peruzzi et al. 2021 and run the main job on them. Needs a network and agnsal[archives].

    python examples/paper_sample.py FOLDER

The catalogues (Vaona et al. 2012: type 2 and intermediate; Marziani et al. 2013: type 1) come from VizieR, the spectra
from SDSS. A catalogue of several tables is refused with a list of them: say which one with --type-1, --type-2,
--intermediate. Their columns for plate, mjd and fiber are known by their usual names; others are said with --columns
plate=NAME mjd=NAME fiber=NAME. What is in FOLDER already is not fetched again, so an interrupted run is run again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from astropy.table import QTable, vstack

import agnsal
from agnsal.store import replacing

CATALOGUES = {"type 1": "marziani2013", "type 2": "vaona2012", "intermediate": "vaona2012"}


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    try:
        catalogue = fetch(options)
    except agnsal.AgnsalError as error:
        sys.exit(f"{error}")
    print(f"{catalogue} lists the spectra in {options.folder}")
    if not options.fetch_only:
        script = Path(__file__).with_name("paper_figures.py")
        given = ["--spectra", options.folder, "--catalogue", catalogue, "--output", options.output]
        sys.exit(subprocess.run([sys.executable, script, *given, *options.quick], check=False).returncode)


def fetch(options: argparse.Namespace) -> Path:
    """Fetch catalogues and spectra, and write the catalogue of what came."""
    columns = dict(pair.split("=", 1) for pair in options.columns)
    parts = []
    for label, name in CATALOGUES.items():
        table = getattr(options, label.replace(" ", "_"))
        found = agnsal.fetch_catalogue(name, options.folder, table=table, base_url=options.vizier)
        wanted = found[: options.limit]
        manifest = agnsal.fetch_spectra(
            wanted,
            options.folder,
            base_url=options.sdss,
            columns=columns,
            on_error="skip",
            progress=not options.quiet,
        )
        came = manifest[manifest["status"] != "failed"]
        print(f"{label}: {len(came)} of {len(wanted)} spectra ({len(found)} rows in the catalogue)")
        part = QTable({"file": came["file"], "object_id": came["file"]})
        part["label"], part["redshift"] = [label] * len(part), [float("nan")] * len(part)  # the files have redshifts
        parts.append(part)
    path = options.folder / "catalogue.ecsv"
    with replacing(path) as side:
        vstack(parts).write(side, format="ascii.ecsv", overwrite=True)
    return path


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where catalogues, spectra and manifest go")
    for label, name in CATALOGUES.items():
        parser.add_argument(
            f"--{label.replace(' ', '-')}", metavar="TABLE", help=f"the table of {name} that lists them"
        )
    parser.add_argument("--columns", nargs="+", default=[], metavar="ROLE=NAME", help="plate=..., mjd=..., fiber=...")
    parser.add_argument("--limit", type=int, help="at most so many spectra of each class")
    parser.add_argument("--vizier", metavar="ADDRESS", help="a mirror of VizieR's TAP service")
    parser.add_argument("--sdss", metavar="ADDRESS", help="a mirror of the science archive of SDSS")
    parser.add_argument("--fetch-only", action="store_true", help="no figures")
    parser.add_argument("--output", type=Path, default=Path("output/paper_sample"), help="where the figures go")
    parser.add_argument("--quick", action="store_const", const=["--quick"], default=[], help="passed on")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(arguments)
    if any("=" not in pair for pair in options.columns):
        parser.error("--columns takes ROLE=NAME, for example plate=Plate")
    return options


if __name__ == "__main__":
    main()
