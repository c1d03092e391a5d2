"""Which fitted estimators and transformers agnsal can differentiate, and how users add their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.models.adapters.torch import differentiable_module
from agnsal.models.model import DifferentiableModel
from agnsal.models.networks.from_torch import is_torch
from agnsal.models.networks.network import Network

EstimatorConverter = Callable[[Any], DifferentiableModel]


@dataclass(frozen=True)
class Step:
    """A fitted transformer as a function autograd can trace.

    Parameters
    ----------
    forward : callable
        From (n, n_features) to (n, n_columns), row by row, written with ``autograd.numpy``.
    n_features : int or None
        Width of the input; None if any width will do.
    training_mean : ndarray, shape (n_features,), optional
        Mean of the data it was fitted on, if it remembers that.
    invert_mean : callable, optional
        From the mean of its output to the mean of its input, for invertible affine steps.
    width : int
        Numbers an evaluation holds per spectrum.
    elementwise : bool
        Whether every column of the output depends on the same column of the input only.
    affine : bool
        Whether the output is linear in the input, up to a constant.
    """

    forward: Callable[[Any], Any]
    n_features: int | None = None
    training_mean: NDArray | None = None
    invert_mean: Callable[[NDArray], NDArray] | None = None
    width: int = 0
    elementwise: bool = False
    affine: bool = False


StepConverter = Callable[[Any], Step]

_ESTIMATORS: dict[type, EstimatorConverter] = {}
_STEPS: dict[type, StepConverter] = {}
_REFUSED: dict[str, str] = {}

# what a subclass may not redefine without becoming another function
_PREDICTING = ("predict_proba", "decision_function", "predict")
_TRANSFORMING = ("transform",)


def register_estimator(*kinds: type) -> Callable[[EstimatorConverter], EstimatorConverter]:
    """Register a function that turns a fitted estimator into a `DifferentiableModel`.

    Parameters
    ----------
    *kinds : type
        Estimator classes it serves.

    Returns
    -------
    callable
        A decorator.

    Examples
    --------
    >>> import autograd.numpy as anp
    >>> class Brightness:
    ...     n_features_in_ = 3
    >>> @register_estimator(Brightness)
    ... def brightness(estimator):
    ...     outputs = {"decision": lambda X: anp.sum(X, axis=1, keepdims=True)}
    ...     return DifferentiableModel(outputs, classes=[0], n_features=estimator.n_features_in_)
    >>> convert_estimator(Brightness()).gradient([[1.0, 2.0, 3.0]], kind="decision")
    array([[1., 1., 1.]])
    """

    def register(converter: EstimatorConverter) -> EstimatorConverter:
        _ESTIMATORS.update(dict.fromkeys(kinds, converter))
        return converter

    return register


def register_step(*kinds: type) -> Callable[[StepConverter], StepConverter]:
    """Register a function that turns a fitted transformer into a `Step`.

    Parameters
    ----------
    *kinds : type
        Transformer classes it serves.

    Returns
    -------
    callable
        A decorator.

    Examples
    --------
    >>> import autograd.numpy as anp
    >>> class Logarithm:
    ...     def fit(self, X, y=None):
    ...         return self
    ...     def transform(self, X):
    ...         return anp.log(X)
    >>> @register_step(Logarithm)
    ... def logarithm(transformer):
    ...     return Step(anp.log)
    >>> convert_step(Logarithm(), "logarithm").forward is anp.log
    True
    """

    def register(converter: StepConverter) -> StepConverter:
        _STEPS.update(dict.fromkeys(kinds, converter))
        return converter

    return register


def convert_estimator(estimator: Any) -> DifferentiableModel:
    """Convert by the registered function of its class; see `agnsal.as_differentiable`."""
    if isinstance(estimator, DifferentiableModel):
        return estimator
    own = getattr(estimator, "as_differentiable", None)
    if callable(own) and not isinstance(estimator, type):
        return _with_memory(own(), estimator)
    if is_torch(estimator):
        return _torch_module(estimator)
    converter = _find(estimator, _ESTIMATORS, _PREDICTING)
    if converter is None:
        raise AgnsalError(_refusal(estimator, f"{type(estimator).__name__}", "register_estimator"))
    _check_fitted(estimator)
    return _with_memory(converter(estimator), estimator)


def _with_memory(model: DifferentiableModel, estimator: Any) -> DifferentiableModel:
    """The model with what the estimator knows of the spectra it was fitted to."""
    for name in ("feature_names_in_", "learnt_from_"):
        known = getattr(estimator, name, None)
        if known is not None:
            setattr(model, name, known)
    return model


def _torch_module(module: Any) -> DifferentiableModel:
    """By its layers where all are known, else by torch's own derivative."""
    try:
        return Network.from_torch(module).as_differentiable()
    except AgnsalError as unknown:
        try:
            return differentiable_module(module)
        except AgnsalError as error:
            raise AgnsalError(f"{error} ({unknown})") from unknown


