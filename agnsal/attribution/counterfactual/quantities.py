"""The quantities that an astronomer would turn in the spectrum of an active nucleus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import astropy.units as u
import autograd.numpy as anp
import numpy as np
from autograd.scipy.special import erf
from autograd.tracer import isbox
from numpy.typing import NDArray

from agnsal.attribution.counterfactual.edits import Edit
from agnsal.attribution.transforms.dictionary import LineDictionary
from agnsal.errors import AgnsalError
from agnsal.spectra.grid import SPEED_OF_LIGHT
from agnsal.spectra.sample import SpectralSample
from agnsal.spectra.simulation.emission import BROAD_BALMER, NARROW_LINES, iron
from agnsal.spectra.simulation.starlight import POPULATIONS, RANGE, starlight

_FWHM = 2.354820045
_PIVOT = 5100.0
_HBETA = 4862.68
#: An equivalent width in Angstrom, or a share, below this is what is left of a bound by rounding.
_NOTHING = 1e-6

#: Narrow lines that go together: doublets of one upper level, and the Balmer series in case B.
_NARROW = {
    "[O III] flux": ("[O III]", 5008.24),
    "narrow Hbeta flux": ("balmer", _HBETA),
    "[O II] flux": ("[O II]", 0.0),
}

#: Largest equivalent widths in Angstrom, beside the continuum at 5100 A; what is stronger may double.
LARGEST = {"broad Hbeta flux": 300.0, "Fe II flux": 300.0, "[O III] flux": 1500.0, "narrow Hbeta flux": 300.0}
#: Full widths in km/s between which a broad line may be, and of a line that is not there yet.
BROAD_WIDTHS, NEW_WIDTH = (1000.0, 15000.0), 4500.0
#: How much the slope of the continuum may change.
STEEPER = 2.0


def spectral_edits(sample: SpectralSample) -> list[Edit]:
    """Quantities of AGN spectra that may be turned, measured with a `LineDictionary`.

    ===================  ==============================================================================================
    broad Hbeta flux     the other broad Balmer lines follow in case B; 0 or more
    broad Hbeta FWHM     of all of them, between 1000 and 15,000 km/s
    [O III] flux         4959 and 5007 together; 0 or more
    narrow Hbeta flux    the Balmer series together; 0 or more
    Fe II flux           of the 4570 complex, with all multiplets; 0 or more
    continuum slope      power of the wavelength by which the continuum is multiplied, from 5100 A
    host fraction        share of starlight in the continuum at 5100 A; 0 to 1
    ===================  ==============================================================================================

    Parameters
    ----------
    sample : SpectralSample
        In vacuum and rest frame, with 5100 A and Hbeta on the grid.

    Returns
    -------
    list of Edit
        Fluxes in the unit of the sample times Angstrom: of spectra normalised at 5100 A an equivalent width.

    Raises
    ------
    AgnsalError
        If Hbeta or 5100 A is off the grid.

    Examples
    --------
    >>> from agnsal import simulate_agn
    >>> edits = spectral_edits(simulate_agn(1, 1, 0, seed=0).normalize())
    >>> [name for edit in edits for name in edit.names][:3]
    ['broad Hbeta flux', 'broad Hbeta FWHM', '[O III] flux']
    """
    edges, center = sample.grid.edges.value, sample.grid.centers.value
    if not edges[0] < _HBETA - 100 or not edges[-1] > _PIVOT:
        raise AgnsalError(f"Hbeta and 5100 A must be on the grid ({edges[0]:.0f} to {edges[-1]:.0f} A).")
    dictionary = LineDictionary(nonnegative=True).fit(sample)
    S, groups = dictionary.forward(sample), dictionary.groups
    smooth = S[:, groups == "continuum"] @ dictionary.synthesis[:, groups == "continuum"].T
    stars = groups == "stellar absorption"
    continuum = np.maximum(smooth + S[:, stars] @ dictionary.synthesis[:, stars].T, 0.0)
    level = np.array([np.interp(_PIVOT, center, each) for each in continuum])
    level = np.where(level > 0, level, np.abs(sample.flux).mean(axis=1))
    area = u.Unit(sample.unit * u.AA)
    edits = [_broad(dictionary, S, edges, level, area)]
    for name, (group, main) in _NARROW.items():
        lines = [
            (at, share) for at, kind, share in NARROW_LINES if kind == group and edges[0] + 20 < at < edges[-1] - 20
        ]
        named = f"{name.removesuffix(' flux').removeprefix('narrow ')}{' 5007' if 'O III' in name else ''} narrow"
        chosen = groups == named
        if main and chosen.any() and any(abs(at - main) < 1 for at, _ in lines):
            widths = np.asarray(dictionary.narrow)
            flux, mix, _ = _measured(S[:, chosen], widths, 450.0, level)
            templates = np.array([_profile(edges, lines, each, widths) for each in mix])
            edits.append(_strength(name, templates, flux, level, area))
    if (groups == "Fe II").any():
        template = iron(edges, np.ones(1), np.array([2500.0 / _FWHM]), np.zeros(1))[0]
        edits.append(_strength("Fe II flux", template, S[:, groups == "Fe II"].sum(axis=1), level, area))
    edits.append(_slope(continuum, center))
    if RANGE[0] <= edges[0] and edges[-1] <= RANGE[1]:
        edits.append(_host(S[:, stars].sum(axis=1) / level, continuum, edges, level))
    return edits


def _measured(
    coordinates: NDArray[np.float64], widths: NDArray[np.float64], usual: float, level: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Flux of a line, its shares in components of several widths, and its mean width; of no line those usual."""
    flux = coordinates.sum(axis=1)
    flux = np.where(flux > _NOTHING * level, flux, 0.0)
    nearest = np.eye(widths.size)[np.abs(widths - usual).argmin()]
    there = flux > 0
    mix = np.where(there[:, None], coordinates / np.where(there, flux, 1.0)[:, None], nearest)
    return flux, mix, np.where(there, mix @ widths, usual)


