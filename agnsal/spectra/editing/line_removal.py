"""Spectra without a line: what a classifier would see had it not been there."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from agnsal.errors import AgnsalError, AgnsalWarning
from agnsal.seeds import Seed, seed_of
from agnsal.spectra.editing.editable import Editable
from agnsal.spectra.editing.filling import neighbours, noise_level, straight_line, stretches
from agnsal.spectra.editing.reference import named_baseline
from agnsal.spectra.lines import LINES
from agnsal.spectra.regions import Regions

Sample = TypeVar("Sample", bound=Editable)

PARTS = ("all", "core", "wings")


@dataclass(frozen=True, eq=False)
class Ablation:
    """Which bins are replaced and by what.

    Attributes
    ----------
    removed : ndarray of bool, shape (n_bins,)
        The bins.
    filled : ndarray, shape (n, n_removed)
        Their new flux in every spectrum.
    observed : ndarray of bool, shape (n,)
        Where any of them was observed; the others keep their flux, as there is nothing to remove.
    """

    removed: NDArray[np.bool_]
    filled: NDArray[np.float64]
    observed: NDArray[np.bool_]


def remove_lines(
    sample: Sample, lines: Any, *, part: str = "all", fill: Any = "continuum", random_state: Seed = None
) -> Sample:
    """Make the sample anew without the named lines.

    Parameters
    ----------
    sample : SpectralSample
        In vacuum and rest frame.
    lines : str, sequence of str, or Regions
        Names of lines or windows, or other regions; removed one after the other.
    part : {"all", "core", "wings"}
        What of each line. Bins that a line shares with another belong to one of them only (`agnsal.line_masks`).
    fill : str, tuple or array_like
        What takes the place: ``"continuum"``, a straight line between the levels of the good continuum bins left and
        right (of the bins beside it where a line has no continuum, and for ``part="core"``, so that a narrow line
        leaves its broad base); ``"noise"``, the same with noise of the size of the flux errors, or of the scatter of
        the spectrum where they are not known; ``"mean"``, ``("class mean", label)``, ``"zero"``, or spectra of shape
        (n_bins,) or (n, n_bins).
    random_state : int, RandomState, Generator or None
        Seeds the noise.

    Returns
    -------
    SpectralSample
        With the same mask, inverse variance and table.

    Raises
    ------
    AgnsalError
        If a line is unknown, off the grid, or without bins in that part.

    Examples
    --------
    >>> import agnsal
    >>> sample = agnsal.simulate_agn(1, 1, 0, seed=1).normalize()
    >>> bare = remove_lines(sample, ["[O III] 4959", "[O III] 5007"])
    >>> bool(bare.flux[1].max() < sample.flux[1].max())
    True
    """
    asked = _asked(sample, lines, part)
    noisy = isinstance(fill, str) and fill == "noise"
    result = sample
    touched = np.zeros(len(sample.grid), dtype=bool)
    for name in asked:
        found = line_ablations(result, asked.select([name]), part, "continuum" if noisy else fill)
        warn_of_unobserved(sample.ids, found, "they are left as they are")
        for ablation in found.values():
            flux = result.flux.copy()
            flux[:, ablation.removed] = ablation.filled
            result = result.with_flux(flux)
            touched |= ablation.removed
    if noisy:
        # the same draw for all spectra, as in `line_ablation`
        draw = check_random_state(seed_of(random_state)).standard_normal(len(sample.grid))
        noise = np.where(touched, draw * noise_level(sample.flux, sample.ivar, sample.mask), 0.0)
        result = result.with_flux(result.flux + noise)
    return result


def line_ablations(sample: Editable, lines: Any, part: str, fill: Any) -> dict[str, Ablation]:
    """Work out the removal of each line by itself.

    Parameters
    ----------
    sample, lines, part, fill
        As in `remove_lines`; `lines` may be None for the common ones on the grid, `fill` not ``"noise"``.

    Returns
    -------
    dict of str to Ablation

    Raises
    ------
    AgnsalError
        As in `remove_lines`.
    """
    if part not in PARTS:
        raise AgnsalError(f"part must be one of {', '.join(PARTS)}, got {part!r}.")
    by_continuum = isinstance(fill, str) and fill == "continuum"
    whole = None if by_continuum else np.broadcast_to(named_baseline(sample.flux, sample, fill)[0], sample.flux.shape)
    found = {}
    for name, removed in _asked(sample, lines, part).items():
        if not removed.any():
            raise AgnsalError(f'{name} has no bins in its {part}; remove "all" or "core" of it.')
        observed: NDArray[np.bool_] = np.logical_not(sample.mask[:, removed].all(axis=1))
        filled = _under(sample, name, part, removed) if whole is None else whole[:, removed]
        filled = np.where(observed[:, None], filled, sample.flux[:, removed])
        found[name] = Ablation(removed, filled, observed)
    return found


def warn_of_unobserved(ids: NDArray[np.str_], ablations: Mapping[str, Ablation], what: str) -> None:
    """Warn, by name, of lines that were not observed in some spectra.

    Parameters
    ----------
    ids : ndarray of str, shape (n,)
        Names of the spectra.
    ablations : mapping of str to Ablation
        From `line_ablations`.
    what : str
        What becomes of them.
    """
    for name, ablation in ablations.items():
        if not ablation.observed.all():
            lost = ids[~ablation.observed]
            some = ", ".join(str(one) for one in lost[:5]) + (", ..." if len(lost) > 5 else "")
            warnings.warn(
                f"{name} was not observed in {len(lost)} of {len(ids)} spectra ({some}); {what}.",
                AgnsalWarning,
                stacklevel=3,
            )


def _asked(sample: Editable, lines: Any, part: str) -> Regions:
    if lines is None:
        return Regions.from_lines(sample.grid, part=part, overlap=True)
    return Regions.of(lines, len(sample.grid), sample.grid, partition=False, part=part)


def _under(sample: Editable, name: str, part: str, removed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The continuum under a line, or straight lines under other regions."""
    flux, position, bad = sample.flux, sample.wavelength.value, sample.mask
    if name not in LINES or LINES[name].kind == "window" or part == "core":
        filled = np.empty(flux.shape)
        for stretch in stretches(removed):
            filled[:, stretch] = straight_line(flux, position, stretch, neighbours(stretch), bad)
        return filled[:, removed]
    continuum = Regions.from_lines(sample.grid, name, part="continuum", overlap=True)[name]
    anchors, near = continuum & ~removed, neighbours(removed)
    inside = np.flatnonzero(removed)
    for side in (slice(None, inside[0]), slice(inside[-1] + 1, None)):
        if not anchors[side].any():
            anchors[side] = near[side]
    return straight_line(flux, position, removed, anchors, bad)
