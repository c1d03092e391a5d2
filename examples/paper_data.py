"""The spectra of `paper_figures.py`: simulated, or files with a catalogue; normalised and split as in the paper."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field

import numpy as np
from catalogue_files import CLASSES, class_of, merged, prepare, read_rows

import agnsal
from agnsal.display import markdown_text
from agnsal.store import replacing

SEED = 1055717  # the paper's
SHOWN = 10  # files that were left out, named in the summary


@dataclass
class Data:
    """What is learnt from, and what is tested.

    The last of the tested samples is explained. It is part of the mapped one, at `rows`, or is not (None). Where files
    are learnt from, `conventions` holds all of them with their labels by each column.
    """

    training: agnsal.SpectralSample
    validation: agnsal.SpectralSample
    tested: dict[str, agnsal.SpectralSample]
    mapped: agnsal.SpectralSample
    rows: np.ndarray | None
    story: str
    conventions: dict[str, agnsal.SpectralSample] = field(default_factory=dict)  # all files, by column of labels

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
        sample = prepare(agnsal.simulate_agn(*n, seed=SEED))
        return split(
            sample,
            f"The sample of {len(sample)} spectra is **simulated** (`agnsal.simulate_agn`, seed {SEED}), not observed.",
        )
    conventions, story = read_files(options)
    real, least = next(iter(conventions.values())), options.least_per_class
    objects = {label: len(set(real.ids[real.labels == label])) for label in CLASSES}
    counts = ", ".join(f"{count} {label}" for label, count in objects.items())
    if min(objects.values()) >= least:
        chosen = (
            f"The sample is made of **files**: {len(real)} spectra of objects of three classes ({counts}). They are "
            f"learnt from because every class has at least {least} objects (`--least-per-class`). In a class of "
            f"{least} the fifth that is tested has {least / 5:.0f} objects, of which one is {5 / least:.0%}. The split "
            "is by object: no object is on two sides of it."
        )
        data = split(real, f"{chosen} {story}")
        data.conventions = conventions
        return data
    simulated = split(prepare(agnsal.simulate_agn(*n, seed=SEED)), "")
    story = (
        f"The classifiers were trained on **simulated** spectra (`agnsal.simulate_agn`, seed {SEED}): the files are of "
        f"too few objects ({counts}; {least} of each are needed, `--least-per-class`). All **files** were then "
        f"classified and explained; none was used in training. The t-SNE maps are of the simulation, with the files "
        f"placed on them. {story}"
    )
    tested = {"simulated test set": simulated.explained, "files": real}
    return Data(simulated.training, simulated.validation, tested, simulated.mapped, None, story)


def read_files(options: argparse.Namespace) -> tuple[dict[str, agnsal.SpectralSample], str]:
    """Read the files of the three classes, by each column of labels; also what became of them, in words."""
    rows = merged(options)
    wanted = [row for row in rows if any(class_of(row.get(column)) for column in options.label_column)]
    files = read_rows(options, wanted)
    with replacing(options.output / "left_out.txt") as side:
        side.write_text("\n".join(files.left_out) + "\n", encoding="utf-8")
    conventions = {column: files.labelled(column) for column in options.label_column}
    first, sample = next(iter(conventions.items()))
    told = files.left_out[:SHOWN]
    if len(files.left_out) > SHOWN:
        told.append(f"and {len(files.left_out) - SHOWN} more")
    story = (
        f"Of {len(rows)} files in the catalogue {sum(bool(class_of(row.get(first))) for row in rows)} have one of the "
        f"three labels; {len(sample)} of those could be put on the paper's grid. {(~sample.has_errors).sum()} of them "
        f"have no flux errors. Where a file does not say whether its wavelengths are of air or vacuum "
        f"({files.assumed} of them), vacuum was taken. Left out (`left_out.txt`):"
        + "".join(f"\n\n* {markdown_text(line)}" for line in told or ["none"])
        + "\n"
    )
    return conventions, story


def split(sample: agnsal.SpectralSample, story: str, seed: int = SEED) -> Data:
    """Keep a fifth to test, a fifth of the rest to validate: by object, at random, not stratified, as in the paper."""
    objects, object_of = np.unique(sample.ids, return_inverse=True)
    place = (np.random.default_rng(seed).permutation(len(objects))[object_of] + 0.5) / len(objects)
    test, validation = np.flatnonzero(place < 0.2), np.flatnonzero((place >= 0.2) & (place < 0.36))
    training = np.flatnonzero(place >= 0.36)
    return Data(sample[training], sample[validation], {"test set": sample[test]}, sample, test, story)
