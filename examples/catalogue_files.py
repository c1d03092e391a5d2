"""Files with catalogues: which there are, what is said of each, and their spectra on the grid of the paper."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import QTable
from tqdm import tqdm

import agnsal
from agnsal.command_line.options import in_options, reading_options
from agnsal.display import printable

CLASSES = ("type 1", "type 2", "intermediate")


@dataclass
class Files:
    """The spectra of a catalogue, what it says of each, what could not be used, and how many media were assumed."""

    sample: agnsal.SpectralSample
    rows: list[dict]
    left_out: list[str]
    assumed: int

    def labelled(self, column: str) -> agnsal.SpectralSample:
        """The spectra that a column puts into one of the three classes."""
        labels = np.array([class_of(row.get(column)) for row in self.rows])
        some = self.sample[np.flatnonzero(labels != "")]
        some.table["label"] = labels[labels != ""]
        return some


# Catalogues


def read_table(path: Path, columns: Iterable[str] = ()) -> QTable:
    """Read a table of files, which must have some columns."""
    if not path.is_file():
        raise SystemExit(f"--catalogue: there is no file {path}.")
    try:
        table = QTable.read(path)
    except Exception as error:  # astropy raises many kinds
        raise SystemExit(f"{path} cannot be read as a table: {str(error).splitlines()[0]}") from None
    require(columns, table.colnames, path)
    return table


def require(columns: Iterable[str], found: list[str], catalogue: object) -> None:
    """Refuse a catalogue without some columns."""
    for column in columns:
        if column not in found:
            raise SystemExit(f"{catalogue} has no column {column!r}; it has {', '.join(found)}.")


def read_catalogue(options: argparse.Namespace, *columns: str) -> QTable:
    """Read the one catalogue of one folder, which must have some columns."""
    if options.catalogue is None:
        raise SystemExit("--spectra needs --catalogue, a table of the files in that folder.")
    if not options.spectra.is_dir():
        raise SystemExit(f"--spectra: there is no folder {options.spectra}.")
    return read_table(options.catalogue, columns)


def redshift_column(table: QTable, catalogue: object) -> str:
    """Find the redshifts of a catalogue under one of their two usual names."""
    for name in ("redshift", "z"):
        if name in table.colnames:
            return name
    raise SystemExit(f"{catalogue} has no column 'redshift' or 'z'; it has {', '.join(table.colnames)}.")


def merged(options: argparse.Namespace) -> list[dict]:
    """Merge the catalogues: what an earlier one says of a file counts, later ones add columns and files."""
    rows: list[dict] = []
    columns: list[str] = []
    for path in options.catalogue:
        table = read_table(path, [options.file_column])
        columns += [name for name in table.colnames if name not in columns]
        known: dict[str, list[dict]] = {}
        for row in rows:
            known.setdefault(row[options.file_column], []).append(row)
        for row in table:
            said = {name: row[name] for name in table.colnames if not np.ma.is_masked(row[name])}
            said[options.file_column] = str(row[options.file_column])
            same = known.get(said[options.file_column], [])
            for one in same:
                one.update({name: value for name, value in said.items() if name not in one})
            if not same:
                rows.append(said)
    catalogues = " and ".join(str(path) for path in options.catalogue)
    require((*options.label_column, options.redshift_column), columns, catalogues)
    return rows


def class_of(label: object) -> str:
    """The class that a label means, regardless of case, blanks and underscores; empty if it is none of the three."""
    names = {plain(name): name for name in CLASSES}
    return names.get(plain(label), "")


def plain(label: object) -> str:
    return "".join(str(label).casefold().replace("_", " ").split())


# Spectra


def prepare(sample: agnsal.SpectralSample) -> agnsal.SpectralSample:
    """Divide by the flux of the single bin nearest 5100 Å, as the paper did; a warning names those without any."""
    return sample.normalize(at=5100 * u.AA, window=None, on_error="skip")


def read_rows(options: argparse.Namespace, rows: list[dict], normalized: Callable = prepare) -> Files:
    """Read the spectra of some rows of a catalogue on to the paper's grid, and normalise them."""
    for folder in options.spectra:
        if not folder.is_dir():
            raise SystemExit(f"--spectra: there is no folder {folder}.")
    spectra, used, left_out = [], [], []
    for number, row in enumerate(tqdm(rows, desc="reading", leave=False, disable=options.quiet)):
        try:
            spectra.append(read_row(options, row))
            used.append(number)
        except agnsal.AgnsalError as error:
            left_out.append(in_options(str(error), options))
    if not spectra:
        raise SystemExit("no file of the catalogue could be used:\n" + "\n".join(map(printable, left_out)))
    ids = [str(rows[number].get(options.id_column, rows[number][options.file_column])) for number in used]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", agnsal.AgnsalWarning)
        sample = agnsal.SpectralSample.from_spectra(  # for the time being the label is the row
            spectra, agnsal.PERUZZI2021_GRID, labels=used, ids=ids, method="linear", on_error="skip"
        )
        prepared = normalized(sample)
    left_out += [line for warning in caught for line in str(warning.message).splitlines()[1:]]
    kept = [rows[number] for number in prepared.labels]
    assumed = sum(bool(spectrum.meta.get("assumed")) for spectrum in spectra)
    return Files(prepared, kept, [printable(line) for line in left_out], assumed)


def read_row(options: argparse.Namespace, row: dict):
    """Read the one spectrum of a file; what the catalogue states of it wins over the options for all."""
    redshift = float(row.get(options.redshift_column, np.nan))
    stated = reading_options(options) | dict(known_words(row))
    path = find_file(options.spectra, row[options.file_column])
    with warnings.catch_warnings():  # what is assumed is counted from the spectra, for the summary
        warnings.simplefilter("ignore", agnsal.AgnsalWarning)
        found = agnsal.read_spectra(path, redshift=redshift if np.isfinite(redshift) else None, **stated)
    if len(found) != 1:
        raise agnsal.AgnsalError(f"{path} holds {len(found)} spectra, the catalogue has one label for it.")
    return found[0]


def known_words(row: dict) -> Iterator[tuple[str, str]]:
    """What a row says of frame and medium in words that `agnsal.read_spectra` knows."""
    for column, words in (("frame", ("observed", "rest")), ("medium", ("air", "vacuum"))):
        if row.get(column) in words:
            yield column, str(row[column])


def find_file(folders: list[Path], name: str) -> Path:
    """Find a file of the catalogue in the folders; where it is in none, reading the first says so."""
    found = [folder for folder in folders if is_there(folder / name)]
    if len(found) > 1:
        raise agnsal.AgnsalError(f"{name} is in {' and in '.join(map(str, found))}; one is wanted.")
    return (found or folders)[0] / name


def is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that no file can have
        return False
