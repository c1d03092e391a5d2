"""TRIM: attribution in a transformed space, where the question is about scales, components or lines, not pixels."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import astropy.units as u
import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive
from numpy.typing import ArrayLike, NDArray

from agnsal.attribution.answer.attribution import Attribution
from agnsal.attribution.methods import every_method, find_method
from agnsal.attribution.question.baselines import resolve_baseline
from agnsal.attribution.question.question import Question, ask
from agnsal.attribution.transforms.basis import Basis
from agnsal.errors import AgnsalError, one_of
from agnsal.models.adapters.composition import compose
from agnsal.models.adapters.registry import Step
from agnsal.models.model import DifferentiableModel
from agnsal.seeds import seed_of
from agnsal.spectra.sample import SpectralSample

#: A way back that misses the spectrum by less than this, relative to its largest flux, is exact.
EXACT = 1e-10


def transformed(
    model: Any,
    sample_or_X: SpectralSample | ArrayLike,
    transform: Basis,
    method: str | Callable[..., Attribution] = "integrated_gradients",
    target: Any = "predicted",
    output: str = "probability",
    *,
    by: Literal["coordinate", "group"] | None = None,
    combine: Literal["sum", "magnitude"] | None = None,
    **options: Any,
) -> Attribution:
    """Explain a model on the axis of a transform: frequency bands, wavelet scales, components, lines.

    The spectrum is written as ``x = inverse(s) + r`` with ``s = forward(x)``; the residual r is computed once and
    kept fixed, and the method is asked to explain ``s -> f(inverse(s) + r)``. What the residual itself does to the
    output is reported beside the attribution, as `unexplained`.

    Parameters
    ----------
    model, sample_or_X, target, output
        As in `saliency`.
    transform : Basis
        `FourierBands`, `Wavelet`, `PCABasis`, `NMFBasis`, `LineDictionary`, `MatrixBasis` or `FunctionBasis`. One
        that learns from spectra must have been fitted, usually to the training sample; others are fitted here if they
        are not yet.
    method : str or callable
        Name of any method that needs no layers of a network (``"saliency"``, ``"integrated_gradients"``,
        ``"occlusion"``, ``"shapley"``, ...), or any function with the signature of these.
    by : {"coordinate", "group"}, optional
        Whether to answer for single coordinates or for the transform's groups; by default as the transform prefers.
        Methods that take features away (occlusion, Shapley values) take whole groups away.
    combine : {"sum", "magnitude"}, optional
        How the values of a group make one. By default the sum, which keeps the sign and completeness; of gradients
        the Euclidean length, because their direction within a group is a convention. The latter for everything is
        the published choice for Fourier space.
    **options
        For the method. A ``baseline`` is given as spectra or by name, as for pixels, and transformed; ``"zero"``
        means zero coordinates, which of a `PCABasis` is the mean spectrum.

    Returns
    -------
    Attribution
        With `features` instead of a grid; `inputs` holds the coordinates (of a group, their Euclidean length).
        `unexplained` is ``f(x) - f(inverse(s))`` and `unexplained_share` its size relative to ``f(x) - f(x0)``,
        where x0 is the spectrum of the baseline's coordinates (by default the training mean, if known, else zero).

    Raises
    ------
    AgnsalError
        If the transform is not fitted, does not fit the spectra, or the method is unknown.

    References
    ----------
    Singh et al. 2020, arXiv:2003.01926 (transformation importance); the sum over a group is ours.

    Examples
    --------
    >>> from agnsal import FourierBands, ProbabilisticSVC
    >>> X = np.random.default_rng(0).normal(size=(80, 20))
    >>> model = ProbabilisticSVC(random_state=0).fit(X, np.where(X.mean(axis=1) > 0, "up", "down"))
    >>> result = transformed(model, X[:30], FourierBands(n_bands=11), output="decision", baseline="zero")
    >>> print(result.features[np.abs(result.values).mean(axis=0).argmax()])
    0
    """
    name, function, options = _method(method, options)
    known = find_method(name)
    removing = _takes(function, "regions")
    of_gradient = known is not None and known.answers == "gradient"
    question = ask(model, sample_or_X, target, output, differentiable=known is None or known.differentiable)
    basis = _fitted(transform, sample_or_X)
    by = basis.by if by is None else by
    # of a group of gradients only the length has a meaning, as the direction within the group is a convention
    combine = ("magnitude" if of_gradient else "sum") if combine is None else combine
    if by not in ("coordinate", "group") or combine not in ("sum", "magnitude"):
        raise AgnsalError(f"by is 'coordinate' or 'group', combine 'sum' or 'magnitude'; got {by!r} and {combine!r}.")
    if _takes(function, "random_state"):  # one seed for all parts, whatever was given
        options["random_state"] = seed_of(options.get("random_state"))
    given = {"transform": basis, "by": by, "combine": combine, "baseline": None, **options}
    view = _View.of(question, basis)
    start, baseline_name = view.baseline(options.pop("baseline", None), needed=_takes(function, "baseline"))
    if options.get("background") is not None:
        options["background"] = basis.forward(options["background"])
    if removing and by == "group":
        parts = [view.remove_groups(function, i, start, options) for i in range(len(question.X))]
    else:
        if _takes(function, "baseline"):
            options["baseline"] = start
        parts = [view.explain(function, rows, options) for rows in view.batches()]
    values = np.concatenate([part.values for part in parts])
    residuals = [part.residual for part in parts if part.residual is not None]
    sources = parts[0].uncertainty or {}
    uncertainty = {
        source: np.concatenate([(p.uncertainty or {})[source] for p in parts], axis=-2) for source in sources
    }
    features, regions = basis.names, None
    if by == "group":
        features, regions = basis.group_names, basis.regions
        if not removing:
            values = regions.sums(values) if combine == "sum" else np.sqrt(regions.sums(values**2))
            uncertainty = {}
    complete = combine == "sum" or regions is None or removing
    unexplained, share = view.unexplained(start)
    answer = question.answer(
        values,
        method=name,
        baseline=start if regions is None else None,
        residual=np.concatenate(residuals) if residuals and complete else None,
        uncertainty=uncertainty or None,
        options={**parts[0].options, **given, "target": target},
        found={
            **_found(parts[0], baseline_name),
            "transform": repr(basis),
            "axis": basis.axis,
            "by": by,
            "combine": combine,
        },
        features=features,
        unexplained=unexplained,
        unexplained_share=share,
    )
    inputs = view.S if regions is None else np.sqrt(regions.sums(view.S**2))
    unit = answer.unit if basis.keeps_unit else u.dimensionless_unscaled
    return replace(answer, inputs=inputs, unit=unit, grid=None, mask=None)


@dataclass(frozen=True, eq=False)
class _View:
    """A question seen in coordinates, with the residual of every spectrum kept fixed."""

    question: Question
    basis: Basis
    S: NDArray[np.float64]
    residual: NDArray[np.float64]
    exact: bool

    @classmethod
    def of(cls, question: Question, basis: Basis) -> _View:
        S = basis.forward(question.X if question.sample is None else question.sample)
        residual = question.X - basis.inverse(S)
        exact = bool(np.abs(residual).max() <= EXACT * max(np.abs(question.X).max(), 1.0))
        return cls(question, basis, S, residual, exact)

    def batches(self) -> list[NDArray[np.intp]]:
        """Rows that can be explained together: all where there is no residual, else one by one.

        A method may evaluate inputs in any order and number, and each input needs the residual of its own spectrum.
        """
        rows = np.arange(len(self.S))
        return [rows] if self.exact else [rows[i : i + 1] for i in range(len(rows))]

    def model(self, rows: NDArray[np.intp]) -> DifferentiableModel:
        """The model as a function of coordinates, for the spectra that `batches` puts together."""
        fixed = 0.0 if self.exact else self.residual[rows[0]]
        step = Step(
            lambda S: synthesize(S, self.basis) + fixed,
            n_features=len(self.basis.names),
            invert_mean=lambda mean: self.basis.forward(mean[None])[0],
            affine=self.basis.linear,
        )
        return compose([step], self.question.model)

    def explain(
        self, function: Callable[..., Attribution], rows: NDArray[np.intp], options: dict[str, Any]
    ) -> Attribution:
        """Ask a method about coordinates."""
        given = {key: value[rows] if _one_each(key, value) else value for key, value in options.items()}
        target, output = self.question.target[rows], self.question.output
        return function(self.model(rows), self.S[rows], target=target, output=output, **given)

    def remove_groups(
        self, function: Callable[..., Attribution], i: int, start: NDArray[np.float64], options: dict[str, Any]
    ) -> Attribution:
        """Ask a method about switches, one for each group: on is the spectrum, off is the baseline."""
        of_group = self.basis.regions.masks.astype(np.float64)
        step = self.S[i] - start[i]
        model = compose(
            [Step(lambda t: start[i] + anp.dot(t, of_group) * step, n_features=len(of_group), affine=True)],
            self.model(np.array([i])),
        )
        switches = np.ones((1, len(of_group)))
        target, output = self.question.target[[i]], self.question.output
        return function(model, switches, target=target, output=output, baseline="zero", **options)

    def baseline(self, baseline: Any, *, needed: bool) -> tuple[NDArray[np.float64], str]:
        """Coordinates of the baseline, shape (n, m), and its name."""
        shape = self.S.shape
        known = baseline is not None or self.question.model.baseline_mean is not None
        if (isinstance(baseline, str) and baseline == "zero") or not (needed or known):
            return np.zeros(shape), "zero coordinates"
        spectra, name = resolve_baseline(self.question, baseline)
        sample = self.question.sample
        if spectra.ndim == 1:
            return np.broadcast_to(self.basis.forward(spectra[None]), shape), name
        if sample is None:
            return self.basis.forward(spectra), name
        # fitted as the spectra themselves are: with the same inverse variances
        return self.basis.forward(sample.with_flux(spectra)), name

    def unexplained(self, start: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What the residual adds to the output, and its share of the difference to the baseline."""
        value = self.question.value
        added = value - self.question.explained(self.basis.inverse(self.S))
        whole = np.abs(value - self.question.explained(self.basis.inverse(start)))
        share = np.divide(np.abs(added), whole, out=np.full(added.shape, np.nan), where=whole > 0)
        return added, share


