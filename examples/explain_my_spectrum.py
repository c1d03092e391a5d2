"""Explain one spectrum on a page: its class, what its lines add to that, how sure it is, what would change it.

    python examples/explain_my_spectrum.py data/spec-9901-59000-0001.fits --redshift 0.05

The classifier is that of Peruzzi et al. 2021 trained on the simulated sample of the package. It is trained once and
kept (agnsal.default_classifier says where); --quick trains a small one. The page comes as PDF and PNG (A4) and as one
HTML file, the tables beside it as ECSV.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from tqdm import tqdm

import agnsal
from agnsal.command_line.options import add_normalizing_option, add_reading_options, reading_options, run_script


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    spectra = agnsal.read_spectra(options.file, **reading_options(options))
    sample = agnsal.SpectralSample.from_spectra(
        spectra,
        agnsal.PERUZZI2021_GRID,
        redshift=options.redshift,
        min_coverage=options.coverage,
        frame=options.frame or "observed",
    ).normalize(by=options.normalize_by)
    classifier = agnsal.default_classifier(
        options.kernel,
        size="small" if options.quick else "paper",
        by=options.normalize_by,
        folder=options.classifiers,
        progress=not options.quiet,
    )
    for i in tqdm(range(len(sample)), desc="explaining", disable=options.quiet or len(sample) == 1):
        explanation = agnsal.explain_spectrum(sample, classifier, i=i, random_state=0)
        name = f"{i + 1}_{sample.ids[i]}" if len(sample) > 1 else None
        paths = agnsal.write_spectrum_page(explanation, options.output, name=name)
        print(explanation)
        print(f"Written to {paths['pdf']}, {paths['png'].name} and {paths['html'].name}")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="a spectrum that agnsal.read_spectra reads")
    add_reading_options(parser)
    parser.add_argument("--coverage", type=float, default=0.6, help="least share of the grid that was observed")
    parser.add_argument("--kernel", choices=("linear", "rbf"), default="linear")
    add_normalizing_option(parser)
    parser.add_argument("--classifiers", type=Path, help="folder where trained classifiers are kept")
    parser.add_argument("--output", type=Path, default=Path("output/explained"))
    parser.add_argument("--quick", action="store_true", help="a small training sample, in seconds")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    run_script(main, parse)
