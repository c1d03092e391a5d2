"""What every attribution method is asked: which output of which model, for which spectra."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from agnsal.attribution.answer.attribution import Attribution, versions
from agnsal.attribution.answer.options import remembered
from agnsal.attribution.question.methods import METHODS, unit_of
from agnsal.errors import AgnsalError, AgnsalWarning, one_of
from agnsal.models.black_box import as_function
from agnsal.models.differentiable import as_differentiable
from agnsal.models.model import KINDS, LARGEST
from agnsal.models.validation import as_learnt, flux_of
from agnsal.spectra.regions import Regions
from agnsal.spectra.sample import SpectralSample

#: Inputs made and evaluated at once: at most this many rows, and this many numbers (16 MiB).
BLOCK_ROWS = 2048
BLOCK = 2**21

#: A completeness residual beyond this share of the difference it belongs to is warned about.
LARGE_RESIDUAL = 0.05


@dataclass(frozen=True, eq=False)
class Question:
    """One output of a model, asked about for each of some spectra.

    Attributes
    ----------
    model : DifferentiableModel
        What `as_differentiable` made of the classifier.
    X : ndarray, shape (n, n_features)
        The spectra, finite float64.
    sample : SpectralSample or None
        Where they came from, if not from an array.
    asked : object
        The target as the user gave it.
    output : str
        One of ``"probability"``, ``"log_odds"``, ``"decision"``, ``"pairwise"``; of a regressor ``"prediction"``.
    estimator : object
        The classifier as the user gave it.
    """

    model: Any
    X: NDArray[np.float64]
    sample: SpectralSample | None
    asked: Any
    output: str
    estimator: Any = None

    @cached_property
    def target(self) -> NDArray:
        """A class label for each spectrum, shape (n,), or pairs of them, shape (n, 2), explained towards the first."""
        return _targets(self.model, self.X, self.asked, self.output)

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """Weights that select the target from the model's outputs, shape (n, n_outputs)."""
        return self.model.weights(self.target, len(self.X), self.output)

    @cached_property
    def outputs(self) -> NDArray[np.float64]:
        """The output asked about, of every class, shape (n, n_outputs)."""
        return np.asarray(self.model.outputs(self.X, self.output))

    @cached_property
    def value(self) -> NDArray[np.float64]:
        """Value of the output asked about, shape (n,)."""
        return (self.outputs * self.weights).sum(axis=1)

    @cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """Of every class, shape (n, n_classes); from the log-odds, where these are asked about."""
        if self.output == "log_odds":
            return expit(self.outputs)
        return self.outputs if self.output == "probability" else np.asarray(self.model.outputs(self.X, "probability"))

    @cached_property
    def gradient_here(self) -> NDArray[np.float64]:
        """Gradient of the output asked about at the spectra; it brings `outputs`, and a predicted `target`, with it."""
        ranked = self.output in ("probability", "log_odds") and self.model.predicts_most_probable
        lazy = ranked and _is_predicted(self.asked) and "target" not in self.__dict__
        target = LARGEST if lazy else self.target
        outputs, gradient, weights = self.model.outputs_and_gradient(self.X, target, self.output)
        if target is LARGEST:
            found = {"target": self.model.classes_[weights.argmax(axis=1)], "weights": weights}
        else:
            found = {}
        self.__dict__.update(found, outputs=outputs)
        return gradient

    def explained(self, X: NDArray[np.float64], rows: NDArray[np.intp] | None = None) -> NDArray[np.float64]:
        """Value of the output asked about at other inputs.

        Parameters
        ----------
        X : ndarray, shape (m, n_features)
            Inputs that stand in for spectra.
        rows : ndarray of int, shape (m,), optional
            Which spectrum each input stands in for; by default there is one for each spectrum, in order.

        Returns
        -------
        ndarray, shape (m,)
        """
        weights = self.weights if rows is None else self.weights[rows]
        return (self.model.outputs(X, self.output) * weights).sum(axis=1)

    def gradient(self, X: NDArray[np.float64], rows: NDArray[np.intp] | None = None) -> NDArray[np.float64]:
        """Gradient of the output asked about at other inputs.

        Parameters
        ----------
        X : ndarray, shape (m, n_features)
            Inputs that stand in for spectra.
        rows : ndarray of int, shape (m,), optional
            Which spectrum each input stands in for; by default there is one for each spectrum, in order.

        Returns
        -------
        ndarray, shape (m, n_features)
        """
        return self.model.gradient(X, self.target if rows is None else self.target[rows], self.output)

    def regions(self, said: Any) -> Regions:
        """Read what a user says about regions: a partition of the features.

        Parameters
        ----------
        said : object
            As `Regions.of` takes it.

        Returns
        -------
        Regions
        """
        return Regions.of(said, self.X.shape[1], None if self.sample is None else self.sample.grid)

    def blocks(self, n_variants: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Pair every spectrum with every number of a variant, in blocks that fit in memory.

        Parameters
        ----------
        n_variants : int
            How many inputs stand in for each spectrum.

        Yields
        ------
        rows, variants : ndarray of int, shape (m,)
            The spectrum and the variant of each input of a block; the variants of a spectrum follow each other.
        """
        n, d = self.X.shape
        step = int(np.clip(BLOCK // d, 1, BLOCK_ROWS))
        for start in range(0, n * n_variants, step):
            yield np.divmod(np.arange(start, min(start + step, n * n_variants)), n_variants)

    def residual(
        self, values: NDArray[np.float64], reference: NDArray[np.float64], remedy: str, scale: Any = 0.0
    ) -> NDArray[np.float64]:
        """What is left of the difference to a reference when the values are taken off; warns where it is large.

        Parameters
        ----------
        values : ndarray, shape (n, n_features)
            An attribution that should sum to the difference.
        reference : ndarray, shape (n,)
            Value of the output at the baseline.
        remedy : str
            What to do about a large residual, for the warning.
        scale : float or ndarray, shape (n,)
            A residual below this is not warned about.

        Returns
        -------
        ndarray, shape (n,)
        """
        difference = self.value - reference
        residual = difference - values.sum(axis=1)
        tiny = 1e-9 * np.maximum(np.abs(self.value), np.abs(reference))
        large = np.abs(residual) > np.maximum(LARGE_RESIDUAL * np.abs(difference) + tiny, scale)
        if large.any():
            worst = int(np.argmax(np.where(large, np.abs(residual), 0.0)))
            warnings.warn(
                f"{large.sum()} of {len(values)} attributions miss more than {LARGE_RESIDUAL:.0%} of the difference "
                f"they should sum to (worst: {residual[worst]:.2g} of {difference[worst]:.2g}); {remedy}.",
                AgnsalWarning,
                stacklevel=3,
            )
        return residual

    def answer(
        self,
        values: NDArray[np.float64],
        *,
        method: str,
        options: Mapping[str, object] | None = None,
        found: Mapping[str, object] | None = None,
        **rest: Any,
    ) -> Attribution:
        """Put the result together.

        Parameters
        ----------
        values : ndarray, shape (n, n_features)
            The attribution.
        method : str
            Its name.
        options : mapping
            Every option of the method as it was given.
        found : mapping
            What the method has to say about how it went; JSON can hold it.
        **rest
            Further fields of `Attribution`.

        Returns
        -------
        Attribution
        """
        sample = self.sample
        n_outputs = len(self.model.classes_)
        several = {"n_outputs": n_outputs} if self.model.is_regressor and n_outputs > 1 else {}
        return Attribution(
            values=values,
            target=names_of(self.target),
            method=method,
            output=self.output,
            explained=self.value,
            inputs=self.X,
            ids=np.array([f"spectrum {i}" for i in range(len(self.X))]) if sample is None else sample.ids,
            unit=self._unit_of(method),
            flux_unit=None if sample is None else sample.unit,
            grid=None if sample is None else sample.grid,
            mask=None if sample is None else sample.mask,
            options=remembered({"target": self.asked, **(options or {})}),
            provenance={"model": repr(self.model), "versions": versions()}
            | self._filled()
            | several
            | {**(found or {})},
            **rest,
        )

    def _filled(self) -> dict[str, str]:
        """What stood in bad bins while the model was asked, where there are any."""
        if self.sample is None or not self.sample.mask.any():
            return {}
        share = np.count_nonzero(self.sample.mask) / self.sample.mask.size
        return {"bad bins": f"{share:.2%} of the bins; filled as in the sample: straight lines, unless edited"}

    def _unit_of(self, method: str) -> u.UnitBase:
        """Unit of the values of a method."""
        known = METHODS.get(method)
        if known is None or self.sample is None:
            return u.dimensionless_unscaled
        return unit_of(known.answers, self.sample.unit)


def ask(
    model: Any,
    sample_or_X: SpectralSample | ArrayLike,
    target: Any = "predicted",
    output: str = "probability",
    *,
    differentiable: bool = True,
) -> Question:
    """Check what a user asks and make a `Question` of it.

    Parameters
    ----------
    model : object
        Anything `as_differentiable` takes; or a `Question` about the same spectra, which keeps what it has found.
    sample_or_X : SpectralSample or array_like, shape (n, n_features)
        The spectra.
    target : str, label or array_like, shape (n,)
        ``"predicted"`` for the class the model predicts, one label for all, or one for each spectrum. For
        ``output="pairwise"`` pairs of labels instead; ``"predicted"`` is the predicted class against the runner-up.
        A regressor of one value needs none; one of several is asked for the number of one.
    output : str
        Which output of the model. A regressor has one, ``"prediction"``, which ``"probability"`` (the default) and
        ``"decision"`` mean too.
    differentiable : bool
        Whether the method needs gradients; if not, anything that predicts will do.

    Returns
    -------
    Question

    Raises
    ------
    AgnsalError
        If there are no spectra or they do not fit the model, or the target or the output is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from agnsal import ProbabilisticSVC
    >>> X = np.random.default_rng(0).normal(size=(40, 3))
    >>> model = ProbabilisticSVC(kernel="linear", random_state=0).fit(X, np.where(X[:, 0] > 0, "up", "down"))
    >>> ask(model, X[:2], target="up").target.tolist()
    ['up', 'up']
    """
    one_of("output", output, KINDS)
    if isinstance(model, Question):
        if model.sample is sample_or_X and model.output == output and model.asked is target:
            return model
        model = model.estimator
    estimator = model
    sample = sample_or_X if isinstance(sample_or_X, SpectralSample) else None
    X = flux_of(as_learnt(estimator, sample_or_X))
    if len(X) == 0:
        raise AgnsalError("there are no spectra to explain: 0 were given; if they were selected, nothing matched.")
    model = as_differentiable(estimator) if differentiable else as_function(estimator, X)
    if X.shape[1] != model.n_features:
        raise AgnsalError(
            f"the spectra have {X.shape[1]} bins, the model was trained on {model.n_features}; "
            "put them on the grid the model was trained on."
        )
    question = Question(model, X, sample, target, model.meant(output), estimator)
    if model.is_regressor or not _is_predicted(target):
        _ = question.weights  # refuses unknown labels here, before any work is done
    return question


def _is_predicted(target: Any) -> bool:
    return isinstance(target, str) and target == "predicted"


def _targets(model: Any, X: NDArray[np.float64], target: Any, output: str) -> NDArray:
    """One label, or one pair of labels, for each spectrum."""
    if model.is_regressor and _is_predicted(target):
        target = None
    if not _is_predicted(target):
        if target is None:
            model.weights(None, len(X), output)  # refuses where there are several
            target = model.classes_[0]
        labels = np.asarray(target)
        single = labels.ndim == (1 if output == "pairwise" else 0)
        return np.repeat(labels[None], len(X), axis=0) if single else labels
    predicted = model.predict(X)
    if output != "pairwise":
        return predicted
    others = np.where(model.classes_ == predicted[:, None], -np.inf, model.outputs(X, "decision"))
    return np.stack([predicted, model.classes_[others.argmax(axis=1)]], axis=1)


def names_of(target: NDArray) -> NDArray:
    """One name for each target; a pair is named by what it asks.

    Parameters
    ----------
    target : ndarray, shape (n,) or (n, 2)
        Labels, or pairs of labels.

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> names_of(np.array([["type 1", "type 2"]])).tolist()
    ['type 1 over type 2']
    """
    return target if target.ndim == 1 else np.array([f"{towards} over {against}" for towards, against in target])