def _gaussian(edges: NDArray[np.float64], at: float, fwhm: Any) -> Any:
    """A line of unit flux averaged over each bin; traceable in the width."""
    z = (edges - at) * (_FWHM * SPEED_OF_LIGHT / at / np.sqrt(2.0)) / fwhm
    total = 0.5 * (1.0 + erf(z))
    return (total[1:] - total[:-1]) / np.diff(edges)


def _profile(
    edges: NDArray[np.float64],
    lines: Sequence[tuple[float, float]],
    mix: NDArray[np.float64],
    widths: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Lines of one profile, a sum of Gaussians, in fixed proportions."""
    total: NDArray[np.float64] = np.zeros(edges.size - 1)
    for at, share in lines:
        for part, width in zip(mix, widths, strict=True):
            if part:
                total = total + share * part * _gaussian(edges, at, width)
    return total


def _broad(
    dictionary: LineDictionary,
    S: NDArray[np.float64],
    edges: NDArray[np.float64],
    level: NDArray[np.float64],
    area: u.UnitBase,
) -> Edit:
    """Flux and width of broad Hbeta and the broad Balmer lines with it."""
    lines = [(at, share) for at, share in BROAD_BALMER if edges[0] < at < edges[-1]]
    widths = np.asarray(dictionary.broad)
    flux, mix, width = _measured(S[:, dictionary.groups == "Hbeta broad"], widths, NEW_WIDTH, level)
    seen = np.array([_profile(edges, lines, each, widths) for each in mix])

    def gaussians(fwhm: Any) -> Any:
        total: Any = 0.0
        for at, share in lines:
            total = total + share * _gaussian(edges, at, fwhm)
        return total

    usual = [gaussians(each) for each in width]

    def change(values: Any, i: int) -> Any:
        # with the width as it is, the profile that was measured is scaled
        scaled = (values[0] - flux[i]) * seen[i]
        if not isbox(values) and values[1] == width[i]:
            return scaled
        return scaled + values[0] * (gaussians(values[1]) - usual[i])

    n = len(flux)
    return Edit(
        ("broad Hbeta flux", "broad Hbeta FWHM"),
        (area, u.km / u.s),
        np.stack([flux, width], axis=1),
        np.stack([np.zeros(n), np.full(n, BROAD_WIDTHS[0])], axis=1),
        np.stack([np.maximum(LARGEST["broad Hbeta flux"] * level, 2 * flux), np.full(n, BROAD_WIDTHS[1])], axis=1),
        change,
    )


def _strength(
    name: str, template: NDArray[np.float64], flux: NDArray[np.float64], level: NDArray[np.float64], area: u.UnitBase
) -> Edit:
    """A flux that is 0 or more."""
    flux = np.where(flux > _NOTHING * level, flux, 0.0)
    high = np.maximum(LARGEST[name] * level, 2 * flux)
    return Edit.of_template(name, template, n=len(flux), present=flux, lower=0.0, upper=high, unit=area)


def _slope(continuum: NDArray[np.float64], center: NDArray[np.float64]) -> Edit:
    """The continuum, tilted about 5100 A."""
    logarithm, n = np.log(center / _PIVOT), len(continuum)
    return Edit(
        ("continuum slope",),
        (u.dimensionless_unscaled,),
        np.zeros((n, 1)),
        np.full((n, 1), -STEEPER),
        np.full((n, 1), STEEPER),
        lambda values, i: continuum[i] * (anp.exp(values[0] * logarithm) - 1.0),
    )


def _host(
    present: NDArray[np.float64], continuum: NDArray[np.float64], edges: NDArray[np.float64], level: NDArray[np.float64]
) -> Edit:
    """Starlight in place of the continuum that is there, at the same flux at 5100 A."""
    stars = starlight(edges, np.full((1, len(POPULATIONS)), 1.0 / len(POPULATIONS)), np.array([190.0]))[0]
    at = np.interp(_PIVOT, 0.5 * (edges[1:] + edges[:-1]), stars)
    template = level[:, None] * stars / at - continuum
    now = np.clip(np.where(present > _NOTHING, present, 0.0), 0.0, 1.0)
    return Edit.of_template("host fraction", template, n=len(now), present=now, lower=0.0, upper=1.0)
