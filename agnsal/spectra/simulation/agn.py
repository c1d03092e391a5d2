"""Simulated AGN of known composition: the embedded sample."""

from __future__ import annotations

from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import QTable, vstack
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.files.meaning.units import FLAM17
from agnsal.spectra.grid import PERUZZI2021_GRID, WavelengthGrid
from agnsal.spectra.sample import SpectralSample
from agnsal.spectra.simulation import emission, instrument
from agnsal.spectra.simulation.galaxies import draw_galaxies
from agnsal.spectra.simulation.population import CLASSES, HIDDEN_FRACTION, draw_population
from agnsal.spectra.simulation.starlight import POPULATIONS, RANGE, starlight, vacuum

#: The components, in the order in which they are added.
COMPONENTS = (
    "power law",
    "Balmer continuum",
    "Fe II",
    "starlight",
    "broad Balmer lines",
    "other broad lines",
    "narrow lines",
    "narrow wings",
)
_FWHM = 2.354820045


class SimulationTruth:
    """What a simulated sample is made of; indexed as the sample is.

    Parameters
    ----------
    components : dict of str to ndarray, shape (n, n_bins)
        Noiseless flux of each component, in the unit of the sample.
    table : QTable
        Physical parameters, one row per spectrum.
    """

    def __init__(self, components: dict[str, NDArray[np.float64]], table: QTable) -> None:
        self.components = components
        self.table = table

    @property
    def noiseless(self) -> NDArray[np.float64]:
        """The sum of all components, shape (n, n_bins)."""
        return np.sum(list(self.components.values()), axis=0)

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, item: Any) -> SimulationTruth:
        if isinstance(item, int | np.integer):
            item = [item]
        return SimulationTruth({name: value[item] for name, value in self.components.items()}, self.table[item])

    def scaled(self, factor: NDArray[np.float64]) -> SimulationTruth:
        """The same with every spectrum's components multiplied by a factor, shape (n, 1) or (n, n_bins)."""
        return SimulationTruth({name: value * factor for name, value in self.components.items()}, self.table)

    def __repr__(self) -> str:
        return f"<SimulationTruth: {len(self)} spectra, {len(self.components)} components>"