@primitive
def synthesize(S: Any, basis: Basis) -> Any:
    """Spectra from coordinates, as autograd sees it.

    Parameters
    ----------
    S : array, shape (n, m)
        Coordinates.
    basis : Basis
        Fitted.

    Returns
    -------
    ndarray, shape (n, n_features)

    Examples
    --------
    >>> from autograd import grad
    >>> from agnsal import FourierBands
    >>> bands = FourierBands(n_bands=2).fit(np.zeros((1, 4)))
    >>> grad(lambda S: synthesize(S, bands).sum())(np.zeros((1, 4))).round(6)
    array([[2., 0., 0., 0.]])
    """
    return basis.inverse(S)


defvjp(synthesize, lambda ans, S, basis: lambda G: basis.pullback(S, G), argnums=(0,))


def _method(method: Any, options: dict[str, Any]) -> tuple[str, Callable[..., Attribution], dict[str, Any]]:
    """Name and function of a method, and its options with those of a partial function."""
    if isinstance(method, partial):
        return _method(method.func, {**method.keywords, **options})
    if callable(method):
        return getattr(method, "__name__", type(method).__name__), method, options
    known = {each.name: each.function for each in every_method()}
    one_of("method", method, known)
    return method, known[method], options


def _fitted(transform: Basis, spectra: Any) -> Basis:
    if not isinstance(transform, Basis):
        raise AgnsalError(f"transform must be a basis such as FourierBands(), got {transform!r:.80}.")
    if transform.fitted:
        return transform
    if transform.learns:
        raise AgnsalError(
            f"this {type(transform).__name__} learns from spectra and is not fitted yet; "
            "fit it to the training sample first: transform.fit(training)."
        )
    return copy.copy(transform).fit(spectra)


def _takes(function: Callable[..., Any], name: str) -> bool:
    return name in inspect.signature(function).parameters


def _one_each(name: str, value: Any) -> bool:
    """Whether an option has a row for every spectrum."""
    return name in ("baseline", "noise") and isinstance(value, np.ndarray) and value.ndim == 2


def _found(part: Attribution, baseline: str) -> dict[str, Any]:
    """What the method says about itself, without what belongs to the model in coordinates."""
    theirs = {key: value for key, value in part.provenance.items() if key not in ("model", "versions")}
    return {**theirs, "baseline": baseline} if "baseline" in theirs else theirs
