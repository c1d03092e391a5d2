"""A benchmark with a known answer: additive piecewise-linear functions of correlated inputs."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agnsal.attribution.methods import every_method
from agnsal.attribution.question.methods import Answers
from agnsal.checks.benchmarks.methods import Explanation, methods_for, random_control
from agnsal.checks.benchmarks.peers import peers_for
from agnsal.checks.scoring import BenchmarkScores
from agnsal.errors import AgnsalError
from agnsal.models.networks.network import Network

Interaction = tuple[Any, Any, float]
_CHUNK = 20_000


class PiecewiseLinearBenchmark:
    """Inputs, targets and the true attribution of every input: a test no method can argue with.

    Inputs are Gaussian with a given correlation matrix. Every feature i has a continuous piecewise-linear function
    C_i with C_i(0) = 0 and `n_breaks` break points, one of them 0; the others are quantiles drawn from a Gaussian
    copula with the same correlation, and so is the slope of each piece over the features. The target is
    ``y = (1/d) sum_i C_i(x_i)``, the truth ``C_i(x_i) / d``.

    Parameters
    ----------
    n_features : int
        d; taken from `correlation` where that is given.
    n_breaks : int
        K, at least 1.
    correlation : array_like, shape (d, d), optional
        By default ``exp(-|i - j| / 4)``. Give the correlation of real, standardised spectra to be closer to them.
    n_samples : int
        Number of inputs; the last sixth is kept for testing.
    interactions : iterable of (a, b, weight)
        Adds ``weight C_a C_b / d`` to y; a and b are features, or groups of features with C summed over each. A term
        is shared equally between its two sides, which is its Shapley value.
    random_state : int or Generator
        Equal seeds give equal benchmarks; one number by default, so that scores can be compared.

    Attributes
    ----------
    X, y : ndarray, shape (n_samples, d) and (n_samples,), or None
        Inputs and targets; None after `from_parts`.
    edges : ndarray, shape (d, K + 2)
        Break points of each feature in order, with -inf and inf at the ends.
    slopes : ndarray, shape (d, K + 1)
        Slope of each piece.
    correlation : ndarray, shape (d, d), or None

    Raises
    ------
    AgnsalError
        If the correlation is not a positive definite matrix with unit diagonal, or numbers make no sense.

    References
    ----------
    Mamalakis, Ebert-Uphoff & Barnes 2022, Environ. Data Sci. 1, e8, arXiv:2103.10005.

    Examples
    --------
    >>> benchmark = PiecewiseLinearBenchmark(10, n_samples=100)
    >>> truth = benchmark.attribution(benchmark.X)
    >>> bool(np.allclose(truth.sum(axis=1), benchmark.y))
    True
    """

    def __init__(
        self,
        n_features: int = 40,
        n_breaks: int = 5,
        *,
        correlation: ArrayLike | None = None,
        n_samples: int = 60_000,
        interactions: Iterable[Interaction] = (),
        random_state: Any = 0,
    ) -> None:
        from scipy.special import ndtr

        if n_breaks < 1 or n_samples < 12 or (correlation is None and n_features < 2):
            raise AgnsalError(
                f"at least 2 features, 1 break point and 12 samples are needed, got {n_features}, {n_breaks} and "
                f"{n_samples}."
            )
        if correlation is None:
            place = np.arange(n_features)
            correlation = np.exp(-np.abs(place[:, None] - place) / 4)
        self.correlation: NDArray[np.float64] | None = np.asarray(correlation, dtype=np.float64)
        root = _cholesky(self.correlation)
        rng = np.random.default_rng(random_state)
        d = len(root)
        self.X: NDArray[np.float64] | None = rng.standard_normal((n_samples, d)) @ root.T
        quantiles = ndtr(rng.standard_normal((n_breaks - 1, d)) @ root.T)
        breaks = np.zeros((d, n_breaks))
        for j in range(d):
            breaks[j, 1:] = np.quantile(self.X[:, j], quantiles[:, j])
        ends = np.full((d, 1), np.inf)
        self._set(
            np.hstack([-ends, np.sort(breaks, axis=1), ends]),
            (rng.standard_normal((n_breaks + 1, d)) @ root.T).T,
            interactions,
        )
        self.y: NDArray[np.float64] | None = self.predict(self.X)

    @classmethod
    def from_parts(
        cls,
        edges: ArrayLike,
        slopes: ArrayLike,
        *,
        correlation: ArrayLike | None = None,
        interactions: Iterable[Interaction] = (),
    ) -> PiecewiseLinearBenchmark:
        """Rebuild given functions.

        Parameters
        ----------
        edges : array_like, shape (d, K + 2)
            Ascending, with -inf and inf at the ends.
        slopes : array_like, shape (d, K + 1)
            Slope of each piece.
        correlation : array_like, shape (d, d), optional
            Needed for `draw`.
        interactions : iterable of (a, b, weight)
            See the class.

        Returns
        -------
        PiecewiseLinearBenchmark
            Without inputs of its own.

        Raises
        ------
        AgnsalError
            If shapes do not fit, or the edges are not in order.

        Examples
        --------
        >>> benchmark = PiecewiseLinearBenchmark.from_parts([[-np.inf, 0.0, np.inf]], [[-1.0, 2.0]])
        >>> benchmark.predict([[-3.0], [3.0]])
        array([3., 6.])
        """
        self = cls.__new__(cls)
        self.correlation = None if correlation is None else np.asarray(correlation, dtype=np.float64)
        self.X = self.y = None
        self._set(np.asarray(edges, dtype=np.float64), np.asarray(slopes, dtype=np.float64), interactions)
        return self

    def _set(self, edges: NDArray[Any], slopes: NDArray[Any], interactions: Iterable[Interaction]) -> None:
        if edges.ndim != 2 or slopes.shape != (edges.shape[0], edges.shape[1] - 1):
            raise AgnsalError(f"edges must be (d, K + 2) and slopes (d, K + 1), got {edges.shape} and {slopes.shape}.")
        if not ((edges[:, 0] == -np.inf) & (edges[:, -1] == np.inf)).all() or not np.isfinite(edges[:, 1:-1]).all():
            raise AgnsalError("edges must start with -inf and end with inf, with finite break points between.")
        if (edges[:, 1:] < edges[:, :-1]).any() or not np.isfinite(slopes).all():
            raise AgnsalError("the edges of each feature must ascend and the slopes be finite.")
        self.edges, self.slopes = edges, slopes
        d = len(edges)
        self.interactions: tuple[tuple[NDArray[Any], NDArray[Any], float], ...] = tuple(
            (_members(a, d), _members(b, d), float(weight)) for a, b, weight in interactions
        )

    @property
    def n_features(self) -> int:
        """Number of features, d."""
        return len(self.edges)

    def __repr__(self) -> str:
        pieces = f"{self.n_features} features, {self.slopes.shape[1]} pieces"
        return f"<PiecewiseLinearBenchmark: {pieces}, {0 if self.X is None else len(self.X)} inputs>"

    def draw(self, n: int, random_state: Any = None) -> NDArray[np.float64]:
        """Draw new inputs.

        Parameters
        ----------
        n : int
            How many.
        random_state : int or Generator, optional
            Seeds them.

        Returns
        -------
        ndarray, shape (n, d)

        Raises
        ------
        AgnsalError
            If the correlation is not known.
        """
        if self.correlation is None:
            raise AgnsalError("the correlation of the inputs is not known; give it to from_parts.")
        return np.random.default_rng(random_state).standard_normal((n, self.n_features)) @ _cholesky(self.correlation).T

    def contributions(self, X: ArrayLike) -> NDArray[np.float64]:
        """C_i(x_i) of each feature, without interactions: the sum over pieces of slope times overlap with [0, x].

        Parameters
        ----------
        X : array_like, shape (n, d)
            Inputs.

        Returns
        -------
        ndarray, shape (n, d)
        """
        matrix = self._checked(X)
        total = np.zeros(matrix.shape)
        for low, high, slope in zip(self.edges.T[:-1], self.edges.T[1:], self.slopes.T, strict=True):
            total += slope * (np.clip(matrix, low, high) - np.clip(0.0, low, high))
        return total

    def attribution(self, X: ArrayLike) -> NDArray[np.float64]:
        """Truth: what each feature contributes to y.

        Parameters
        ----------
        X : array_like, shape (n, d)
            Inputs.

        Returns
        -------
        ndarray, shape (n, d)
            C_i / d, and half of each interaction's term on either side; the rows sum to `predict`.
        """
        C = self.contributions(X)
        total = C.copy()
        for a, b, weight in self.interactions:
            total[:, a] += 0.5 * weight * C[:, a] * C[:, b].sum(axis=1, keepdims=True)
            total[:, b] += 0.5 * weight * C[:, b] * C[:, a].sum(axis=1, keepdims=True)
        return total / self.n_features

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Target of given inputs.

        Parameters
        ----------
        X : array_like, shape (n, d)
            Inputs.

        Returns
        -------
        ndarray, shape (n,)
        """
        matrix = self._checked(X)
        parts = [
            self.attribution(matrix[start : start + _CHUNK]).sum(axis=1) for start in range(0, len(matrix), _CHUNK)
        ]
        return np.concatenate(parts) if parts else np.zeros(0)

    def slope(self, X: ArrayLike) -> NDArray[np.float64]:
        """Slope dC_i/dx_i of the piece each input lies on; without interactions d times the gradient of y.

        Parameters
        ----------
        X : array_like, shape (n, d)
            Inputs.

        Returns
        -------
        ndarray, shape (n, d)
            On a break point that of the piece above it.
        """
        matrix = self._checked(X)
        piece = np.zeros(matrix.shape, dtype=np.intp)
        for edge in self.edges.T[1:-1]:
            piece += edge <= matrix
        return self.slopes[np.arange(self.n_features), piece]

    def training_set(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Inputs and targets for training (five sixths) and testing.

        Returns
        -------
        X_train, y_train, X_test, y_test : ndarray

        Raises
        ------
        AgnsalError
            If the benchmark has no inputs of its own.
        """
        if self.X is None or self.y is None:
            raise AgnsalError("a benchmark made from parts has no inputs; draw() some and predict() their targets.")
        n = len(self.X) * 5 // 6
        return self.X[:n], self.y[:n], self.X[n:], self.y[n:]

    def fit(
        self,
        hidden_layer_sizes: Sequence[int] = (128, 64, 32),
        *,
        epochs: tuple[int, int] = (40, 15),
        batch_size: int = 200,
        random_state: int | None = 0,
    ) -> Network:
        """Train a network with ReLU on the training set, with scikit-learn.

        Parameters
        ----------
        hidden_layer_sizes : sequence of int
            Widths of the hidden layers.
        epochs : (int, int)
            Epochs of Adam at a learning rate of 1e-3, then at 1e-4.
        batch_size : int
            Inputs a step.
        random_state : int, optional
            Seeds weights and order; one number by default, so that scores can be compared.

        Returns
        -------
        Network
            One output, in the unit of y.
        """
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPRegressor

        X, y, _, _ = self.training_set()
        scale = y.std()
        perceptron = MLPRegressor(
            hidden_layer_sizes=tuple(hidden_layer_sizes),
            batch_size=min(batch_size, len(X)),
            warm_start=True,
            tol=0.0,
            n_iter_no_change=sum(epochs) + 1,
            random_state=random_state,
        )
        with warnings.catch_warnings():  # the number of epochs is what was asked for
            warnings.simplefilter("ignore", ConvergenceWarning)
            for n_epochs, rate in zip(epochs, (1e-3, 1e-4), strict=True):
                perceptron.set_params(max_iter=n_epochs, learning_rate_init=rate).fit(X, y / scale)
        *hidden, last = perceptron.coefs_
        *biases, offset = perceptron.intercepts_
        return Network.dense([W.T for W in [*hidden, scale * last]], [*biases, scale * offset])

    def score(
        self,
        network: Network,
        *,
        methods: Sequence[str] | None = None,
        n_explained: int = 500,
        peers: bool = False,
        seed: int = 0,
    ) -> BenchmarkScores:
        """Judge every method of the package on a trained network against the truth.

        Methods that share out the output are judged against the contribution C_i / d. Gradients are judged against it
        as the paper did, and against the slope, which is their fair truth. Methods that keep one sign are judged
        against the positive part and the absolute value as well. Beside them stand input x weight of a linear model,
        with and without intercept, and a random map.

        Parameters
        ----------
        network : Network
            With one output, for instance from `fit`.
        methods : sequence of str, optional
            Names as in `agnsal.checks.benchmarks.methods.methods_for`; by default all.
        n_explained : int
            Number of test inputs to explain.
        peers : bool
            Judge the methods of captum and shap as well, where these are installed.
        seed : int
            For the methods that draw.

        Returns
        -------
        BenchmarkScores
            With ``facts``: R2 of the network and of the linear models on the test inputs.
        """
        from sklearn.linear_model import LinearRegression
        from sklearn.metrics import r2_score

        X_train, y_train, X_test, y_test = self.training_set()
        X = X_test[:n_explained]
        asked = Explanation(network, X, None, "decision", baseline="zero", noise=1.0, background=X_train, seed=seed)
        known = methods_for(network, methods) | (peers_for(network) if peers else {})
        maps = {name: method(asked) for name, method in known.items()}
        facts = {"r2": float(r2_score(y_test, network.forward(X_test)[:, 0]))}
        for name, intercept in (("linear model", True), ("linear model, no intercept", False)):
            linear = LinearRegression(fit_intercept=intercept).fit(X_train, y_train)
            maps[name] = X * linear.coef_
            facts[f"r2 {name}"] = float(linear.score(X_test, y_test))
        maps["control: random"] = random_control(asked)
        C = self.attribution(X)
        truths = {
            "contribution": C,
            "positive contribution": np.maximum(C, 0.0),
            "absolute contribution": np.abs(C),
            "slope": self.slope(X),
        }
        sign = np.sign(network.forward(X)[:, 0])
        answers = {title: method.answers for method in every_method(network=True) for title in method.judged}
        judged = {name: _fair(answers.get(name), values) for name, values in maps.items()}
        return BenchmarkScores(maps, truths, judged, sign, facts)

    def _checked(self, X: Any) -> NDArray[np.float64]:
        matrix = np.asarray(X, dtype=np.float64)
        if matrix.ndim != 2 or matrix.shape[1] != self.n_features:
            raise AgnsalError(f"inputs are expected as (n, {self.n_features}), got shape {matrix.shape}.")
        return matrix


def _cholesky(correlation: NDArray[Any]) -> NDArray[np.float64]:
    d = len(correlation)
    if (
        correlation.shape != (d, d)
        or not np.allclose(np.diag(correlation), 1)
        or not np.allclose(correlation, correlation.T)
    ):
        raise AgnsalError(f"correlation must be a symmetric matrix with ones on its diagonal, got {correlation.shape}.")
    try:
        return np.linalg.cholesky(correlation)
    except np.linalg.LinAlgError as error:
        raise AgnsalError("correlation must be positive definite; add a little to its diagonal.") from error


def _members(group: Any, d: int) -> NDArray[np.intp]:
    """Features of one side of an interaction."""
    array = np.atleast_1d(np.asarray(group))
    found = np.flatnonzero(array) if array.dtype == bool and array.shape == (d,) else array
    if found.dtype.kind not in "iu" or found.size == 0 or found.min() < 0 or found.max() >= d:
        raise AgnsalError(f"an interaction is between features 0 to {d - 1}, got {group!r:.80}.")
    return found.astype(np.intp)


def _fair(answers: Answers | None, values: NDArray[np.float64]) -> tuple[str, ...]:
    """Which truths a map is judged against: by what it answers, and whether it keeps one sign."""
    if answers == "gradient":
        return ("contribution", "slope")
    if (values.min(axis=1) * values.max(axis=1) >= 0).all():
        return ("contribution", "positive contribution", "absolute contribution")
    return ("contribution",)
