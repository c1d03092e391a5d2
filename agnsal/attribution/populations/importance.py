"""Which lines decide the class over a whole sample: four answers side by side."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agnsal.attribution.answer.attribution import Attribution
from agnsal.attribution.answer.line_sums import LineTable
from agnsal.attribution.local.paths import integrated_gradients
from agnsal.attribution.populations.population import effect_sizes, rate
from agnsal.attribution.populations.posterior import PredictionPosterior
from agnsal.attribution.question.question import ask
from agnsal.errors import AgnsalError, AgnsalWarning
from agnsal.seeds import Seed, seed_of
from agnsal.spectra.features import line_strengths
from agnsal.spectra.regions import Regions
from agnsal.spectra.sample import SpectralSample


def line_importance(
    model: Any,
    sample: SpectralSample,
    target: Any,
    *,
    lines: Iterable[str] | None = None,
    output: str = "decision",
    posterior: PredictionPosterior | None = None,
    attribution: Attribution | None = None,
    n_permutations: int = 5,
    random_state: Seed = None,
) -> LineTable:
    """Rank lines by effect size, RATE, permutation and mean absolute attribution over a sample.

    The four answer different questions. The effect size is how the output goes with the strength of a line over the
    sample, causal or not; RATE what else hangs on that; permutation what the model loses without the line; the
    attribution how much of the output of a single spectrum it makes up.

    Parameters
    ----------
    model : object
        A fitted, differentiable classifier.
    sample : SpectralSample
        The population.
    target : label
        The class to explain.
    lines : iterable of str, optional
        Names of lines and windows; by default the common lines on the grid.
    output : {"decision", "log_odds", "probability"}
        Which output.
    posterior : PredictionPosterior, optional
        Of the same output over the same sample, for errors and RATE; see `agnsal.attribution.populations.posterior`.
    attribution : Attribution, optional
        Of the same sample; by default integrated gradients from the mean spectrum.
    n_permutations : int
        How often each line is dealt out anew among the spectra.
    random_state : int, RandomState, Generator or None
        Seeds that.

    Returns
    -------
    LineTable
        A row a line: ``line``; ``effect`` (of one standard deviation of the line's strength), ``effect_error`` and
        ``rate`` (NaN without posterior); ``permutation`` (root mean square change of the output) with
        ``permutation_error``; ``attribution`` (mean of the absolute sum over core and wings) with
        ``attribution_error``.

    Raises
    ------
    AgnsalError
        If the posterior or the attribution is not of this sample, or the target is not a class.

    Examples
    --------
    >>> import agnsal
    >>> sample = agnsal.simulate_agn(40, 40, 0, seed=0).normalize()
    >>> model = agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(sample.flux, sample.labels)
    >>> table = line_importance(model, sample, "type 1", lines=["Hbeta", "Hgamma", "[O III] 5007"])
    >>> bool(table["effect"][0] > 0)
    True
    """
    question = ask(model, sample, target, output)
    Z, names = line_strengths(sample, lines=lines)
    if posterior is None:
        values = question.value
        effect, error = effect_sizes(values, Z, features=Z), np.full(len(names), np.nan)
        central = np.full(len(names), np.nan)
    else:
        if len(posterior.mean) != len(sample):
            raise AgnsalError(f"the posterior is of {len(posterior.mean)} spectra, the sample has {len(sample)}.")
        effect, covariance = posterior.effects(Z)
        error, central = np.sqrt(np.diag(covariance)), rate(effect, covariance).rate
    if attribution is None:
        with warnings.catch_warnings():  # a spectrum of nearly the mean output is easily missed by 5 % of nothing
            warnings.simplefilter("ignore", AgnsalWarning)
            attribution = integrated_gradients(question.model, sample, target, output, baseline="mean")
    elif attribution.values.shape != sample.flux.shape:
        raise AgnsalError(f"the attribution has shape {attribution.values.shape}, the sample {sample.flux.shape}.")
    regions = Regions.from_lines(sample.grid, names, overlap=True)
    sums = np.abs(regions.sums(np.nan_to_num(attribution.observed_values)))
    table = LineTable()
    table["line"] = names
    table["effect"], table["effect_error"], table["rate"] = effect, error, central
    change = np.stack(_permuted(question, regions, n_permutations, np.random.default_rng(seed_of(random_state))))
    table["permutation"] = change.mean(axis=0)
    table["permutation_error"] = change.std(axis=0, ddof=1) if n_permutations > 1 else np.nan
    table["attribution"], table["attribution_error"] = sums.mean(axis=0), sums.std(axis=0) / np.sqrt(len(sums))
    table.meta.update(target=str(target), output=output, method=attribution.method, n=len(sample))
    table.round_for_readers()
    return table


def _permuted(
    question: Any, regions: Regions, n_permutations: int, rng: np.random.Generator
) -> list[NDArray[np.float64]]:
    """Root mean square change of the output for each line when its bins come from other spectra."""
    rounds = []
    for _ in range(n_permutations):
        changes = []
        for mask in regions.values():
            X = question.X.copy()
            X[:, mask] = X[rng.permutation(len(X))][:, mask]
            changes.append(np.sqrt(((question.explained(X) - question.value) ** 2).mean()))
        rounds.append(np.array(changes))
    return rounds
