"""The spectra of `paper_figures.py`: simulated, or files with a catalogue; normalised and split as in the paper."""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.table import QTable
from tqdm import tqdm

import agnsal
from agnsal.display import markdown_text, printable
from agnsal.store import replacing

SEED = 1055717  # the paper's
CLASSES = ("type 1", "type 2", "intermediate")
LEAST_PER_CLASS = 100  # objects of each class that are needed to train on files
SHOWN = 10  # files that were left out, named in the summary


@dataclass
class Data:
    """What is learnt from, and what is tested.

    The last of the tested samples is explained. It is part of the mapped one, at `rows`, or is not (None).
    """

    training: agnsal.SpectralSample
    validation: agnsal.SpectralSample
    tested: dict[str, agnsal.SpectralSample]
    mapped: agnsal.SpectralSample
    rows: np.ndarray | None
    story: str

    @property
    def explained(self) -> agnsal.SpectralSample:
        """The spectra to explain."""
        return list(self.tested.values())[-1]

    def only(self, classes: tuple[str, ...]) -> Data:
        """The spectra of some classes."""

        def part(sample: agnsal.SpectralSample) -> agnsal.SpectralSample:
            return sample[np.isin(sample.labels, classes)]

        kept = np.isin(self.mapped.labels, classes)
        rows = None if self.rows is None else (np.cumsum(kept) - 1)[self.rows[kept[self.rows]]]
        tested = {name: part(sample) for name, sample in self.tested.items()}
        return Data(part(self.training), part(self.validation), tested, part(self.mapped), rows, self.story)


def load(options: argparse.Namespace) -> Data:
    """Simulate or read the spectra, and decide what is learnt from."""
    n = (90, 160, 80) if options.quick else (680, 2145, 521)
    if options.spectra is None:
        sample, n_left_out = simulate(n)
        return split(
            sample,
            f"The sample is **simulated** (`agnsal.simulate_agn`, seed {SEED}), not observed. {n_left_out} of "
            f"{sum(n)} spectra are left out: their bin at 5100 Å, by which the paper divides, is bad.",
        )
    real, story = read_files(options)
    objects = {label: len(set(real.ids[real.labels == label])) for label in CLASSES}
    counts = ", ".join(f"{count} {label}" for label, count in objects.items())
    if min(objects.values()) >= LEAST_PER_CLASS:
        return split(real, f"The sample is made of **files** ({counts}), split by object. {story}")
    simulated = split(simulate(n)[0], "")
    story = (
        f"The classifiers were trained on **simulated** spectra (`agnsal.simulate_agn`, seed {SEED}): the files are of "
        f"too few objects ({counts}; {LEAST_PER_CLASS} of each are needed). All **files** were then classified "
        f"and explained; none was used in training. The t-SNE maps are of the simulation, with the files placed on "
        f"them. {story}"
    )
    tested = {"simulated test set": simulated.explained, "files": real}
    return Data(simulated.training, simulated.validation, tested, simulated.mapped, None, story)


def read_catalogue(options: argparse.Namespace, *columns: str) -> QTable:
    """Read the catalogue of --catalogue, which must have some columns."""
    if options.catalogue is None:
        raise SystemExit("--spectra needs --catalogue, a table of the files in that folder.")
    if not options.catalogue.is_file():
        raise SystemExit(f"--catalogue: there is no file {options.catalogue}.")
    if not options.spectra.is_dir():
        raise SystemExit(f"--spectra: there is no folder {options.spectra}.")
    try:
        table = QTable.read(options.catalogue)
    except Exception as error:  # astropy raises many kinds
        raise SystemExit(f"{options.catalogue} cannot be read as a table: {str(error).splitlines()[0]}") from None
    for column in columns:
        if column not in table.colnames:
            raise SystemExit(f"{options.catalogue} has no column {column!r}; it has {', '.join(table.colnames)}.")
    return table


def redshift_column(table: QTable, catalogue: object) -> str:
    """Find the redshifts of a catalogue under one of their two usual names."""
    for name in ("redshift", "z"):
        if name in table.colnames:
            return name
    raise SystemExit(f"{catalogue} has no column 'redshift' or 'z'; it has {', '.join(table.colnames)}.")


