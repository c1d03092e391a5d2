"""A classifier with all that is needed to explain a stranger's spectrum: what it was trained on, and its refits."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from tqdm import tqdm

from agnsal.attribution.answer.attribution import versions
from agnsal.checks.familiarity import Familiarity
from agnsal.checks.sanity import refitted
from agnsal.display import Displayed, Table, printable
from agnsal.embedding import SpectralEmbedding
from agnsal.errors import AgnsalError, one_of
from agnsal.models.machine.svc import ProbabilisticSVC
from agnsal.seeds import Seed, seed_of
from agnsal.spectra.editing.imputation import ProbabilisticPCA
from agnsal.spectra.normalization import Divisor
from agnsal.spectra.sample import SpectralSample

#: Members of each class in the sample of the paper, and in a small one for a quick look; galaxies last.
SIZES = {"paper": (680, 2145, 521, 900), "small": (100, 200, 100, 150)}
#: Kernels of the paper with the C and the gamma it chose for them (a linear kernel has no gamma).
KERNELS: dict[str, tuple[float, float | Literal["scale"]]] = {"linear": (0.07, "scale"), "rbf": (34.0, 0.003)}
#: Components of the model that fills what a spectrum lacks, at most, and training spectra that it is fitted to.
_FILLING, _FITTED_TO = 8, 1000
#: Files and folders of this package whose sources decide the numbers of a default classifier.
DECIDING = ("checks/sanity.py", "embedding.py", "explorer/classifier.py", "models", "seeds.py", "spectra")
#: Digits of the sum over them in the name of a folder.
_DIGITS = 12


@dataclass(frozen=True, eq=False)
class TrainedClassifier(Displayed):
    """A machine, the sample it was trained on, the same machine refitted, and a map of the sample.

    Attributes
    ----------
    machine : ProbabilisticSVC
        What classifies.
    training : SpectralSample
        What it was trained on, with labels.
    refits : tuple of ProbabilisticSVC
        The same machine trained on bootstrap samples of the training sample: how much of an answer is chance.
    embedding : SpectralEmbedding or None
        The training sample on a map.
    description : str
        In a few words: which kernel, trained on what. If the sample is simulated it says so.
    imputation : ProbabilisticPCA or None
        Fills the bins that a spectrum lacks from those it has, as training spectra would have it, before anything is
        asked of the machine. None, of a training sample too small for it: they are bridged by straight lines.

    See Also
    --------
    default_classifier : trained on the simulated sample, once.
    explain_spectrum : uses it.
    """

    machine: ProbabilisticSVC
    training: SpectralSample
    refits: tuple[ProbabilisticSVC, ...] = ()
    embedding: SpectralEmbedding | None = None
    description: str = ""
    imputation: ProbabilisticPCA | None = None

    @classmethod
    def train(
        cls,
        training: SpectralSample,
        machine: ProbabilisticSVC,
        *,
        n_refits: int = 8,
        embed: bool = True,
        description: str = "",
        random_state: Seed = None,
        progress: bool = False,
    ) -> TrainedClassifier:
        """Train a machine and all that goes with it.

        Parameters
        ----------
        training : SpectralSample
            In vacuum and rest frame, normalised, with labels.
        machine : ProbabilisticSVC
            Fitted here.
        n_refits : int
            Bootstrap samples to refit it to.
        embed : bool
            Whether to make the map.
        description : str
            Shown on the page.
        random_state : int, RandomState, Generator or None
            Seeds the bootstrap and the map.
        progress : bool
            Whether to show a bar.

        Returns
        -------
        TrainedClassifier

        Raises
        ------
        AgnsalError
            If the sample has no labels.
        """
        if training.labels is None:
            raise AgnsalError(
                "the training sample has no labels; give them to SpectralSample.from_spectra(labels=...)."
            )
        seeds = np.random.default_rng(seed_of(random_state)).integers(2**31 - 1, size=n_refits + 1).tolist()
        bar = tqdm(total=n_refits + 1 + embed, desc="training", disable=not progress)
        machine.fit(training.flux, training.labels)
        bar.update()
        refits = []
        for seed in seeds[:-1]:
            refits.append(refitted(machine, training.flux, training.labels, "bootstrap", seed))
            bar.update()
        embedding = None
        if embed:
            embedding = SpectralEmbedding(perplexity=50, random_state=seeds[-1]).fit(training)
            bar.update()
        bar.close()
        return cls(machine, training, tuple(refits), embedding, description, _imputation(training))

    def __repr__(self) -> str:
        kernel, refits = self.machine.kernel_.name, len(self.refits)
        return f"<TrainedClassifier: {kernel} kernel, {len(self.training)} spectra, {refits} refits>"

    def _display(self) -> Table:
        rows = [
            ["description", printable(self.description) or "none"],
            ["classes", ", ".join(map(printable, self.machine.classes_))],
            ["trained on", f"{len(self.training)} spectra"],
            ["refits", str(len(self.refits))],
            ["map", "none" if self.embedding is None else "t-SNE of the training sample"],
            ["gaps", "bridged by straight lines" if self.imputation is None else "filled from what was observed"],
        ]
        return Table("TrainedClassifier", rows)

    @cached_property
    def familiarity(self) -> Familiarity:
        """How far a spectrum is from the training sample."""
        return Familiarity().fit(self.training)

    def write(self, folder: str | os.PathLike) -> None:
        """Write it to a folder of its own, which is there whole or not at all.

        Parameters
        ----------
        folder : path
            Must not exist.

        Raises
        ------
        AgnsalError
            If the folder exists.
        """
        folder = Path(folder)
        if folder.exists():
            raise AgnsalError(f"{folder} is there already; remove it first or choose another name.")
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
        try:
            self.machine.write(partial / "machine.npz")
            self.training.write(partial / "training.npz")
            for number, refit in enumerate(self.refits):
                refit.write(partial / f"refit-{number}.npz")
            if self.embedding is not None:
                self.embedding.write(partial / "embedding.npz")
            if self.imputation is not None:
                self.imputation.write(partial / "imputation.npz")
            (partial / "description.txt").write_text(self.description, encoding="utf-8")
            partial.replace(folder)
        except OSError as error:
            if folder.is_dir():  # another process was faster, with the same numbers
                return
            raise AgnsalError(f"{folder}: the classifier cannot be kept there ({error}).") from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    @classmethod
    def read(cls, folder: str | os.PathLike) -> TrainedClassifier:
        """Read what `write` wrote.

        Parameters
        ----------
        folder : path
            The folder.

        Returns
        -------
        TrainedClassifier

        Raises
        ------
        AgnsalError
            If a file is missing or damaged.
        """
        folder = Path(folder)
        embedding, imputation = folder / "embedding.npz", folder / "imputation.npz"
        description = folder / "description.txt"
        return cls(
            ProbabilisticSVC.read(folder / "machine.npz"),
            SpectralSample.read(folder / "training.npz"),
            tuple(ProbabilisticSVC.read(path) for path in sorted(folder.glob("refit-*.npz"))),
            SpectralEmbedding.read(embedding) if embedding.is_file() else None,
            description.read_text(encoding="utf-8") if description.is_file() else "",
            ProbabilisticPCA.read(imputation) if imputation.is_file() else None,
        )


def default_classifier(
    kernel: str = "linear",
    *,
    size: str = "paper",
    by: Divisor = "window",
    folder: str | os.PathLike | None = None,
    progress: bool = False,
) -> TrainedClassifier:
    """The classifier of Peruzzi et al. 2021 trained on the simulated sample and galaxies; trained once, then read.

    Beside the three classes of the paper it knows "galaxy": no active nucleus (star-forming, passive, LINER-like).

    Parameters
    ----------
    kernel : {"linear", "rbf"}
        With the constants of the paper. The linear machine is the better one on real spectra: far from all training
        spectra an rbf machine has no gradient and answers with its fallback.
    size : {"paper", "small"}
        As many AGN as the paper has and 900 galaxies, or 550 in all.
    by : {"window", "median", "continuum"}
        By what the training spectra are divided, as in `SpectralSample.normalize`: the window at 5100 Angstrom, or what
        spectra that were not observed there have as well.
    folder : path, optional
        Where trained classifiers are kept; by default ``classifiers`` in astropy's cache folder of agnsal. Each
        stands under a name that holds the kernel, the size, the versions it was made with and a sum over the sources
        that decide it, so that another version, or commit, trains anew; what other sources of the same version have
        left is removed then.
    progress : bool
        Whether to show a bar while training.

    Returns
    -------
    TrainedClassifier

    Raises
    ------
    AgnsalError
        If the kernel, the size or the divisor is unknown, or the folder cannot be written.
    """
    from agnsal.spectra.simulation.agn import simulate_agn

    one_of("kernel", kernel, KERNELS)
    one_of("size", size, SIZES)
    one_of("by", by, get_args(Divisor))
    made_with = [f"{name}{version}" for name, version in sorted(versions().items())]
    stem = "-".join([kernel, size, "galaxies", "filled", *([] if by == "window" else [by]), *made_with])
    kept = _folder(folder) / f"{stem}-{_sources()}"
    if kept.is_dir():
        try:
            return TrainedClassifier.read(kept)
        except AgnsalError:  # half removed or damaged: made again
            shutil.rmtree(kept, ignore_errors=True)
    counts = SIZES[size]
    training = simulate_agn(*counts[:3], seed=0, n_galaxy=counts[3]).normalize(by=by)
    C, gamma = KERNELS[kernel]
    machine = ProbabilisticSVC(kernel=kernel, C=C, gamma=gamma, class_weight="balanced", random_state=0)
    made = TrainedClassifier.train(
        training,
        machine,
        description=f"{kernel} kernel, trained on {len(training)} simulated spectra"
        + ("" if by == "window" else f", divided {training.normalization}"),
        random_state=0,
        progress=progress,
    )
    made.write(kept)
    for other in kept.parent.glob(f"{stem}-{'[0-9a-f]' * _DIGITS}"):  # by a development install, before a change
        if other != kept:
            shutil.rmtree(other, ignore_errors=True)
    return made


def _imputation(training: SpectralSample) -> ProbabilisticPCA | None:
    """The model of the training spectra that fills the gaps of others; none where they are too few."""
    some = training[:: max(1, len(training) // _FITTED_TO)]
    try:
        return ProbabilisticPCA(min(_FILLING, len(some) // 20)).fit(some)
    except AgnsalError:
        return None


def _sources() -> str:
    """A sum over the sources that decide a default classifier: a development install changes without its version."""
    package = Path(__file__).parent.parent
    named = [package / name for name in DECIDING]
    digest = hashlib.sha256()
    for path in sorted(path for place in named for path in (place.rglob("*.py") if place.is_dir() else [place])):
        digest.update(f"{path.relative_to(package).as_posix()} ".encode() + path.read_bytes())
    return digest.hexdigest()[:_DIGITS]


def _folder(folder: str | os.PathLike | None) -> Path:
    """Where trained classifiers are kept."""
    if folder is not None:
        return Path(folder)
    from astropy.config import get_cache_dir

    return Path(get_cache_dir("agnsal")) / "classifiers"
