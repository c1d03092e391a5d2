"""``agnsal inspect | explain | explore | fetch``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import agnsal
from agnsal.command_line.options import (
    add_normalizing_option,
    add_reading_options,
    in_options,
    named,
    reading_options,
    warn_in_options,
)
from agnsal.errors import AgnsalError

#: Points of a map of one's own; fewer are placed on the map of what the classifier was trained on.
_OWN_MAP = 50


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the shell.

    Returns
    -------
    int
        0 if all went well, 1 if something was refused (one sentence says what, and what to do), 130 if interrupted.
        Wrong usage exits with 2.
    """
    options = _parser().parse_args(arguments)
    warn_in_options(options, "agnsal: note: ")
    try:
        run: Callable[[argparse.Namespace], int] = options.run
        return run(options)
    except AgnsalError as error:
        print(f"agnsal: {in_options(str(error), options)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read has seen enough
        sys.stderr.close()
        return 0


def _inspect(options: argparse.Namespace) -> int:
    reports = [agnsal.inspect_spectra(file) for file in options.files]
    for report in reports:
        print(replace(report, refusal=in_options(report.refusal)))  # of `explain` and `explore`
    return int(any(report.layout is None for report in reports))


def _explain(options: argparse.Namespace) -> int:
    given = reading_options(options)
    spectra = agnsal.read_spectra(options.file, **given)
    grid, frame = agnsal.PERUZZI2021_GRID, given.get("frame", "observed")
    sample = agnsal.SpectralSample.from_spectra(
        spectra, grid, redshift=given.get("redshift"), min_coverage=options.coverage, frame=frame
    ).normalize(by=options.normalize_by)
    classifier = _classifier(options)
    for i in range(len(sample)):
        explanation = agnsal.explain_spectrum(sample, classifier, i=i, random_state=0)
        name = f"{i + 1}_{sample.ids[i]}" if len(sample) > 1 else None
        paths = agnsal.write_spectrum_page(explanation, options.output, name=name)
        print(explanation)
        print(f"Written to {paths['pdf']}, {paths['png'].name} and {paths['html'].name}")
    return 0


def _explore(options: argparse.Namespace) -> int:
    from agnsal.explorer.explorer import drawing_libraries

    drawing_libraries()  # refused before anything is read or trained
    classifier = None if options.model else _classifier(options)
    model = agnsal.ProbabilisticSVC.read(options.model) if options.model else classifier.machine  # type: ignore[union-attr]
    sample = _stored(options.source)
    if sample is None:
        given = reading_options(options)
        spectra = agnsal.read_spectra(options.source, on_error="skip", **given)
        sample = agnsal.SpectralSample.from_spectra(
            spectra,
            agnsal.PERUZZI2021_GRID,
            redshift=given.get("redshift"),
            min_coverage=options.coverage,
            frame=given.get("frame", "observed"),
            on_error="skip",
        )
        if model.learnt_from_ is None:  # the default classifier, and machines that learnt from arrays
            sample = sample.normalize(by=options.normalize_by, on_error="skip")
    if model.learnt_from_ is not None:
        sample = model.learnt_from_.prepare(sample, on_error="skip")
    if not len(sample):
        raise AgnsalError(f"{options.source} holds no spectrum that can be used.")
    familiarity = None if classifier is None else classifier.familiarity
    embedding = classifier.embedding if classifier is not None and len(sample) < _OWN_MAP else None
    title = options.title or options.source.name
    path = agnsal.write_explorer(options.output, sample, model, embedding, familiarity=familiarity, title=title)
    print(f"{len(sample)} spectra are in {path}")
    return 0


def _fetch(options: argparse.Namespace) -> int:
    from astropy.table import Table

    try:
        table = Table.read(options.table)
    except Exception as error:  # astropy raises many kinds
        raise AgnsalError(f"{options.table} cannot be read as a table: {str(error).splitlines()[0][:200]}") from None
    manifest = agnsal.fetch_spectra(
        table,
        options.folder,
        options.archive,
        options.base_url,
        release=options.release,
        columns=dict(options.columns or []),
        on_error="skip",
        progress=not options.quiet,
    )
    failed = manifest[manifest["status"] == "failed"]
    print(f"{len(manifest) - len(failed)} of {len(manifest)} spectra are in {options.folder}, with manifest.ecsv")
    return 1 if len(failed) else 0


def _classifier(options: argparse.Namespace) -> Any:
    return agnsal.default_classifier(
        options.kernel,
        size="small" if options.quick else "paper",
        by=options.normalize_by,
        folder=options.classifiers,
        progress=not options.quiet,
    )


def _stored(path: Path) -> agnsal.SpectralSample | None:
    """A sample that agnsal has written, or None."""
    try:
        return agnsal.SpectralSample.read(path) if path.suffix == ".npz" else None
    except AgnsalError:
        return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="agnsal", description="Why does a classifier call this spectrum type 1?", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"agnsal {agnsal.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], help_: str, example: str) -> Any:
        made = commands.add_parser(
            name,
            help=help_,
            description=f"{help_[0].upper()}{help_[1:]}.",
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        made.set_defaults(run=run)
        return made

    inspect = command(
        "inspect",
        _inspect,
        "say what files hold and how they are read",
        "agnsal inspect spec-0266-51630-0003.fits",
    )
    inspect.add_argument("files", nargs="+", type=Path, metavar="FILE")

    explain = command(
        "explain",
        _explain,
        "explain the class of a spectrum on a page (PDF, PNG, HTML)",
        "agnsal explain spectrum.fits --redshift 0.05 --output explained",
    )
    explain.add_argument("file", type=Path, metavar="FILE")
    explain.add_argument("--output", type=Path, default=Path("explained"), help="folder of the page")
    add_reading_options(explain)
    _classifier_options(explain)

    explore = command(
        "explore",
        _explore,
        "put a folder of spectra, or a sample, into one page to look through",
        "agnsal explore spectra/ --output explorer.html",
    )
    explore.add_argument("source", type=Path, metavar="SOURCE", help="folder, file, or a sample written by agnsal")
    explore.add_argument("--output", type=Path, default=Path("explorer.html"), help="the page")
    explore.add_argument("--model", type=Path, metavar="FILE", help="a ProbabilisticSVC written by agnsal")
    explore.add_argument("--title")
    add_reading_options(explore)
    _classifier_options(explore)

    fetch = command(
        "fetch",
        _fetch,
        "fetch the spectra of a table from an archive",
        "agnsal fetch table.ecsv spectra/ --archive sdss",
    )
    fetch.add_argument("table", type=Path, metavar="TABLE", help="ECSV, FITS, VOTable or CSV, a row for each spectrum")
    fetch.add_argument("folder", type=Path, metavar="FOLDER")
    fetch.add_argument("--archive", choices=("sdss", "desi", "sparcl"), default="sdss")
    fetch.add_argument("--release", help="sdss: dr17 (default) to dr20; desi: dr1 (default), edr")
    fetch.add_argument("--base-url", metavar="ADDRESS", help="a mirror of the archive")
    fetch.add_argument("--columns", nargs="+", type=named, metavar="ROLE=NAME", help="plate=PLATE mjd=MJD fiber=FIB")
    fetch.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser


def _classifier_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--coverage", type=float, default=0.6, help="least share of the grid that was observed")
    parser.add_argument("--kernel", choices=("linear", "rbf"), default="linear", help="of the classifier")
    add_normalizing_option(parser)
    parser.add_argument("--classifiers", type=Path, metavar="FOLDER", help="where trained classifiers are kept")
    parser.add_argument("--quick", action="store_true", help="a small training sample, in seconds")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
