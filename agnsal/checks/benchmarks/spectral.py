"""A benchmark made of spectra: a class that depends on one known component, everything else a nuisance."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from agnsal.checks.benchmarks.methods import CONTROLS, Explanation, methods_for
from agnsal.checks.benchmarks.peers import peers_for
from agnsal.checks.benchmarks.spectral_scores import SpectralScores, judge
from agnsal.errors import AgnsalError, AgnsalWarning
from agnsal.spectra.grid import PERUZZI2021_GRID, SPEED_OF_LIGHT, WavelengthGrid
from agnsal.spectra.lines import find_line
from agnsal.spectra.sample import SpectralSample
from agnsal.spectra.simulation import instrument
from agnsal.spectra.simulation.agn import SimulationTruth, simulate_agn

#: Half-width of the causal window in km/s, wide enough for the broadest profiles.
WINDOW_VELOCITY = 8000.0
_CONTINUUM = ("power law", "Balmer continuum", "starlight")


class SpectralBenchmark:
    """Simulated AGN with a class that depends on the strength of one component of one line and on nothing else.

    Objects are those of `simulate_agn`, half type 1 and half intermediate, but the causal component (by default broad
    Hbeta) is dealt out anew among them: each object gets that of another. Continuum, starlight, Fe II, narrow lines,
    all other broad lines, redshift, signal-to-noise and sky residuals then know nothing of the class; the narrow line
    in the middle of the broad one, and correlated pixels, remain to mislead a map. An object is "strong" if the
    equivalent flux of its causal component is above the median, else "weak".

    Parameters
    ----------
    n : int
        Number of spectra; the last third is kept for testing.
    grid : WavelengthGrid
        In the rest frame, with the line and 5100 Angstrom, where spectra are normalised, on it.
    line : str
        A Balmer line on the grid.
    component : str
        Component of the simulation that is causal within 8000 km/s of the line.
    random_state : int
        Equal seeds give equal bits; one number by default, so that scores can be compared.

    Attributes
    ----------
    sample : SpectralSample
        Normalised at 5100 Angstrom, labelled "strong" or "weak"; `truth` holds the components.
    signal : ndarray, shape (n, n_bins)
        Flux of the causal component, normalised as the sample.
    strength : ndarray, shape (n,)
        Its sum over wavelength, in Angstrom.
    window : ndarray of bool, shape (n_bins,)
        Bins where the causal component can be.
    line : str
        Name of the line.

    Raises
    ------
    AgnsalError
        If the line is off the grid, or the component unknown or absent there.

    Examples
    --------
    >>> benchmark = SpectralBenchmark(60, random_state=1)
    >>> np.unique(benchmark.sample.labels, return_counts=True)[1]
    array([30, 30])
    """

    def __init__(
        self,
        n: int = 1200,
        grid: WavelengthGrid = PERUZZI2021_GRID,
        *,
        line: str = "Hbeta",
        component: str = "broad Balmer lines",
        random_state: int = 0,
    ) -> None:
        if n < 12:
            raise AgnsalError(f"a benchmark needs at least 12 spectra, got {n}.")
        found = find_line(line)
        velocity = (grid.centers.value / found.wavelength - 1) * SPEED_OF_LIGHT
        self.line, self.component = found.name, component
        self.window: NDArray[np.bool_] = np.abs(velocity) < WINDOW_VELOCITY
        if self.window.sum() < 5:
            raise AgnsalError(f"{found.name} at {found.wavelength} A is not on {grid!r}.")
        objects = simulate_agn(
            n // 2, 0, n - n // 2, grid, seed=random_state, redshift_confound=False, hidden_fraction=0.2, noise=False
        )
        if component not in objects.truth.components:
            known = ", ".join(objects.truth.components)
            raise AgnsalError(f"there is no component {component!r}; there are {known}.")
        rng = np.random.default_rng([random_state, 1])
        objects = objects[rng.permutation(n)]
        self.sample, signal = _recomposed(objects, component, self.window, rng)
        level = self.sample.table["normalization"].value
        self.signal: NDArray[np.float64] = signal / level[:, None]
        self.strength: NDArray[np.float64] = self.signal @ np.diff(grid.edges.value)
        if not (self.strength > 0).any():
            raise AgnsalError(f"{component!r} has no flux near {found.name}.")
        strong = self.strength > np.median(self.strength)
        self.sample.table["label"] = np.where(strong, "strong", "weak")

    def __repr__(self) -> str:
        return f"<SpectralBenchmark: {self.component} at {self.line}, {len(self.sample)} spectra>"

    @property
    def test_rows(self) -> NDArray[np.intp]:
        """Numbers of the spectra kept for testing."""
        return np.arange(len(self.sample) * 2 // 3, len(self.sample))

    def training_set(self) -> tuple[SpectralSample, SpectralSample]:
        """Spectra for training and for testing.

        Returns
        -------
        training, test : SpectralSample
        """
        start = self.test_rows[0]
        return self.sample[:start], self.sample[start:]

    def attribution(self, rows: Any = slice(None)) -> NDArray[np.float64]:
        """Truth at the level of pixels: causal flux in each bin above its mean over the training set.

        Parameters
        ----------
        rows : slice or array
            Which spectra.

        Returns
        -------
        ndarray, shape (n, n_bins)
            Known up to a positive factor, so compare by correlation; zero outside `window`.
        """
        return self.signal[rows] - self.signal[: self.test_rows[0]].mean(axis=0)

    def fit(self, model: Any = None, *, shuffle_labels: int | None = None) -> Any:
        """Fit a classifier to the training set.

        Parameters
        ----------
        model : estimator, optional
            By default a `ProbabilisticSVC` with an RBF kernel and C = 10.
        shuffle_labels : int, optional
            Seed with which to shuffle the labels first: the same machine, but it has learnt nothing.

        Returns
        -------
        estimator
            A fitted clone.
        """
        from sklearn.base import clone

        from agnsal.models.machine.svc import ProbabilisticSVC

        model = ProbabilisticSVC(kernel="rbf", C=10.0, random_state=0) if model is None else model
        training, _ = self.training_set()
        labels = np.asarray(training.labels)
        if shuffle_labels is not None:
            labels = np.random.default_rng(shuffle_labels).permutation(labels)
        with warnings.catch_warnings():
            if shuffle_labels is not None:  # that nothing can be learnt from them is the point
                warnings.simplefilter("ignore", AgnsalWarning)
            return clone(model).fit(training.flux, labels)

    def component_effects(self, model: Any, output: str = "log_odds") -> dict[str, float]:
        """Truth at the level of components: what replacing each by its mean does to a model's output.

        Parameters
        ----------
        model : object
            A fitted classifier.
        output : str
            Which output.

        Returns
        -------
        dict of str to float
            Root mean square change over the test set for each component of the simulation, the causal part of one
            under ``"signal"``; power law, Balmer continuum and starlight, tied together by the normalisation, go as
            one ``"continuum"``. A model that has understood changes for the signal and for little else.
        """
        from agnsal.models.differentiable import as_differentiable

        smooth = as_differentiable(model)
        rows = self.test_rows
        flux = self.sample.flux[rows]
        parts = {name: value[rows] for name, value in self.sample.truth.components.items()}
        parts["continuum"] = sum(parts.pop(name) for name in _CONTINUUM)
        before = smooth.outputs(flux, output)
        return {
            name: float(np.sqrt(((smooth.outputs(flux - part + part.mean(axis=0), output) - before) ** 2).mean()))
            for name, part in parts.items()
        }

    def score(
        self,
        model: Any,
        *,
        methods: Sequence[str] | None = None,
        output: str = "log_odds",
        n_explained: int = 100,
        controls: bool = True,
        peers: bool = False,
        seed: int = 0,
    ) -> SpectralScores:
        """Judge every method of the package on a classifier against the truth.

        Parameters
        ----------
        model : object
            A fitted classifier, for instance from `fit`.
        methods : sequence of str, optional
            Names as in `agnsal.checks.benchmarks.methods.methods_for`; by default all that serve the model.
        output : str
            What is explained: the output for "strong".
        n_explained : int
            Number of test spectra.
        controls : bool
            Judge a random map, the edges of the input, and the same machine trained on shuffled labels beside them.
        peers : bool
            Judge the methods of captum and shap as well, where these are installed.
        seed : int
            For the methods that draw.

        Returns
        -------
        SpectralScores
        """
        training, test = self.training_set()
        test = test[:n_explained]
        options = {
            "baseline": training.flux.mean(axis=0),
            "noise": 0.5 * test.flux.std(axis=0),
            "seed": seed,
            "background": training,
            "regions": 10,
        }
        asked = Explanation(model, test, "strong", output, **options)
        known = methods_for(model, methods) | (peers_for(model) if peers else {})
        maps = {name: method(asked) for name, method in known.items()}
        if controls:
            maps |= {name: control(asked) for name, control in CONTROLS.items()}
            untrained = Explanation(self.fit(model, shuffle_labels=seed), test, "strong", output, **options)
            first = next(iter(methods_for(model, methods).items()))
            maps[f"control: shuffled labels ({first[0]})"] = first[1](untrained)
        accuracy = float((np.asarray(model.predict(test.flux)) == test.labels).mean())
        rows = self.test_rows[:n_explained]
        profile = self.signal[: self.test_rows[0]].mean(axis=0)
        facts = {"accuracy": accuracy}
        return judge(maps, self.attribution(rows), profile, self.window, test.grid, self.line, facts)


def _recomposed(
    objects: SpectralSample, component: str, window: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[SpectralSample, NDArray[np.float64]]:
    """Deal the causal component out anew, observe the result and normalise it; and the causal flux."""
    table, parts = objects.truth.table, dict(objects.truth.components)
    continuum = (
        table["continuum"].value if isinstance(table["continuum"], u.Quantity) else np.asarray(table["continuum"])
    )
    own = parts[component]
    relative = np.where(window, own, 0.0) / continuum[:, None]
    signal = relative[rng.permutation(len(own))] * continuum[:, None]
    parts[component] = np.where(window, 0.0, own)
    parts["signal"] = signal
    truth = SimulationTruth(parts, table)
    seen = instrument.expose(
        truth.noiseless,
        continuum,
        objects.grid.edges.value,
        np.asarray(table["redshift"]),
        np.asarray(table["signal_to_noise"]),
        rng,
    )
    known = table["object_id", "redshift", "signal_to_noise"]
    sample = SpectralSample(
        seen.flux, objects.grid, ivar=seen.ivar, mask=seen.mask, unit=objects.unit, table=known, truth=truth
    )
    return sample.normalize(), signal