def simulate_agn(
    n_type1: int = 680,
    n_type2: int = 2145,
    n_intermediate: int = 521,
    grid: WavelengthGrid = PERUZZI2021_GRID,
    seed: int = 0,
    *,
    redshift_confound: bool = True,
    hidden_fraction: float = HIDDEN_FRACTION,
    noise: bool = True,
    n_galaxy: int = 0,
    n_composite: int = 0,
) -> SpectralSample:
    """Simulate spectra of type 1, type 2 and intermediate AGN, and of galaxies, as SDSS would have seen them.

    A spectrum is the sum of a reddened power law, Balmer continuum, Fe II, starlight of the host galaxy, broad Balmer,
    helium and Mg II lines, narrow lines and their blue wings, observed with the resolution, noise, sky residuals and
    bad pixels of SDSS. Numbers, redshifts and signal-to-noise are those of Peruzzi et al. 2021; `docs/simulation.md`
    tells the physics, and how well a classifier trained on it does on real spectra.

    Parameters
    ----------
    n_type1, n_type2, n_intermediate : int
        Number of spectra of each class; the sample holds them in this order.
    grid : WavelengthGrid
        Any grid in the rest frame between 1500 and 13000 Angstrom. The objects do not depend on it.
    seed : int
        Equal seeds give equal bits.
    redshift_confound : bool
        True: quasars are distant and Seyfert galaxies near, as in the paper, so that type can be told by redshift
        (through sky residuals and noise). False: all classes share one distribution of redshift.
    hidden_fraction : float
        Fraction of intermediates with broad Halpha but no visible broad Hbeta.
    noise : bool
        False: the noiseless spectra, without inverse variance.
    n_galaxy : int
        Number of galaxies without an active nucleus, labelled "galaxy": star-forming, passive and LINER-like ones; the
        column ``kind`` of the truth tells them apart. They come after the AGN, which are the same with and without.
    n_composite : int
        Number of galaxies with both young stars and a weak nucleus, labelled "composite"; they come last.

    Returns
    -------
    SpectralSample
        In 1e-17 erg / s / cm2 / Angstrom, with `truth` a `SimulationTruth`: ``truth.components`` maps a name to an
        array (n, n_bins), the sum of which is the noiseless flux; ``truth.table`` holds the physical parameters.

    Raises
    ------
    AgnsalError
        If a number is negative, all are zero, or the grid is not in the rest frame or out of range.

    Examples
    --------
    >>> sample = simulate_agn(3, 4, 2, seed=1)
    >>> sample.labels
    array(['type 1', 'type 1', 'type 1', 'type 2', 'type 2', 'type 2', 'type 2',
           'intermediate', 'intermediate'], dtype='<U12')
    >>> sample[0].truth.components["broad Balmer lines"].shape
    (1, 1000)
    """
    counts = [
        _count(n, name) for n, name in ((n_type1, "n_type1"), (n_type2, "n_type2"), (n_intermediate, "n_intermediate"))
    ]
    others = _count(n_galaxy, "n_galaxy"), _count(n_composite, "n_composite")
    if not sum(counts) + sum(others):
        raise AgnsalError("a sample of no spectra was asked for; give at least one class a positive number.")
    if not 0 <= hidden_fraction <= 1:
        raise AgnsalError(f"hidden_fraction must lie between 0 and 1, got {hidden_fraction!r}.")
    edges = _rest_edges(grid)
    *streams, noise_stream, galaxies, galaxy_noise = (
        np.random.default_rng(child) for child in _seeds(seed, len(CLASSES) + 3)
    )
    tables = [
        draw_population(agn, n, random, redshift_confound=redshift_confound, hidden=hidden_fraction)
        for agn, n, random in zip(CLASSES, counts, streams, strict=True)
        if n
    ]
    # AGN and galaxies are made and observed apart, so that the bits of the AGN do not depend on the galaxies
    made = [(vstack(tables) if len(tables) > 1 else tables[0], noise_stream)] if tables else []
    if sum(others):
        made.append((draw_galaxies(*others, galaxies, redshift_confound=redshift_confound), galaxy_noise))
    parts = [(table, compose(table, edges)) for table, _ in made]
    table = vstack([table for table, _ in parts]) if len(parts) > 1 else parts[0][0]
    table["object_id"] = [f"sim-{seed}-{number:05d}" for number in range(len(table))]
    truth = SimulationTruth({name: np.concatenate([part[name] for _, part in parts]) for name in COMPONENTS}, table)
    known = table["object_id", "label", "redshift", "signal_to_noise"]
    if not noise:
        return SpectralSample(truth.noiseless, grid, unit=FLAM17, table=known, truth=truth)
    seen = [_expose(table, part, edges, stream) for (table, part), (_, stream) in zip(parts, made, strict=True)]
    flux, ivar, mask = (np.concatenate([getattr(one, name) for one in seen]) for name in ("flux", "ivar", "mask"))
    return SpectralSample(flux, grid, ivar=ivar, mask=mask, unit=FLAM17, table=known, truth=truth)


def _expose(
    table: QTable, components: dict[str, NDArray[np.float64]], edges: NDArray[np.float64], random: np.random.Generator
) -> instrument.Exposure:
    """Observe the objects of a table."""
    return instrument.expose(
        np.sum(list(components.values()), axis=0),
        table["continuum"].value,
        edges,
        np.asarray(table["redshift"]),
        np.asarray(table["signal_to_noise"]),
        random,
    )


