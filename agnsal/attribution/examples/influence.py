"""Which training spectra decided about a spectrum, towards a class and against it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agnsal.attribution.examples.last_layer import last_layer_terms
from agnsal.attribution.examples.path import path_weights
from agnsal.attribution.examples.terms import TrainingInfluence
from agnsal.attribution.networks.asking import ask_network
from agnsal.attribution.question.baselines import resolve_baseline
from agnsal.attribution.question.question import Question, ask, names_of
from agnsal.errors import AgnsalError
from agnsal.models.networks.from_torch import is_torch
from agnsal.models.networks.network import Network
from agnsal.models.structure import PRODUCT_KERNELS, Structure, TrainingRows
from agnsal.models.validation import as_learnt, flux_of
from agnsal.spectra.sample import SpectralSample

#: A residual beyond this is none of rounding: the output is not smooth.
_LARGE = 1e-6


def training_influence(
    model: Any,
    sample_or_X: SpectralSample | ArrayLike,
    target: Any = "predicted",
    output: str = "decision",
    *,
    baseline: Any = None,
    training: SpectralSample | ArrayLike | None = None,
    ridge: float = 1e-3,
) -> TrainingInfluence:
    """Tell which training spectra decided, towards the target and against it.

    A decision value of a kernel machine is a sum over training spectra: a coefficient times how alike the two spectra
    are. These terms *are* the machine, so nothing is estimated. An output of several decision values (log-odds of
    more than two classes) is shared out exactly among these along a straight line, and so among training spectra.

    A machine keeps its support vectors only; all other training spectra add exactly nothing. (One with landmarks is
    no sum over training spectra, and refused.) What a term is not: what leaving that spectrum out and training again
    would change; `TrainingInfluence.leave_one_out` says that.

    Parameters
    ----------
    model : object
        A machine with a kernel (`ProbabilisticSVC`, scikit-learn's SVC, NuSVC, SVR, NuSVR, KernelRidge), alone or
        behind transformers in a `Pipeline`; or a network (`Network`, a torch module, a multilayer perceptron), for
        which the last layer is approximated by a ridge regression over `training`.
    sample_or_X, target
        As in `agnsal.saliency`.
    output : {"decision", "log_odds", "probability", "pairwise", "prediction"}
        Networks: "decision" only.
    baseline : object, optional
        As in `agnsal.integrated_gradients`. By default terms are whole, and the output without them is that of a
        spectrum which is like none. With a baseline they are differences to it, which sum to the difference of the
        output.
    training : SpectralSample or array_like, shape (n_training, n_features), optional
        The training set: for names, classes and spectra of its members, where the machine does not know them. Needed
        for networks.
    ridge : float
        Penalty of the approximation, see `agnsal.attribution.examples.last_layer`.

    Returns
    -------
    TrainingInfluence
        ``values`` and ``intercept`` sum to the output.

    Raises
    ------
    AgnsalError
        If the model is no sum over training spectra, or `training` is not what it was fitted to.

    See Also
    --------
    agnsal.figures.plot_training_influence : draws it.
    agnsal.suspicious_labels : names the training spectra that contradict a label.

    References
    ----------
    Schoelkopf, Herbrich & Smola 2001 (the representer theorem); Yolcu et al. 2024, arXiv:2402.12118.

    Examples
    --------
    >>> from agnsal import ProbabilisticSVC, simulate_agn
    >>> sample = simulate_agn(20, 20, 0, seed=1).normalize()
    >>> model = ProbabilisticSVC(kernel="linear", random_state=0).fit(sample)
    >>> influence = training_influence(model, sample[:1], "type 1", "log_odds")
    >>> str(influence.most(0, 1, side="for")["label"][0])
    'type 1'
    """
    exact = not isinstance(model, Network) and not is_torch(model)
    question = ask(model, sample_or_X, target, output) if exact else ask_network(model, sample_or_X, target, output)
    structure = question.model.structure
    if exact and structure is None and hasattr(model, "coefs_"):
        exact, question = False, ask_network(model, sample_or_X, target, output)
    if exact:
        structure, rows = _known(question, structure)
    else:
        structure, rows = _approximated(question.estimator, training, ridge)
    link, expansion = structure.links[question.output], structure.expansion
    kernel = expansion.kernel(structure.scaled(question.X), expansion.support_vectors)
    end = kernel @ expansion.coefficients + expansion.intercepts
    start, before = np.broadcast_to(expansion.intercepts, end.shape), np.zeros_like(kernel)
    if baseline is not None:
        reference = np.broadcast_to(resolve_baseline(question, baseline)[0], question.X.shape)
        before = expansion.kernel(structure.scaled(np.ascontiguousarray(reference)), expansion.support_vectors)
        start = before @ expansion.coefficients + expansion.intercepts
    linear = question.output in structure.exact
    slopes = path_weights(link, start, end, question.weights, linear=linear)
    factors = slopes @ expansion.coefficients.T
    terms = factors * (kernel - before)
    intercept = (link(start) * question.weights).sum(axis=1)
    residual = question.value - intercept - terms.sum(axis=1)
    if exact and (np.abs(residual) > _LARGE * (1.0 + np.abs(question.value))).any():
        raise AgnsalError(
            f"the {question.output} of this model jumps (votes of pairs), so that it has no exact shares; ask for "
            'output="pairwise", or fit a ProbabilisticSVC.'
        )
    sample = question.sample
    ids, labels, flux = _names(question, structure, rows, training)
    return TrainingInfluence(
        terms=terms,
        rows=rows.rows,
        n_training=rows.n,
        intercept=intercept,
        explained=question.value,
        residual=residual,
        exact=exact,
        target=names_of(question.target),
        output=question.output,
        ids=np.array([f"spectrum {i}" for i in range(len(question.X))]) if sample is None else sample.ids,
        training_ids=ids,
        training_labels=labels,
        training_flux=flux,
        inputs=question.X,
        mask=None if sample is None else sample.mask,
        grid=None if sample is None else sample.grid,
        flux_unit=None if sample is None else sample.unit,
        _factors=factors,
        _structure=structure,
        _start=_where_shares_begin(question, structure, baseline),
        _weights=question.weights,
    )


def _known(question: Question, structure: Structure | None) -> tuple[Structure, TrainingRows]:
    """The structure of a model that is a sum over its training spectra."""
    if structure is None or structure.training is None:
        raise AgnsalError(
            f"{type(question.estimator).__name__} does not keep its training spectra, so none has a share in its "
            "output; machines with a kernel do (ProbabilisticSVC without landmarks, SVC, NuSVC, SVR, NuSVR, "
            "KernelRidge), and networks by their last layer (Network, torch modules, MLPClassifier)."
        )
    if question.output not in structure.links:
        raise AgnsalError(f"this model has no output {question.output!r}; ask for {', '.join(structure.links)}.")
    return structure, structure.training


def _approximated(
    network: Network, training: SpectralSample | ArrayLike | None, ridge: float
) -> tuple[Structure, TrainingRows]:
    """The last layer of a network as if it were a kernel machine."""
    if training is None:
        raise AgnsalError(
            "a network does not keep its training spectra; give them: training_influence(..., training=)."
        )
    X = flux_of(training)
    expansion, activations = last_layer_terms(network, X, ridge)
    links = {"decision": _two_sided if _is_single(network) else _same}
    labels = training.labels if isinstance(training, SpectralSample) else None
    rows = TrainingRows(np.arange(len(X)), len(X), labels=labels)
    return Structure(expansion, links, ("decision",), before=(activations,)), rows


def _same(F: Any) -> Any:
    return F


def _two_sided(F: Any) -> Any:
    """The decision of two classes from a single logit."""
    return F @ np.array([[-1.0, 1.0]])


def _is_single(network: Network) -> bool:
    return network.classes is not None and network.n_outputs < len(network.classes)


def _names(
    question: Question, structure: Structure, rows: TrainingRows, training: SpectralSample | ArrayLike | None
) -> tuple[NDArray[Any], NDArray[Any] | None, NDArray[np.float64] | None]:
    """Names, classes and flux of the training spectra that count."""
    ids, labels = rows.ids, rows.labels
    flux = None if structure.before else structure.expansion.support_vectors
    if training is not None:
        X = flux_of(as_learnt(question.estimator, training))
        vectors = structure.expansion.support_vectors
        if len(X) != rows.n or X.shape[1] != question.X.shape[1]:
            raise AgnsalError(
                f"training has {len(X)} spectra of {X.shape[1]} bins; the model was fitted to {rows.n} of "
                f"{question.X.shape[1]}."
            )
        flux = X[rows.rows]
        if not np.allclose(structure.scaled(flux), vectors, rtol=1e-9, atol=1e-12):
            raise AgnsalError(
                "training is not what the model was fitted to: the spectra it kept are others; give them in the same "
                "order, normalised in the same way."
            )
        if isinstance(training, SpectralSample):
            ids = training.ids[rows.rows].astype(str)
            labels = labels if training.labels is None else training.labels[rows.rows]
    if ids is None:
        ids = np.array([f"training spectrum {row}" for row in rows.rows.tolist()])
    return ids, labels, flux


def _where_shares_begin(question: Question, structure: Structure, baseline: Any) -> NDArray[np.float64] | None:
    """What over wavelength is compared with: the baseline, or nothing for a linear kernel, or the training mean."""
    name = structure.expansion.kernel.name
    if baseline is None and name == "linear" and not structure.before:
        baseline = "zero"
    if name not in PRODUCT_KERNELS or (baseline is None and question.model.baseline_mean is None):
        return None
    return resolve_baseline(question, baseline)[0]
