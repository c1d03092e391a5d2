"""What each part of a spectrum adds to one class over the next, how sure that is, and whether it is the line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from agnsal.attribution.answer.attribution import Attribution
from agnsal.attribution.answer.line_sums import ELSEWHERE
from agnsal.attribution.counterfactual.line_strength import is_continuum, lines_on, with_lines_of
from agnsal.attribution.shapley.shapley import shapley
from agnsal.errors import AgnsalError
from agnsal.models.machine.coupling import class_pairs
from agnsal.models.machine.svc import ProbabilisticSVC
from agnsal.spectra.regions import Regions
from agnsal.spectra.sample import SpectralSample


@dataclass(frozen=True, eq=False)
class ClassPair:
    """One class over another, and the spectrum that an object is compared with.

    Attributes
    ----------
    predicted, rival : str
        The classes.
    baseline : ndarray, shape (n_features,)
        The mean spectrum of the rival.
    """

    predicted: str
    rival: str
    baseline: NDArray[np.float64]

    def log_odds(self, machine: ProbabilisticSVC, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log-odds of the pair by its own sigmoid.

        Parameters
        ----------
        machine : ProbabilisticSVC
            That knows both classes.
        X : ndarray, shape (n, n_features)
            Spectra.

        Returns
        -------
        ndarray, shape (n,)
        """
        labels = machine.classes_.astype(str).tolist()
        a, b = labels.index(self.predicted), labels.index(self.rival)
        first, second = class_pairs(len(labels))
        number = int(np.flatnonzero((first == min(a, b)) & (second == max(a, b)))[0])
        odds = machine.pairwise_log_odds(X)[:, number]
        return odds if a < b else -odds

    def shares(self, machine: ProbabilisticSVC, sample: SpectralSample) -> Attribution:
        """Exact shares of each bin in the difference of the log-odds from the baseline.

        Parameters
        ----------
        machine : ProbabilisticSVC
            That knows both classes.
        sample : SpectralSample
            Spectra.

        Returns
        -------
        Attribution
        """
        pair = (self.predicted, self.rival)
        return shapley(
            machine, sample, pair, "pairwise", baseline=self.baseline, pair_log_odds=True, method="quadrature"
        )


def line_regions(sample: SpectralSample) -> Regions:
    """The parts of the named lines on a grid, and all other bins as one region.

    Parameters
    ----------
    sample : SpectralSample
        On the grid.

    Returns
    -------
    Regions
        A partition: ``"Hbeta core"``, ``"Hbeta wings"``, ..., ``"elsewhere"``.
    """
    masks, taken = {}, np.zeros(len(sample.grid), dtype=bool)
    for name, parts in lines_on(sample.grid).items():
        for part in ("core", "wings"):
            own = parts[part] & ~taken
            if own.any():
                masks[f"{name} {part}"] = own
                taken |= own
    if not masks:
        raise AgnsalError(f"no common line lies on {sample.grid!r}.")
    return Regions.from_masks(masks, grid=sample.grid).with_rest(ELSEWHERE)


def region_table(
    pair: ClassPair,
    machine: ProbabilisticSVC,
    refits: Sequence[ProbabilisticSVC],
    mine: SpectralSample,
    noisy: SpectralSample | None,
    without: Mapping[str, NDArray[np.float64]],
) -> tuple[QTable, Attribution]:
    """What each part of a line adds, with errors and experiments.

    Parameters
    ----------
    pair : ClassPair
        What is asked.
    machine : ProbabilisticSVC
        The classifier.
    refits : sequence of ProbabilisticSVC
        The same, trained on other draws.
    mine : SpectralSample
        One spectrum.
    noisy : SpectralSample or None
        Draws of it with its errors.
    without : mapping of str to ndarray
        From `without_lines`.

    Returns
    -------
    table : QTable
        As `SpectrumExplanation.lines`.
    shares : Attribution
        By bin.
    """
    regions, shares = line_regions(mine), pair.shares(machine, mine)
    edges, flux = mine.grid.edges, mine.flux[0]
    bins = [np.flatnonzero(mask) for mask in regions.masks]

    def falls(changed: NDArray[np.float64]) -> NDArray[np.float64]:
        return pair.log_odds(machine, flux[None])[0] - pair.log_odds(machine, changed)

    table = QTable({"region": list(regions.names)})
    table["start"] = u.Quantity([edges[each[0]] for each in bins])
    table["stop"] = u.Quantity([edges[each[-1] + 1] for each in bins])
    table["bad_fraction"] = regions.means(mine.mask)[0]
    table["share"] = regions.sums(shares.values)[0]
    table["error_flux"] = _scatter(regions, [] if noisy is None else [pair.shares(machine, noisy).values])
    table["error_refits"] = _scatter(regions, [pair.shares(refit, mine).values for refit in refits])
    table["experiment"] = falls(np.where(regions.masks, pair.baseline, flux))
    table["without"] = [falls(without[name])[0] if name in without else np.nan for name in regions.names]
    exchanged = with_lines_of(mine, pair.baseline[None])
    table["line_alone"] = [
        falls(np.where(mask, exchanged[line], flux))[0] if (line := name.rpartition(" ")[0]) in exchanged else np.nan
        for name, mask in regions.items()
    ]
    for name in ("share", "error_flux", "error_refits", "experiment", "without", "line_alone"):
        table[name] = np.where(table["bad_fraction"] == 1.0, np.nan, table[name])
        table[name].info.format = ".3g"
    continuum = is_continuum(np.asarray(table["line_alone"]), np.asarray(table["experiment"]))
    table["called"] = [
        f"continuum at {name}" if so else name for name, so in zip(regions.names, continuum, strict=True)
    ]
    for name, shown in (("start", ".0f"), ("stop", ".0f"), ("bad_fraction", ".2f")):
        table[name].info.format = shown
    return table, shares


def _scatter(regions: Regions, values: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Standard deviation of the sums over regions, over all rows given."""
    sums = regions.sums(np.concatenate(values)) if values else np.empty((0, len(regions)))
    return sums.std(axis=0, ddof=1) if len(sums) > 1 else np.full(len(regions), np.nan)