def compose(table: QTable, edges: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Make the components of the objects of a table.

    Parameters
    ----------
    table : QTable
        Physical parameters, as `draw_population` gives them.
    edges : ndarray, shape (n_bins + 1,)
        Rest-frame vacuum edges of the bins in Angstrom.

    Returns
    -------
    dict of str to ndarray, shape (n, n_bins)
        Noiseless flux of each of the `COMPONENTS`.
    """

    def column(name: str) -> NDArray[np.float64]:
        value = table[name]
        return np.asarray(value.value if isinstance(value, u.Quantity) else value, dtype=np.float64)

    nuclear = column("nuclear_fraction")
    weights = np.stack([column(f"population_{name.replace('-', '_')}") for name in POPULATIONS], axis=1)
    center = 0.5 * (edges[1:] + edges[:-1])
    dispersion = np.hypot(column("stellar_dispersion"), instrument.RESOLUTION)
    stars = starlight(edges, weights, dispersion) * emission.reddening(center, column("host_reddening"))
    parts = _broad_profile(column)
    width = _gaussian_width(column("broad_fwhm"))
    beta, extinction = column("broad_hbeta_width"), column("broad_reddening")
    at_5100 = beta / emission.reddening(np.array([4862.68]), extinction)[:, 0]
    helium, no_dust = beta * column("helium_ratio"), np.zeros_like(beta)
    plain = (np.ones_like(beta), no_dust, 1.2 * width)
    wing = column("wing_fraction")
    strengths = _narrow_strengths(column)
    found = {
        "power law": nuclear[:, None]
        * emission.power_law(edges, column("power_law_slope"), column("nuclear_reddening")),
        "Balmer continuum": emission.balmer_continuum(edges, nuclear * column("balmer_continuum"), width),
        "Fe II": emission.iron(edges, beta * column("iron_ratio"), 0.8 * width, column("broad_shift")),
        "starlight": (1 - nuclear)[:, None] * stars,
        "broad Balmer lines": emission.broad_lines(edges, emission.BROAD_BALMER, at_5100, parts, extinction),
        "other broad lines": emission.broad_lines(edges, emission.BROAD_HELIUM, helium, [plain], no_dust)
        + emission.broad_lines(edges, emission.BROAD_MAGNESIUM, beta, [plain], no_dust),
        "narrow lines": emission.narrow_lines(
            edges,
            {group: (1 - wing) * flux for group, flux in strengths.items()},
            _gaussian_width(column("narrow_fwhm")),
            column("narrow_shift"),
            column("narrow_reddening"),
        ),
        "narrow wings": emission.narrow_lines(
            edges,
            {group: wing * flux for group, flux in strengths.items()},
            _gaussian_width(column("wing_fwhm")),
            column("narrow_shift") + column("wing_shift"),
            column("narrow_reddening"),
        ),
    }
    continuum = column("continuum")[:, None]
    return {name: continuum * found[name] for name in COMPONENTS}


def _gaussian_width(fwhm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sigma of a line as it is seen: its own width and the resolution of the spectrograph."""
    return np.hypot(fwhm / _FWHM, instrument.RESOLUTION)


def _broad_profile(column: Any) -> list[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]:
    """Fractions, shifts and sigmas of the three Gaussians that make up the broad profile."""
    fwhm, shift, horn = column("broad_fwhm"), column("broad_shift"), column("horn_velocity")
    base, balance = column("very_broad_fraction"), column("horn_balance")
    narrower = np.where(horn > 0, np.sqrt(np.maximum(1 - (horn / fwhm) ** 2, 0.3)), 1.0)
    core = _gaussian_width(fwhm * narrower)
    very = _gaussian_width(np.clip(2.3 * fwhm, 0, np.maximum(13000.0, 1.2 * fwhm)))
    return [
        ((1 - base) * balance, shift - horn, core),
        ((1 - base) * (1 - balance), shift + horn, core),
        (base, column("very_broad_shift"), very),
    ]


def _narrow_strengths(column: Any) -> dict[str, NDArray[np.float64]]:
    """Flux each group of narrow lines scales with; the equivalent width of [O III] 5007 is as seen."""
    oxygen = column("oxygen_width") / emission.reddening(np.array([5008.24]), column("narrow_reddening"))[:, 0]
    strengths = {"[O III]": oxygen, "balmer": oxygen / column("oxygen_to_hbeta")}
    for group in {group for _, group, _ in emission.NARROW_LINES} - set(strengths):
        strengths[group] = oxygen * column(f"ratio_{group}")
    return strengths


def _count(n: Any, name: str) -> int:
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 0:
        raise AgnsalError(f"{name} must be a whole number of spectra, 0 or more, got {n!r}.")
    return int(n)


def _seeds(seed: Any, n: int) -> list[np.random.SeedSequence]:
    """Independent streams, so that the objects of one class depend neither on the others nor on the grid."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise AgnsalError(f"seed must be a whole number, 0 or more, got {seed!r}.")
    return np.random.SeedSequence(int(seed)).spawn(n)


def _rest_edges(grid: WavelengthGrid) -> NDArray[np.float64]:
    """Vacuum edges of a rest-frame grid in Angstrom."""
    if not isinstance(grid, WavelengthGrid):
        raise AgnsalError(f"grid must be a WavelengthGrid, got {type(grid).__name__}; see WavelengthGrid.linear.")
    if grid.frame != "rest":
        raise AgnsalError("simulated spectra are made in the rest frame, the grid is in the observed frame.")
    edges = grid.edges.to_value(u.AA)
    if grid.medium == "air":
        edges = vacuum(edges)
    if edges[0] < RANGE[0] or edges[-1] > RANGE[1]:
        raise AgnsalError(
            f"the simulation knows {RANGE[0]:.0f} to {RANGE[1]:.0f} A, the grid reaches from {edges[0]:.0f} to "
            f"{edges[-1]:.0f} A."
        )
    return edges
