"""`ExplanationRegularizedMLP`: a perceptron that is told which wavelengths must not count."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal

import autograd.numpy as anp
import numpy as np
from autograd import value_and_grad
from autograd.tracer import getval
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from agnsal.errors import AgnsalError, one_of
from agnsal.models.networks.network import Network
from agnsal.models.validation import as_learnt, refuse_units_and_masks, spectra_and_labels
from agnsal.seeds import Seed, seed_of
from agnsal.spectra.origin import Origin
from agnsal.spectra.regions import Regions
from agnsal.spectra.sample import SpectralSample
from agnsal.training.optimization import adam, epochs, initial, unpack
from agnsal.training.penalties import PENALTIES, logits

if TYPE_CHECKING:
    from agnsal.models.model import DifferentiableModel


class ExplanationRegularizedMLP(ClassifierMixin, BaseEstimator):
    """A ReLU perceptron trained with a penalty on the use of wavelengths that must not count.

    It minimises the cross-entropy plus `strength` times the penalty, by Adam. Judge it only by what happens when the
    forbidden wavelengths are flipped or removed in spectra it has not seen (`agnsal.training.reliance`): CDEP can be
    satisfied while a decoy is fully used. Occlusion and RRR are recommended. Standardise the spectra before.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int
        Units of the hidden layers.
    penalty : {"occlusion", "rrr", "cdep_l1", "cdep_symmetric", "cdep_softmax"} or None
        What is penalised; see `agnsal.training.penalties`. None for the cross-entropy alone.
    strength : float
        Weight of the penalty.
    learning_rate : float
        Of Adam.
    batch_size : int
        Spectra in a step.
    max_epochs : int
        Times that all spectra are seen.
    weight_decay : float
        Weight of half the squared norm of the weights (not the biases).
    early_stopping : bool
        Hold spectra out, stop when the loss on them (penalty included) has not fallen for `patience` epochs, and keep
        the best parameters. The held-out spectra have the decoy too: they do not tell whether it is used.
    validation_fraction : float
        Share held out.
    patience : int
        Epochs.
    random_state : int, RandomState, Generator or None
        For the initial weights, the batches and what is held out.
    progress : bool
        Show a progress bar.

    Attributes
    ----------
    network_ : Network
        What was learned; its outputs are one logit for each class.
    classes_ : ndarray, shape (n_classes,)
        Labels.
    n_features_in_ : int
        Number of wavelengths.
    training_mean_ : ndarray, shape (n_features,)
        Mean of the spectra, the default baseline of the methods that need one.
    learnt_from_ : Origin or None
        Grid, unit and normalisation of the sample it was fitted to; other samples must be alike.
    n_epochs_ : int
        Epochs done.
    loss_curve_, penalty_curve_ : list of float
        Mean loss, and mean penalty without its strength, of each epoch.
    validation_curve_ : list of float
        Loss on what was held out.

    References
    ----------
    Rieger et al. 2020, arXiv:1909.13584; Ross et al. 2017, arXiv:1703.03717.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=400)
    >>> X = rng.normal(size=(400, 5))
    >>> X[:, 0] += y  # the line
    >>> X[:, 4] = 3.0 * y + 0.1 * X[:, 4]  # a decoy that gives the class away
    >>> decoy = np.array([False, False, False, False, True])
    >>> flipped = X.copy()
    >>> flipped[:, 4] = 3.0 - flipped[:, 4]
    >>> cheat = ExplanationRegularizedMLP((8,), batch_size=32, random_state=0).fit(X, y)
    >>> cured = ExplanationRegularizedMLP((8,), batch_size=32, penalty="occlusion", random_state=0).fit(X, y, decoy)
    >>> print(f"{cheat.score(flipped, y):.2f}, {cured.score(flipped, y):.2f}")
    0.00, 0.58
    """

    def __init__(
        self,
        hidden_layer_sizes: tuple[int, ...] = (32, 16),
        *,
        penalty: Literal["occlusion", "rrr", "cdep_l1", "cdep_symmetric", "cdep_softmax"] | None = None,
        strength: float = 1.0,
        learning_rate: float = 3e-3,
        batch_size: int = 128,
        max_epochs: int = 40,
        weight_decay: float = 0.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 10,
        random_state: Seed = None,
        progress: bool = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.penalty = penalty
        self.strength = strength
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state
        self.progress = progress

    def fit(
        self, X: SpectralSample | ArrayLike, y: ArrayLike | None = None, mask: Regions | ArrayLike | None = None
    ) -> ExplanationRegularizedMLP:
        """Train.

        Parameters
        ----------
        X : SpectralSample or array_like, shape (n, n_features)
            Spectra, standardised.
        y : array_like, shape (n,), optional
            Labels; by default those of the sample.
        mask : Regions or array_like of bool, shape (n_features,) or (n, n_features), optional
            Regions that must not count; or True where a wavelength must not, for all spectra or for each. Needed with
            a penalty.

        Returns
        -------
        ExplanationRegularizedMLP

        Raises
        ------
        AgnsalError
            If a parameter makes no sense, or the mask is missing or does not fit.
        """
        self.learnt_from_ = Origin.of(X)
        checked: tuple[NDArray[Any], NDArray[Any]] = validate_data(self, *spectra_and_labels(X, y), dtype=np.float64)
        spectra, y = checked
        check_classification_targets(y)
        self._check_parameters()
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise AgnsalError("a classifier needs at least two classes; the labels hold one class only.")
        forbidden = self._checked_mask(mask, spectra.shape)
        random = check_random_state(seed_of(self.random_state))
        sizes = (spectra.shape[1], *np.ravel(self.hidden_layer_sizes).astype(int), len(self.classes_))
        parameters, shapes = initial(sizes, random), list(zip(sizes[1:], sizes[:-1], strict=True))
        onehot = np.eye(len(self.classes_))[codes]
        train, held_out = self._held_out(codes, random)

        def loss(vector: Any, rows: NDArray[np.intp]) -> Any:
            layers = unpack(vector, shapes)
            f = logits(layers, spectra[rows])
            top = anp.max(f, axis=1, keepdims=True)
            log_sum = top[:, 0] + anp.log(anp.sum(anp.exp(f - top), axis=1))
            total = anp.mean(log_sum - anp.sum(f * onehot[rows], axis=1))
            if self.weight_decay:
                total = total + 0.5 * self.weight_decay * sum(anp.sum(weight**2) for weight, _ in layers)
            if forbidden is not None:
                value = PENALTIES[str(self.penalty)](layers, spectra[rows], forbidden[rows])
                seen.append(float(getval(value)))
                total = total + self.strength * value
            return total

        seen: list[float] = []
        self.loss_curve_, self.penalty_curve_, self.validation_curve_ = [], [], []
        step, best, waited = adam(value_and_grad(loss), self.learning_rate), (np.inf, parameters), 0
        for _ in epochs(self.max_epochs, self.progress):
            seen.clear()
            order = train[random.permutation(len(train))]
            losses = []
            for start in range(0, len(order), self.batch_size):
                value, parameters = step(parameters, order[start : start + self.batch_size])
                losses.append(value)
            if not np.isfinite(losses[-1]):
                raise AgnsalError("the training diverged; standardise the spectra, or lower learning_rate or strength.")
            self.loss_curve_.append(float(np.mean(losses)))
            self.penalty_curve_.append(float(np.mean(seen)) if seen else 0.0)
            if held_out.size:
                now = float(loss(parameters, held_out))
                self.validation_curve_.append(now)
                best, waited = ((now, parameters), 0) if now < best[0] else (best, waited + 1)
                if waited >= self.patience:
                    break
        self.n_epochs_, self.training_mean_ = len(self.loss_curve_), spectra.mean(axis=0)
        layers = unpack(best[1] if held_out.size else parameters, shapes)
        self.network_ = Network.dense(*zip(*layers, strict=True), classes=self.classes_)
        return self

    def _held_out(
        self, codes: NDArray[Any], random: np.random.RandomState
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Spectra to train on, and those held out: a share of each class."""
        everything = np.arange(len(codes))
        if not self.early_stopping:
            return everything, everything[:0]
        parts = []
        for code in np.unique(codes):
            members = random.permutation(np.flatnonzero(codes == code))
            if len(members) > 1:
                parts.append(members[: max(1, round(self.validation_fraction * len(members)))])
        if not parts:
            raise AgnsalError("early stopping needs a class of at least two spectra, to hold one out.")
        held_out = np.concatenate(parts)
        return np.setdiff1d(everything, held_out), held_out

    def _check_parameters(self) -> None:
        one_of("penalty", self.penalty, (None, *PENALTIES))
        for name in ("batch_size", "max_epochs", "patience"):
            value = getattr(self, name)
            if not isinstance(value, Integral) or value < 1:
                raise AgnsalError(f"{name} must be a whole number of at least 1, got {value!r}.")
        for name in ("strength", "weight_decay", "learning_rate"):
            value = getattr(self, name)
            if (
                not isinstance(value, Real)
                or not 0 <= float(value) < np.inf
                or (name == "learning_rate" and value == 0)
            ):
                raise AgnsalError(f"{name} must be a finite number that is not negative, got {value!r}.")
        if not 0 < self.validation_fraction < 1:
            raise AgnsalError(f"validation_fraction must be between 0 and 1, got {self.validation_fraction!r}.")

    def _checked_mask(self, mask: Any, shape: tuple[int, int]) -> NDArray[np.float64] | None:
        """The mask as numbers, or None where there is no penalty."""
        if self.penalty is None:
            if mask is not None:
                raise AgnsalError("a mask was given but penalty is None; choose a penalty, for instance 'occlusion'.")
            return None
        if mask is None:
            raise AgnsalError(f"penalty {self.penalty!r} needs to know what must not count: fit(X, y, mask).")
        given = mask.covered if isinstance(mask, Regions) else np.asarray(mask)
        if given.dtype != bool or given.shape not in (shape, shape[1:]):
            raise AgnsalError(
                f"mask must be boolean, of shape ({shape[1]},) or {shape}, got {given.dtype} of shape {given.shape}."
            )
        return np.broadcast_to(given, shape).astype(np.float64)

    def decision_function(self, X: SpectralSample | ArrayLike) -> NDArray[np.float64]:
        """Logits.

        Parameters
        ----------
        X : SpectralSample or array_like, shape (n, n_features)
            Spectra.

        Returns
        -------
        ndarray, shape (n, n_classes), or (n,) for two classes: the second less the first
        """
        check_is_fitted(self)
        f = self.network_.forward(validate_data(self, self._plain(X), dtype=np.float64, reset=False))
        return f[:, 1] - f[:, 0] if f.shape[1] == 2 else f

    def predict_proba(self, X: SpectralSample | ArrayLike) -> NDArray[np.float64]:
        """Probability of each class.

        Parameters
        ----------
        X : SpectralSample or array_like, shape (n, n_features)
            Spectra.

        Returns
        -------
        ndarray, shape (n, n_classes)
        """
        f = self.decision_function(X)
        if f.ndim == 1:
            f = np.stack([-0.5 * f, 0.5 * f], axis=1)
        e = np.exp(f - f.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def predict(self, X: SpectralSample | ArrayLike) -> NDArray[Any]:
        """Most probable class.

        Parameters
        ----------
        X : SpectralSample or array_like, shape (n, n_features)
            Spectra.

        Returns
        -------
        ndarray, shape (n,)
        """
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def _plain(self, X: Any) -> Any:
        """The flux of a sample; anything else for scikit-learn to judge, as long as no unit or mask gets lost."""
        if isinstance(X, SpectralSample):
            return as_learnt(self, X)
        refuse_units_and_masks(X)
        return X

    def as_differentiable(self) -> DifferentiableModel:
        """Make the model that the attribution methods explain.

        Returns
        -------
        DifferentiableModel
        """
        check_is_fitted(self)
        model = self.network_.as_differentiable()
        model.baseline_mean = self.training_mean_
        return model