def convert_step(transformer: Any, name: str) -> Step:
    """Convert a fitted transformer by the registered function of its class.

    Parameters
    ----------
    transformer : object
        Fitted; None or "passthrough" change nothing.
    name : str
        Its name in the pipeline, for the error message.

    Returns
    -------
    Step

    Raises
    ------
    AgnsalError
        If it is not fitted, or not differentiable.
    """
    if transformer is None or transformer == "passthrough":
        return Step(lambda X: X, invert_mean=lambda mean: mean, elementwise=True, affine=True)
    converter = _find(transformer, _STEPS, _TRANSFORMING)
    if converter is None:
        raise AgnsalError(_refusal(transformer, f"step {name!r} ({type(transformer).__name__})", "register_step"))
    _check_fitted(transformer)
    return converter(transformer)


def _find(thing: Any, table: dict[type, Any], methods: tuple[str, ...]) -> Any:
    """The converter of the nearest registered class whose methods it has not redefined."""
    for ancestor in type(thing).__mro__:
        if ancestor in table:
            same = all(getattr(type(thing), m, None) is getattr(ancestor, m, None) for m in methods)
            return table[ancestor] if same or ancestor is type(thing) else None
    return None


def _check_fitted(thing: Any) -> None:
    from sklearn.base import BaseEstimator
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    if not isinstance(thing, BaseEstimator):
        return
    try:
        check_is_fitted(thing)
    except NotFittedError as error:
        raise AgnsalError(f"this {type(thing).__name__} is not fitted yet; call fit first.") from error


def _refusal(thing: Any, called: str, remedy: str) -> str:
    reason = next((_REFUSED[c.__name__] for c in type(thing).__mro__ if c.__name__ in _REFUSED), None)
    if reason:
        return f"{called} cannot be differentiated: {reason}. Explain the whole model with `occlusion` instead."
    return (
        f"{called} is not known to be differentiable. Explain the model with `occlusion`, which only needs its "
        f"predictions, or register its function with agnsal.models.differentiable.{remedy}."
    )


_TREES = "its prediction is constant between jumps, so the gradient is zero wherever it exists"
_NEIGHBOURS = "its prediction jumps where the set of nearest neighbours changes"
_REFUSED.update(
    dict.fromkeys(
        (
            "BaseDecisionTree",
            "BaseForest",
            "BaseGradientBoosting",
            "BaseHistGradientBoosting",
            "BaggingClassifier",
            "BaggingRegressor",
            "AdaBoostClassifier",
            "AdaBoostRegressor",
            "IsotonicRegression",
            "Binarizer",
            "KBinsDiscretizer",
            "OrdinalEncoder",
            "OneHotEncoder",
            "BernoulliNB",
        ),
        _TREES,
    )
)
_REFUSED.update(dict.fromkeys(("NeighborsBase", "NearestCentroid", "KNNImputer"), _NEIGHBOURS))
_REFUSED["QuantileTransformer"] = "it is a staircase of quantiles, whose gradient is that of the interpolation only"
