"""One protocol for every classifier that can be differentiated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from autograd import make_vjp
from autograd.tracer import isbox
from numpy.typing import ArrayLike, NDArray

from agnsal.errors import AgnsalError, one_of, real_numbers
from agnsal.models.machine.coupling import class_pairs
from agnsal.models.machine.kernels import single_precision
from agnsal.models.structure import Structure
from agnsal.models.validation import as_learnt, refuse_units_and_masks
from agnsal.spectra.origin import Origin

KINDS = ("probability", "log_odds", "decision", "pairwise", "prediction")
_PRECISIONS = ("double", "single")

#: The target that stands for whichever column has the largest value.
LARGEST = object()


class DifferentiableModel:
    """A fitted classifier or regressor as smooth functions of the spectrum, with their gradients.

    Made by `as_differentiable`; make one yourself from any functions written with ``autograd.numpy``.

    Parameters
    ----------
    outputs : mapping of str to callable
        For each kind of output ("probability", "log_odds", "decision", "pairwise"; of a regressor "prediction") a
        function from (n, n_features) to (n, n_columns) in which every row depends on its own spectrum only, traceable
        by autograd.
    classes : array, shape (n_classes,)
        Labels of the columns; of regressors and networks ``0 .. n_outputs - 1``.
    n_features : int
        Number of wavelengths.
    baseline_mean : array, shape (n_features,), optional
        The training mean, where it is known.
    width : int
        Numbers an evaluation holds per spectrum beside the spectrum itself (for instance support vectors); it sets
        the batches.
    predict : callable, optional
        The estimator's own rule from spectra to labels; by default the largest probability or decision value.
    structure : Structure, optional
        What the outputs are made of, where they are functions of sums of products over features.

    Attributes
    ----------
    kinds : tuple of str
        The kinds of output it has.
    classes_, n_features, baseline_mean, structure
        As above.
    feature_names_in_ : array of str or None
        Names of the columns the estimator was fitted with.
    learnt_from_ : Origin or None
        Grid, unit and normalisation of the sample the estimator was fitted to.

    Examples
    --------
    >>> import autograd.numpy as anp
    >>> model = DifferentiableModel({"decision": lambda X: anp.sin(X)}, classes=[0, 1], n_features=2)
    >>> model.gradient(np.zeros((1, 2)), target=1, output="decision")
    array([[0., 1.]])
    """

    def __init__(
        self,
        outputs: Mapping[str, Callable[[Any], Any]],
        classes: ArrayLike,
        n_features: int,
        *,
        baseline_mean: NDArray[np.float64] | None = None,
        width: int = 0,
        predict: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
        structure: Structure | None = None,
    ) -> None:
        unknown = set(outputs) - set(KINDS)
        if unknown or not outputs:
            raise AgnsalError(f"outputs must be some of {', '.join(KINDS)}, got {sorted(outputs)}.")
        self._outputs = dict(outputs)
        self._predict = predict
        self.kinds = tuple(kind for kind in KINDS if kind in outputs)
        self.classes_ = np.asarray(classes)
        self.n_features = int(n_features)
        self.baseline_mean = baseline_mean
        self.width = int(width)
        self.structure = structure
        self.feature_names_in_: NDArray[Any] | None = None
        self.learnt_from_: Origin | None = None

    @classmethod
    def of_structure(
        cls,
        structure: Structure,
        classes: ArrayLike,
        *,
        baseline_mean: NDArray[np.float64] | None = None,
        predict: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
    ) -> DifferentiableModel:
        """Make a model of its structure.

        Parameters
        ----------
        structure : Structure
            Gives the outputs.
        classes, baseline_mean, predict
            As in `DifferentiableModel`.

        Returns
        -------
        DifferentiableModel
        """
        return cls(
            structure.outputs(),
            classes,
            structure.n_features,
            baseline_mean=baseline_mean,
            width=structure.width,
            predict=predict,
            structure=structure,
        )

    def __repr__(self) -> str:
        many = f"{self.classes_.size} {'outputs' if self.is_regressor else 'classes'}"
        return f"<DifferentiableModel: {self.n_features} features, {many}, {', '.join(self.kinds)}>"

    def outputs(
        self, X: Any, output: str = "probability", *, precision: str = "double", kind: str | None = None
    ) -> Any:
        """Values of one output, traceable by autograd.

        Parameters
        ----------
        X : SpectralSample or array, shape (n, n_features)
            Spectra.
        output : {"probability", "log_odds", "decision", "pairwise", "prediction"}
            What to evaluate. Log-odds are those of a class against all others; the decision of two classes is
            ``(-f, f)``; "pairwise" has one column per pair of classes, positive for the first. A regressor has one
            output, its "prediction", which "probability" (the default) and "decision" mean too.
        precision : {"double", "single"}
            Single precision evaluates kernel matrices in float32: faster, with relative errors near 1e-5.
        kind : str, optional
            Another name for `output`.

        Returns
        -------
        ndarray, shape (n, n_classes), or (n, n_pairs) for "pairwise"

        Raises
        ------
        AgnsalError
            If the model has no such output, or X carries a unit, a mask or the wrong number of features.
        """
        function = self.function(output, kind=kind)
        with single_precision(_is_single(precision)):
            if isbox(X):
                return function(X)
            X = self._checked(X)
            step = self._batch_size(None, 256.0)
            if len(X) <= step:
                return function(X)
            return np.concatenate([function(X[start : start + step]) for start in range(0, len(X), step)])

    def gradient(
        self,
        X: ArrayLike,
        target: Any = None,
        output: str = "probability",
        *,
        batch_size: int | None = None,
        max_memory: float = 256.0,
        precision: str = "double",
        kind: str | None = None,
    ) -> NDArray[np.float64]:
        """Gradient of one output per spectrum with respect to the spectrum.

        Parameters
        ----------
        X : SpectralSample or array, shape (n, n_features)
            Spectra.
        target : label, array of labels (n,), pair of labels, or None
            The class of each row; for "pairwise" a pair ``(a, b)`` or (n, 2) of them, positive towards `a`. None is
            enough for a model with one output.
        output : str
            See `outputs`.
        batch_size : int, optional
            Spectra at once; by default what fits in `max_memory`, at most 512.
        max_memory : float
            MiB for the intermediate arrays of a batch.
        precision : {"double", "single"}
            See `outputs`.
        kind : str, optional
            Another name for `output`.

        Returns
        -------
        ndarray, shape (n, n_features)

        Raises
        ------
        AgnsalError
            If the target is not a class of the model, or see `outputs`.
        """
        return self.outputs_and_gradient(
            X, target, output, batch_size=batch_size, max_memory=max_memory, precision=precision, kind=kind
        )[1]

    def outputs_and_gradient(
        self,
        X: ArrayLike,
        target: Any = None,
        output: str = "probability",
        *,
        batch_size: int | None = None,
        max_memory: float = 256.0,
        precision: str = "double",
        kind: str | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Values of every class and the gradient of one, for little more than the gradient alone.

        Parameters
        ----------
        X, target, output, batch_size, max_memory, precision, kind
            See `gradient`; `target` may also be `LARGEST`: the column with the largest value.

        Returns
        -------
        outputs : ndarray, shape (n, n_classes) or (n, n_pairs)
            See `outputs`.
        gradient : ndarray, shape (n, n_features)
            Of those asked for.
        weights : ndarray, shape (n, n_classes) or (n, n_pairs)
            What selected them, see `weights`.

        Raises
        ------
        AgnsalError
            See `gradient`.
        """
        function = self.function(output, kind=kind)
        X = self._checked(X)
        largest = target is LARGEST
        weights = np.zeros((len(X), 0)) if largest else self.weights(target, len(X), output, kind=kind)
        step = self._batch_size(batch_size, max_memory)
        gradient, found, chosen = np.empty(X.shape), [], []
        with single_precision(_is_single(precision)):
            for start in range(0, len(X), step):
                rows = slice(start, start + step)
                pull_back, here = make_vjp(function)(X[rows])
                selected = np.eye(here.shape[1])[here.argmax(axis=1)] if largest else weights[rows]
                gradient[rows] = pull_back(selected)
                found.append(here)
                chosen.append(selected)
        outputs = np.concatenate(found) if found else np.zeros_like(weights)
        return outputs, gradient, np.concatenate(chosen) if largest and chosen else weights

    @property
    def is_regressor(self) -> bool:
        """Whether it predicts numbers, not classes."""
        return "prediction" in self.kinds

    def meant(self, output: str) -> str:
        """Name of the output meant: of a regressor "probability" (the default) and "decision" mean "prediction".

        Parameters
        ----------
        output : str
            As a user says it.

        Returns
        -------
        str

        Examples
        --------
        >>> DifferentiableModel({"prediction": lambda X: X}, classes=[0], n_features=1).meant("probability")
        'prediction'
        """
        return "prediction" if self.is_regressor and output in ("probability", "decision") else output

    @property
    def predicts_most_probable(self) -> bool:
        """Whether `predict` is nothing but the class of the largest probability."""
        return self._predict is None and "probability" in self.kinds

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Label of every spectrum, or what a regressor predicts, by the rule of the estimator it was made from.

        Parameters
        ----------
        X : SpectralSample or array, shape (n, n_features)
            Spectra.

        Returns
        -------
        ndarray, shape (n,), or (n, n_outputs) of a regressor with several
        """
        X = self._checked(X)
        if self._predict is not None:
            return self._predict(X)
        values = self.outputs(X, self.kinds[0])
        if self.is_regressor:
            return values[:, 0] if values.shape[1] == 1 else values
        return self.classes_[values.argmax(axis=1)]

    def weights(
        self, target: Any, n: int, output: str = "probability", *, kind: str | None = None
    ) -> NDArray[np.float64]:
        """Weights that select the target from the outputs: ``(outputs * weights).sum(axis=1)`` is the target's value.

        Parameters
        ----------
        target : label, array of labels (n,), pair of labels, or None
            See `gradient`.
        n : int
            Number of spectra.
        output : str
            See `outputs`.
        kind : str, optional
            Another name for `output`.

        Returns
        -------
        ndarray, shape (n, n_classes), or (n, n_pairs) for "pairwise"

        Raises
        ------
        AgnsalError
            If the target is not a class of the model or there is not one per spectrum.
        """
        self.function(output, kind=kind)
        if "pairwise" in (output, kind):
            return self._pair_weights(target, n)
        if target is None:
            if self.classes_.size > 1:
                has = "predicts" if self.is_regressor else "has"
                raise AgnsalError(
                    f"the model {has} {self.classes_.size} outputs; target must be one of {self.classes_.tolist()}."
                )
            return np.ones((n, 1))
        return np.eye(self.classes_.size)[self._columns(target, n)]

    def _pair_weights(self, target: Any, n: int) -> NDArray[np.float64]:
        pairs = np.asarray(target)
        if pairs.shape not in ((2,), (n, 2)):
            raise AgnsalError(
                f"the target of a pairwise output is a pair of classes such as "
                f"{tuple(self.classes_[:2].tolist())} or {n} of them, got {target!r:.80}."
            )
        towards, against = (self._columns(labels, n) for labels in np.broadcast_to(pairs, (n, 2)).T)
        if (towards == against).any():
            raise AgnsalError("a pair must be of two different classes.")
        first, second = class_pairs(self.classes_.size)
        number = np.zeros((self.classes_.size,) * 2, dtype=np.intp)
        number[first, second] = number[second, first] = np.arange(first.size)
        sign = np.where(towards < against, 1.0, -1.0)
        return sign[:, None] * np.eye(first.size)[number[towards, against]]

    def _columns(self, target: Any, n: int) -> NDArray[np.intp]:
        """Column of the target class of every spectrum."""
        labels = np.broadcast_to(target, (n,)) if np.ndim(target) == 0 else np.asarray(target)
        if labels.shape != (n,):
            raise AgnsalError(f"target must be one class, or one per spectrum ({n}), got shape {labels.shape}.")
        position = {label: column for column, label in enumerate(self.classes_.tolist())}
        try:
            return np.array([position[label] for label in labels.tolist()], dtype=np.intp)
        except (KeyError, TypeError) as error:
            raise AgnsalError(
                f"target {error.args[0]!r} is not a class of the model; its classes are {self.classes_.tolist()}."
            ) from None

    def function(self, output: str, *, kind: str | None = None) -> Callable[[Any], Any]:
        """The function of one output as it was given, for composing; see `outputs` for its meaning."""
        output = self.meant(output if kind is None else kind)
        if output not in self._outputs:
            advice = ""
            if output in ("probability", "log_odds") and "pairwise" in self.kinds:
                advice = " Fit a ProbabilisticSVC in its place for probabilities."
            elif self.kinds == ("decision",):
                advice = ' Ask for output="decision"; a network also has probabilities once it knows its classes.'
            raise AgnsalError(f"this model has no {output!r} output; it has {', '.join(self.kinds)}.{advice}")
        return self._outputs[output]

    def _checked(self, X: Any) -> NDArray[np.float64]:
        X = as_learnt(self, X)
        refuse_units_and_masks(X)
        X = real_numbers("X", X)
        if X.ndim != 2 or X.shape[1] != self.n_features:
            raise AgnsalError(
                f"X must have shape (n, {self.n_features}), as in training, got {X.shape}"
                + ("; for one spectrum write X[None, :]." if X.ndim == 1 else ".")
            )
        return X

    def _batch_size(self, batch_size: int | None, max_memory: float) -> int:
        if batch_size is not None:
            if batch_size < 1:
                raise AgnsalError(f"batch_size must be at least 1, got {batch_size}.")
            return int(batch_size)
        # about four arrays as wide as the spectrum and four as wide as the model live at the same time
        per_row = 8 * 4 * (self.n_features + self.width) / 2**20
        return int(np.clip(max_memory / per_row, 1, 512))


def _is_single(precision: str) -> bool:
    one_of("precision", precision, _PRECISIONS)
    return precision == "single"
