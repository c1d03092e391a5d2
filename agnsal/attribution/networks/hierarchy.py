"""Hierarchies of wavelengths: which parts of a spectrum join first to make a network's decision (ACD)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agnsal.attribution.networks.decomposition import contextual_decomposition, one_spectrum
from agnsal.attribution.networks.splitting import Rule
from agnsal.errors import AgnsalError, same_option
from agnsal.models.networks.network import Network
from agnsal.spectra.grid import WavelengthGrid
from agnsal.spectra.regions import Regions
from agnsal.spectra.sample import SpectralSample

#: Percentile that is used instead of the given one when so few units are left, so that the end does not drag on.
_LAST_PERCENTILES = {5: 59.0, 4: 49.0, 3: 59.0, 2: 49.0, 1: 0.0}


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """How the units of one spectrum join, level by level, as `agglomerate` found it.

    Attributes
    ----------
    labels : ndarray of int, shape (n_levels, n_units)
        Component of each unit at each level, numbered from 1 along the wavelengths; 0 = not yet selected. The
        components of a level are the runs of what was selected at the level before, so level 0 has none.
    masks : ndarray of bool, shape (n_levels, n_units)
        What is selected after each level.
    scores : ndarray, shape (n_levels, n_units)
        Score of each unit when the level was selected; NaN where it had been selected before.
    component_scores : tuple of dict
        Score of each component of each level by its number; at level 0 the value of the output itself, number 0.
    units : ndarray of int, shape (n_features,)
        Unit of each bin, -1 for none.
    target : object
        What was explained.
    """

    labels: NDArray[np.intp]
    masks: NDArray[np.bool_]
    scores: NDArray[np.float64]
    component_scores: tuple[dict[int, float], ...]
    units: NDArray[np.intp]
    target: Any

    @property
    def n_levels(self) -> int:
        """Number of levels, level 0 included."""
        return len(self.labels)

    def __repr__(self) -> str:
        return f"<Hierarchy: {self.labels.shape[1]} units, {self.n_levels} levels, target {self.target!r}>"

    def nodes(self) -> list[tuple[int, int, int, float, tuple[int, ...]]]:
        """Components that are new at their level: the nodes of a tree.

        Returns
        -------
        list of tuple
            ``(level, first unit, last unit, score, children)``, children as numbers of earlier nodes. A component that
            is the same as one of the level before is that node.
        """
        found: list[tuple[int, int, int, float, tuple[int, ...]]] = []
        open_nodes: list[int] = []
        for level in range(1, self.n_levels):
            now = []
            for number, score in self.component_scores[level].items():
                members = np.flatnonzero(self.labels[level] == number)
                first, last = int(members[0]), int(members[-1])
                inside = tuple(k for k in open_nodes if first <= found[k][1] and found[k][2] <= last)
                if len(inside) == 1 and found[inside[0]][1:3] == (first, last):
                    now.append(inside[0])
                    continue
                now.append(len(found))
                found.append((level, first, last, score, inside))
            open_nodes = now
        return found


def agglomerate(
    network: Network,
    x: SpectralSample | ArrayLike,
    target: Any = None,
    regions: Any = None,
    percentile: float = 90,
    absolute: bool = True,
    *,
    n_levels: int | None = None,
    rule: Rule = "authors",
    units: Any = None,
) -> Hierarchy:
    """Build the hierarchy of one spectrum from the most important units up, by contextual decomposition.

    Units with scores at or above a percentile are selected. Then, level by level, each run of selected units is a
    component; the neighbours of a component are scored by what they add to it, and the highest scores are selected
    again, until all are. Of two components with a neighbour in common the right one scores it.

    Parameters
    ----------
    network : Network
        The network.
    x : SpectralSample of one spectrum, or array_like, shape (n_features,)
        One spectrum as the network takes it.
    target : label or None
        Which output; None for the predicted class, or the single output.
    regions : Regions, or what `Regions.of` reads
        The units, in order of wavelength; by default every bin is one. 5 makes units of five bins,
        ``Regions.from_lines(grid).with_gaps()`` units of lines and of what lies between; of an array with a number
        for each bin, -1 stands for bins that take no part.
    percentile : float
        Share in per cent of the units that is not selected at each level.
    absolute : bool
        Whether large negative scores count as large.
    n_levels : int, optional
        Most levels to build; by default until everything is selected.
    rule : {"authors", "symmetric"}
        See `contextual_decomposition`.
    units : object
        Another name for `regions`.

    Returns
    -------
    Hierarchy

    Raises
    ------
    AgnsalError
        If the units or the percentile make no sense.

    References
    ----------
    Singh, Murdoch & Yu 2019, arXiv:1806.05337.

    Examples
    --------
    >>> network = Network.dense([[[1.0, 1.0, 0.0, -2.0]]], [[0.0]])
    >>> hierarchy = agglomerate(network, [1.0, 3.0, 1.0, 1.0])
    >>> hierarchy.masks.astype(int)
    array([[0, 1, 0, 1],
           [1, 1, 0, 1],
           [1, 1, 1, 1],
           [1, 1, 1, 1]])
    """
    spectrum = one_spectrum(x)
    if not 0 <= percentile <= 100:
        raise AgnsalError(f"percentile must be between 0 and 100, got {percentile}.")
    grid = x.grid if isinstance(x, SpectralSample) else None
    units = _checked(same_option("regions", regions, "units", units), spectrum.size, grid)
    n_units = int(units.max()) + 1
    weights = network.output_weights(spectrum[None], target)[0]

    def score(groups: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Contribution of groups of units, (n_groups, n_units) to (n_groups,)."""
        bins = np.pad(groups, ((0, 0), (0, 1)))[:, units]  # unit -1 is the padded one, never selected
        relevant = contextual_decomposition(network, spectrum[None], bins, rule=rule)[0]
        return relevant[:, 0] @ weights

    scores = score(np.eye(n_units, dtype=bool))
    labels, masks, levels = [np.zeros(n_units, dtype=np.intp)], [_select(scores, percentile, absolute)], [scores]
    components = [{0: float(network.forward(spectrum[None])[0] @ weights)}]
    most = n_units + 1 if n_levels is None else n_levels - 1
    for _ in range(most):
        before = masks[-1]
        runs = _runs(before)
        numbers = np.arange(1, runs.max() + 1)
        groups = runs == numbers[:, None]
        neighbours = _neighbours(groups)
        joined = [groups[k] | (np.arange(n_units) == place) for k, place in neighbours]
        values = score(np.concatenate([groups, np.reshape(joined, (-1, n_units)).astype(bool)]))
        scores = levels[-1].copy()
        for (k, place), value in zip(neighbours, values[len(groups) :], strict=True):
            scores[place] = value - values[k]
        scores[before] = np.nan
        chosen = _select(scores, percentile, absolute)
        labels.append(runs)
        components.append(dict(zip(numbers.tolist(), values[: len(groups)].tolist(), strict=True)))
        levels.append(scores)
        masks.append(before | chosen)
        if not chosen.any():
            break
    return Hierarchy(
        np.stack(labels), np.stack(masks), np.stack(levels), tuple(components), units, network.label_of(weights)
    )


