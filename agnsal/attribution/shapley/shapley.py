"""Shapley values over wavelength: exact for kernel machines, by coalitions or by sampling for anything else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from agnsal.attribution.answer.attribution import Attribution
from agnsal.attribution.question.baselines import resolve_baseline
from agnsal.attribution.question.methods import declare
from agnsal.attribution.question.question import Question, ask
from agnsal.attribution.shapley.coalitions import all_coalitions, coalition_shares, random_orders
from agnsal.attribution.shapley.conditional import MOST_REGIONS, GaussianBackground, exact_values, sampled_values
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
    conditional: Literal["gaussian"] | None = None,
    background: SpectralSample | ArrayLike | None = None,
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
        Orders for ``method="permutations"``, the reversed ones included: each costs one evaluation per group and
        spectrum.
    random_state : int, RandomState, Generator or None
        Seeds them; all spectra get the same orders.
    groups : object
        Another name for `regions`.
    conditional : {"gaussian"}, optional
        Values on the manifold: absent regions are not at a baseline, they are what `background` says of them given the
        regions that are there. Needs `regions`, at most 12; has no baseline.
    background : SpectralSample or array, shape (m, n_features), optional
        The sample whose mean and covariance that is.
    n_factors : int
        Principal components of its covariance; the rest is a variance for each feature.
    n_samples : int
        Draws, where the conditional mean of the output is not known in closed form (it is for the outputs that are
        exact above).

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
    The mean of a Gaussian kernel over a Gaussian is known in closed form, and with the covariance of a few factors a
    coalition costs no pass over the wavelengths.

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
        "n_factors": n_factors,
        "n_samples": n_samples,
    }
    if conditional is not None or background is not None:
        one_of("conditional", conditional, ("gaussian",))
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
    if given["background"] is None:
        raise AgnsalError('conditional="gaussian" needs background=, a sample whose covariance says what is likely.')
    if given["regions"] is None:
        raise AgnsalError("conditional values are of regions; say which: regions=['Hbeta', '[O III] 5007'].")
    regions = question.regions(given["regions"])
    if len(regions) > MOST_REGIONS:
        raise AgnsalError(f"{len(regions)} regions have 2^{len(regions)} coalitions; take at most {MOST_REGIONS}.")
    drawn = ask(question.model, given["background"], "predicted", question.output, differentiable=False).X
    exact = machine is not None and question.output in machine.exact
    seed, uncertainty = None, None
    if exact and machine is not None:
        likely = GaussianBackground.of(machine.scaled(drawn), given["n_factors"])
        link, (_, share) = machine.links[question.output], coalition_shares(len(regions))
        values, empty = np.empty((len(question.X), len(regions))), np.empty(len(question.X))
        for i, F in enumerate(exact_values(machine, likely, machine.scaled(question.X), regions)):
            worth = np.asarray(link(F)) @ question.weights[i]
            values[i], empty[i] = worth @ share, worth[0]
    else:
        seed = seed_of(random_state)
        likely = GaussianBackground.of(drawn, given["n_factors"])
        random = check_random_state(seed)
        values, errors, empty, _ = sampled_values(question, likely, regions, given["n_samples"], random)
        uncertainty = {"sampling": regions.spread(errors)}
    return question.answer(
        regions.spread(values),
        method="shapley",
        baseline=drawn.mean(axis=0),
        residual=question.residual(values, empty, "take more samples"),
        regions=regions,
        uncertainty=uncertainty,
        options=given | {"random_state": seed},
        found={
            "baseline": f"background of {len(drawn)}, given what is there",
            "shapley": "conditional",
            "exact": exact,
        },
    )


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
