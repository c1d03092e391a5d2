"""Shapley values over wavelength: exact for kernel machines, by coalitions or by sampling for anything else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from agnsal.attribution.answer.attribution import Attribution
from agnsal.attribution.question.baselines import resolve_baseline
from agnsal.attribution.question.methods import declare
from agnsal.attribution.question.question import Question, ask
from agnsal.attribution.shapley import conditional as on_manifold
from agnsal.attribution.shapley.background import MixtureBackground
from agnsal.attribution.shapley.coalitions import all_coalitions, random_orders
from agnsal.attribution.shapley.owen import owen_values
from agnsal.errors import AgnsalError, one_of, same_option
from agnsal.models.differentiable import DifferentiableModel
from agnsal.models.machine.coupling import pair_log_odds as log_odds_of_pairs
from agnsal.models.structure import Structure
from agnsal.seeds import Seed, seed_of
from agnsal.spectra.regions import Regions
from agnsal.spectra.sample import SpectralSample

#: Up to this many regions all coalitions are evaluated unless another method is asked for.
FEW_REGIONS = 10
_METHODS = ("auto", "quadrature", "coalitions", "permutations")


@declare("Shapley values", answers="shares", differentiable=False, judged={"Shapley values": {"n_permutations": 16}})
def shapley(
    model: Any,
    sample_or_X: SpectralSample | ArrayLike,
    target: Any = "predicted",
    output: str = "probability",
    *,
    baseline: Any = None,
    regions: Any = None,
    method: Literal["auto", "quadrature", "coalitions", "permutations"] = "auto",
    pair_log_odds: bool = False,
    n_permutations: int = 32,
    random_state: Seed = None,
    groups: Any = None,
    conditional: Literal["gaussian", "mixture"] | None = None,
    background: SpectralSample | ArrayLike | None = None,
    background_labels: ArrayLike | None = None,
    n_factors: int = 20,
    n_samples: int = 200,
) -> Attribution:
    """Shapley values: the mean change of the output when a feature of the spectrum replaces that of the baseline.

    The mean is over all orders in which that may happen. For machines with a linear or a Gaussian kernel, alone or
    behind scalers in a `Pipeline`, and for anything linear behind anything linear (PCA, a choice of features), it is
    *exact* over any number of wavelengths, for decision values, pair values, what a regressor predicts and, with two
    classes, log-odds, at the cost of a few hundred gradients. The other outputs of such a machine get
    Owen's integral along the diagonal, an approximation with the same sum (``provenance["exact"]`` says so) that is
    usually within some tens of per cent, and better where many features contribute a little each. Any other model is
    evaluated at all coalitions of a few regions, or at random orders, with standard errors.

    Parameters
    ----------
    model : object
        Anything `as_differentiable` takes, or any fitted estimator that predicts.
    sample_or_X, target, output
        As in `saliency`.
    baseline
        As in `integrated_gradients`.
    regions : None, Regions, int, Quantity, str, sequence of str, or array_like of int, shape (n_features,)
        What counts as one player: every feature; windows of that width; each of the named lines, core and wings, with
        the rest as one more; or the features with equal labels.
    method : {"auto", "quadrature", "coalitions", "permutations"}
        ``"auto"``: quadrature where it is exact, else all coalitions of at most 10 groups, else quadrature where it
        is possible, else permutations. ``"coalitions"`` takes up to 15 groups.
    pair_log_odds : bool
        With ``output="pairwise"``: explain the log-odds of the pair, ``-(a f + b)`` with Platt's sigmoid, in place of
        its decision value. Exact as well.
    n_permutations : int
        Orders for ``method="permutations"``, and for conditional values of many regions, the reversed ones included:
        each costs one evaluation per group and spectrum.
    random_state : int, RandomState, Generator or None
        Seeds them; all spectra get the same orders.
    groups : object
        Another name for `regions`.
    conditional : {"gaussian", "mixture"}, optional
        Values on the manifold: absent regions are not at a baseline, they are what `background` says of them given the
        regions that are there. ``"gaussian"``: by the mean and covariance of the background; ``"mixture"``: by those of
        each of its classes, of which the regions that are there tell how likely each is. Needs `regions`; has no
        baseline. Of up to 12 regions all coalitions are asked, of more those along `n_permutations` random orders.
    background : SpectralSample or array, shape (m, n_features), optional
        The sample whose mean and covariance that is.
    background_labels : array, shape (m,), optional
        Classes of the mixture; by default the labels of the sample.
    n_factors : int
        Principal components of each covariance; the rest is a variance for each feature.
    n_samples : int
        Draws (in all, with random orders), where the conditional mean of the output is not known in closed form (it is
        for the outputs that are exact above).

    Returns
    -------
    Attribution
        Without unit, with `baseline` and `residual`. The value of a group is shared equally among its features, so
        that sums over a group or (if the groups are lines) `Attribution.by_line` give it back. Sampled values have
        their standard errors in ``uncertainty["sampling"]``.

    Raises
    ------
    AgnsalError
        If the baseline or the groups do not fit, there are too many groups for coalitions, or quadrature is asked for
        and the model is not a sum of products (polynomial and sigmoid kernels are not).

    Notes
    -----
    Without `conditional` the absence of a player is the baseline's flux: baseline Shapley values, which say what the
    model uses. With it absence is not knowing: conditional values, which say what each region tells, and so credit
    regions that the model does not use but that tell of those it does (Frye et al. 2021). Ask which question is yours.
    The mean of a Gaussian kernel over a Gaussian is known in closed form, over a mixture it is the mean of these by how
    likely each class is given what is seen; with covariances of a few factors a coalition costs no pass over the
    wavelengths. Of many bins a few tell the class nearly for certain: then all that the mixture hides is of that class.

    References
    ----------
    Shapley 1953; Owen 1972, Management Science 18, P64; Lundberg & Lee 2017, arXiv:1705.07874. Antithetic orders:
    Mitchell et al. 2022, JMLR 23, 43. On the manifold: Aas et al. 2021, Artificial Intelligence 298; Frye et al. 2021,
    ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from agnsal import ProbabilisticSVC
    >>> X = np.random.default_rng(0).normal(size=(60, 30))
    >>> model = ProbabilisticSVC(random_state=0).fit(X, np.where(X[:, 1] > 0, "up", "down"))
    >>> result = shapley(model, X[:5], "up", "log_odds", baseline="zero")
    >>> result.provenance["exact"], bool(np.abs(result.residual).max() < 1e-12)
    (True, True)
    """
    one_of("method", method, _METHODS)
    question = ask(model, sample_or_X, target, output, differentiable=False)
    machine = question.model.structure
    if machine is not None and not (machine.is_product and question.output in machine.links):
        machine = None
    if pair_log_odds:
        question, machine = _of_log_odds(question, machine)
    said = same_option("regions", regions, "groups", groups)
    given = {
        "target": target,
        "baseline": baseline,
        "regions": said,
        "method": method,
        "pair_log_odds": pair_log_odds,
        "n_permutations": n_permutations,
        "conditional": conditional,
        "background": background,
        "background_labels": background_labels,
        "n_factors": n_factors,
        "n_samples": n_samples,
    }
    if conditional is None and not (background is None and background_labels is None):
        raise AgnsalError(
            'a background says what is likely of what is hidden: add conditional="gaussian" (or "mixture", by class). '
            "Values against a baseline take baseline= in place of background=."
        )
    if conditional is not None:
        one_of("conditional", conditional, ("gaussian", "mixture"))
        return _conditional(question, machine, given, random_state)
    reference, name = resolve_baseline(question, baseline)
    start = np.ascontiguousarray(np.broadcast_to(reference, question.X.shape))
    regions = question.regions(said)
    way = _chosen(method, machine, question.output, len(regions))
    found: dict[str, Any] = {"baseline": name, "shapley": way, "exact": way == "coalitions"}
    seed = seed_of(random_state) if way == "permutations" or random_state is not None else None
    uncertainty = None
    if way == "quadrature" and machine is not None:
        found["exact"] = question.output in machine.exact
        values, found["n_nodes"] = _by_quadrature(question, machine, start, regions, found["exact"])
    elif way == "coalitions":
        values = all_coalitions(question, start, regions)
    else:
        found["n_permutations"] = 2 * (n_permutations // 2)
        values, errors = random_orders(question, start, regions, n_permutations, check_random_state(seed))
        uncertainty = {"sampling": regions.spread(errors)}
    return question.answer(
        regions.spread(values),
        method="shapley",
        baseline=reference,
        residual=question.residual(values, question.explained(start), 'ask for output="log_odds" or "decision"'),
        regions=None if said is None else regions,
        uncertainty=uncertainty,
        options=given | {"random_state": seed},
        found=found,
    )


def _conditional(
    question: Question, machine: Structure | None, given: dict[str, Any], random_state: Seed
) -> Attribution:
    """Shapley values of regions of which the absent ones are drawn from the background, given the others."""
    if given["baseline"] is not None or given["method"] != "auto":
        raise AgnsalError("conditional values have no baseline and one method; leave both out.")
    kind, background = given["conditional"], given["background"]
    if background is None:
        raise AgnsalError(f'conditional="{kind}" needs background=, a sample whose covariance says what is likely.')
    if given["regions"] is None:
        raise AgnsalError("conditional values are of regions; say which: regions=['Hbeta', '[O III] 5007'].")
    regions = question.regions(given["regions"])
    drawn = ask(question.model, background, "predicted", question.output, differentiable=False).X
    labels = _background_labels(given, len(drawn))
    exact = machine is not None and question.output in machine.exact
    few = len(regions) <= on_manifold.MOST_REGIONS
    seed = None if exact and few else seed_of(random_state)
    random = check_random_state(seed)
    values, errors = np.empty((2, len(question.X), len(regions)))
    empty = np.empty(len(question.X))
    for i, fresh in enumerate(_worths(question, machine if exact else None, given, drawn, labels, regions, random)):
        if few:
            found = on_manifold.all_coalitions(fresh(), len(regions))
        else:
            found = on_manifold.random_orders(fresh, len(regions), given["n_permutations"], random)
        values[i], empty[i] = found.values, found.empty
        errors[i] = 0.0 if found.errors is None else found.errors
    return question.answer(
        regions.spread(values),
        method="shapley",
        baseline=drawn.mean(axis=0),
        residual=question.residual(values, empty, "take more samples"),
        regions=regions,
        uncertainty=None if exact and few else {"sampling": regions.spread(errors)},
        options=given | {"random_state": seed, "background_labels": labels},
        found={
            "baseline": f"background of {len(drawn)}, given what is there",
            "shapley": "conditional",
            "exact": exact and few,
        },
    )


def _background_labels(given: dict[str, Any], n: int) -> NDArray[Any] | None:
    """The classes of a mixture; None for a single Gaussian."""
    labels, background = given["background_labels"], given["background"]
    if given["conditional"] != "mixture":
        if labels is not None:
            raise AgnsalError('background_labels are for conditional="mixture", which has a Gaussian for each class.')
        return None
    if labels is None and isinstance(background, SpectralSample):
        labels = background.labels
    if labels is None:
        raise AgnsalError(
            'conditional="mixture" needs the class of each spectrum of the background: background_labels=.'
        )
    labels = np.asarray(labels)
    if labels.shape != (n,):
        raise AgnsalError(f"background_labels has shape {labels.shape}; the background has {n} spectra.")
    return labels


def _worths(
    question: Question,
    machine: Structure | None,
    given: dict[str, Any],
    drawn: NDArray[np.float64],
    labels: NDArray[Any] | None,
    regions: Regions,
    random: np.random.RandomState,
) -> Iterator[Callable[[], on_manifold.Worth]]:
    """Yield for each spectrum what gives the worth of its coalitions: in closed form, or with draws of its own."""
    if machine is not None:
        likely = MixtureBackground.of(machine.scaled(drawn), given["n_factors"], labels)
        closed, link = on_manifold.ClosedForm(machine, likely, regions), machine.links[question.output]
        for x, weights in zip(machine.scaled(question.X), question.weights, strict=True):
            yield _known(closed.of(x), link, weights)
        return
    n_draws = int(given["n_samples"])
    if n_draws < 2:
        raise AgnsalError(f"n_samples must be at least 2, got {n_draws}.")
    likely = MixtureBackground.of(drawn, given["n_factors"], labels)
    if len(regions) > on_manifold.MOST_REGIONS:
        n_draws = max(1, n_draws // max(1, given["n_permutations"] // 2))
    shared = likely.noise(n_draws, random)  # where all coalitions are asked, all spectra see the same draws
    few = len(regions) <= on_manifold.MOST_REGIONS
    for i in range(len(question.X)):

        def fresh(i: int = i) -> on_manifold.Worth:
            noise = shared if few else likely.noise(n_draws, random)
            return on_manifold.sampled_worth(question, i, likely, regions, noise)

        yield fresh


def _known(
    values: Callable[[NDArray[np.bool_]], NDArray[np.float64]], link: Callable[[Any], Any], weights: NDArray[np.float64]
) -> Callable[[], on_manifold.Worth]:
    """The output asked about, from the values of a machine given a coalition."""

    def worth(seen: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.asarray(link(values(seen)[None])) @ weights

    return lambda: worth


def _chosen(method: str, machine: Structure | None, output: str, n_regions: int) -> str:
    """Settle "auto", and refuse quadrature where there is none."""
    possible = machine is not None
    if method == "quadrature" and not possible:
        raise AgnsalError(
            f"the {output} of this model is not a function of sums of products over wavelengths (linear and Gaussian "
            "kernels are, behind scalers or not, and linear functions of linear functions); use "
            'method="coalitions" or "permutations".'
        )
    if method != "auto":
        return method
    if machine is not None and output in machine.exact:
        return "quadrature"
    if n_regions <= FEW_REGIONS:
        return "coalitions"
    return "quadrature" if possible else "permutations"


def _of_log_odds(question: Question, machine: Structure | None) -> tuple[Question, Structure]:
    """The same question about the log-odds of pairs, in place of their decision values."""
    if question.output != "pairwise":
        raise AgnsalError(f'pair_log_odds goes with output="pairwise", got output={question.output!r}.')
    if machine is None or machine.sigmoids is None:
        raise AgnsalError(
            "this model has no sigmoids for its pairs; fit a ProbabilisticSVC with an rbf or linear kernel."
        )
    a, b = machine.sigmoids
    before = question.model
    after = DifferentiableModel(
        {"pairwise": lambda X: log_odds_of_pairs(before.outputs(X, "pairwise"), a, b)},
        before.classes_,
        before.n_features,
        baseline_mean=before.baseline_mean,
        width=before.width,
    )
    links = {"pairwise": lambda F: log_odds_of_pairs(F, a, b)}
    return replace(question, model=after, asked=question.target), replace(machine, links=links)


def _by_quadrature(
    question: Question, machine: Structure, start: NDArray[np.float64], regions: Regions, exact: bool
) -> tuple[NDArray[np.float64], int]:
    """Owen's integral for each spectrum, shape (n, n_regions), and the most nodes one needed."""
    link, most = machine.links[question.output], 0
    values = np.empty((len(question.X), len(regions)))
    starts = machine.scaled(start)
    for i, x in enumerate(machine.scaled(question.X)):
        values[i], n_nodes = owen_values(
            machine.expansion, x, starts[i], regions, link, question.weights[i], exact=exact
        )
        most = max(most, n_nodes)
    return values, most