def _select(scores: NDArray[Any], percentile: float, absolute: bool) -> NDArray[np.bool_]:
    """Units whose score is at or above the percentile of those that are left."""
    size = np.abs(scores) if absolute else scores
    left = size[~np.isnan(size)]
    if not left.size:
        return np.zeros(scores.size, dtype=bool)
    threshold = np.percentile(left, _LAST_PERCENTILES.get(left.size, percentile))
    return size >= threshold  # NaN compares false


def _runs(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Number the runs of selected units from 1."""
    starts = mask & ~np.concatenate([[False], mask[:-1]])
    return np.where(mask, np.cumsum(starts), 0)


def _neighbours(groups: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Component and unit of every neighbour, components from left to right."""
    found = []
    for k, group in enumerate(groups):
        inside = np.flatnonzero(group)
        found += [(k, place) for place in (inside[0] - 1, inside[-1] + 1) if 0 <= place < groups.shape[1]]
    return found


def _checked(said: Any, size: int, grid: WavelengthGrid | None) -> NDArray[np.intp]:
    """Number of the region of each bin, -1 for none."""
    regions = Regions.of(said, size, grid, partition=False)
    numbered = [name for name in regions if name.isdecimal()]
    if not len(regions) or numbered != [str(number) for number in range(len(numbered))]:
        raise AgnsalError("units must be numbered 0, 1, 2, ... without a gap, and -1 for bins that take no part.")
    return regions.labels