def read_files(options: argparse.Namespace) -> tuple[agnsal.SpectralSample, str]:
    """Read the spectra of a catalogue on to the paper's grid; also what became of the files, in words."""
    table = read_catalogue(options, options.file_column, options.label_column, options.redshift_column)
    names = {plain(name): name for name in CLASSES}
    wanted = [row for row in table if plain(row[options.label_column]) in names]
    id_column = options.id_column if options.id_column in table.colnames else options.file_column
    spectra, labels, ids, left_out = [], [], [], []
    for row in tqdm(wanted, desc="reading", leave=False, disable=options.quiet):
        redshift = row[options.redshift_column]
        known = not np.ma.is_masked(redshift) and np.isfinite(float(redshift))
        path = options.spectra / str(row[options.file_column])
        try:
            with warnings.catch_warnings():  # what is assumed is counted from the spectra, for the summary
                warnings.simplefilter("ignore", agnsal.AgnsalWarning)
                found = agnsal.read_spectra(path, redshift=float(redshift) if known else None)
            if len(found) != 1:
                raise agnsal.AgnsalError(f"{path} holds {len(found)} spectra, the catalogue has one label for it.")
        except agnsal.AgnsalError as error:
            left_out.append(str(error))
            continue
        spectra += found
        labels.append(names[plain(row[options.label_column])])
        ids.append(str(row[id_column]))
    if not spectra:
        raise SystemExit("no file of the catalogue could be used:\n" + "\n".join(left_out))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", agnsal.AgnsalWarning)
        sample = agnsal.SpectralSample.from_spectra(
            spectra, agnsal.PERUZZI2021_GRID, labels=labels, ids=ids, method="linear", on_error="skip"
        )
        prepared = prepare(sample)
    left_out += [line for warning in caught for line in str(warning.message).splitlines()[1:]]
    left_out = [printable(line) for line in left_out]
    with replacing(options.output / "left_out.txt") as side:
        side.write_text("\n".join(left_out) + "\n", encoding="utf-8")
    assumed = sum(bool(one.meta.get("assumed")) for one in spectra)
    told = left_out[:SHOWN] + ([f"and {len(left_out) - SHOWN} more"] if len(left_out) > SHOWN else [])
    story = (
        f"Of {len(table)} files in the catalogue {len(wanted)} have one of the three labels; {len(prepared)} of those "
        f"could be put on the paper's grid. {(~prepared.has_errors).sum()} of them have no flux errors. {assumed} "
        "files do not say whether their wavelengths are of air or vacuum, and vacuum was taken. Left out "
        "(`left_out.txt`):" + "".join(f"\n\n* {markdown_text(line)}" for line in told or ["none"]) + "\n"
    )
    return prepared, story


def plain(label: str) -> str:
    """Compare labels regardless of case, blanks and underscores."""
    return "".join(str(label).casefold().replace("_", " ").split())


def simulate(n: tuple[int, int, int]) -> tuple[agnsal.SpectralSample, int]:
    """Simulate and prepare; also how many spectra had no flux to divide by."""
    with warnings.catch_warnings():  # the summary says how many; nobody looks up the names of simulated spectra
        warnings.simplefilter("ignore", agnsal.AgnsalWarning)
        sample = prepare(agnsal.simulate_agn(*n, seed=SEED))
    return sample, sum(n) - len(sample)


def prepare(sample: agnsal.SpectralSample) -> agnsal.SpectralSample:
    """Divide by the flux of the single bin nearest 5100 Å, as the paper did; a warning names those without any."""
    return sample.normalize(at=5100 * u.AA, window=None, on_error="skip")


def split(sample: agnsal.SpectralSample, story: str) -> Data:
    """Keep a fifth to test, a fifth of the rest to validate: by object, at random, not stratified, as in the paper."""
    objects, object_of = np.unique(sample.ids, return_inverse=True)
    place = (np.random.default_rng(SEED).permutation(len(objects))[object_of] + 0.5) / len(objects)
    test, validation = np.flatnonzero(place < 0.2), np.flatnonzero((place >= 0.2) & (place < 0.36))
    training = np.flatnonzero(place >= 0.36)
    return Data(sample[training], sample[validation], {"test set": sample[test]}, sample, test, story)
