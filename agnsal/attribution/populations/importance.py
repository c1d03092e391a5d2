"""Which lines decide the class over a whole sample: four answers side by side."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from agnsal.attribution.answer.attribution import Attribution
from agnsal.attribution.answer.line_sums import LineTable
from agnsal.attribution.local.paths import integrated_gradients
from agnsal.attribution.populations.population import effect_sizes, rate
from agnsal.attribution.populations.posterior import PredictionPosterior
from agnsal.attribution.question.question import Question, ask
from agnsal.errors import AgnsalError, AgnsalWarning
from agnsal.seeds import Seed, seed_of
from agnsal.spectra.features import line_strengths, standardized
from agnsal.spectra.regions import Regions
from agnsal.spectra.sample import SpectralSample

#: Spectra of a data set that lend their lines to others.
_DONORS = 2048


class KeptSpectra(Protocol):
    """Spectra that are read a block at a time, as those of an `agnsal.DatasetResult`."""

    def samples(self) -> Iterator[SpectralSample]:
        """Some spectra at a time."""
        ...


def line_importance(
    model: Any,
    sample: SpectralSample | KeptSpectra,
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
    sample : SpectralSample or DatasetResult
        The population. Spectra of a data set (``maps=True`` keeps them) are read a block at a time, twice; the lines
        that they are dealt come from 2048 of them, drawn at random.
    target : label
        The class to explain.
    lines : iterable of str, optional
        Names of lines and windows; by default the common lines on the grid.
    output : {"decision", "log_odds", "probability"}
        Which output.
    posterior : PredictionPosterior, optional
        Where it is one sample, of the same output over it, for errors and RATE; see
        `agnsal.attribution.populations.posterior`.
    attribution : Attribution, optional
        Of the same sample, where it is one; by default integrated gradients from the mean spectrum.
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
    random = np.random.default_rng(seed_of(random_state))
    if isinstance(sample, SpectralSample):
        parts, mean, donors = iter([sample]), sample.flux.mean(axis=0), sample.flux
        if attribution is not None and attribution.values.shape != sample.flux.shape:
            raise AgnsalError(f"the attribution has shape {attribution.values.shape}, the sample {sample.flux.shape}.")
    elif not hasattr(sample, "samples"):
        raise AgnsalError(f"a SpectralSample or a DatasetResult is needed, got {type(sample).__name__}.")
    elif posterior is not None or attribution is not None:
        raise AgnsalError("a posterior and an attribution are of one sample; leave them out with a data set.")
    else:
        mean, donors = _drawn(sample, random)
        parts = sample.samples()
    found = []
    for part in parts:
        question = ask(model, part, target, output)
        strengths, names = line_strengths(part, lines=lines, standardize=False)
        regions = Regions.from_lines(part.grid, names, overlap=True)
        maps = _from_mean(question, part, mean) if attribution is None else attribution
        sums = np.abs(regions.sums(np.nan_to_num(maps.observed_values)))
        found.append((question.value, strengths, sums, _permuted(question, regions, donors, n_permutations, random)))
    values, strengths, sums = (np.concatenate([each[k] for each in found]) for k in range(3))
    change = np.sqrt(np.sum([each[3] for each in found], axis=0) / len(values))
    Z = standardized(strengths, names)
    if posterior is None:
        effect, error = effect_sizes(values, Z, features=Z), np.full(len(names), np.nan)
        central = np.full(len(names), np.nan)
    else:
        if len(posterior.mean) != len(values):
            raise AgnsalError(f"the posterior is of {len(posterior.mean)} spectra, the sample has {len(values)}.")
        effect, covariance = posterior.effects(Z)
        error, central = np.sqrt(np.diag(covariance)), rate(effect, covariance).rate
    table = LineTable()
    table["line"] = names
    table["effect"], table["effect_error"], table["rate"] = effect, error, central
    table["permutation"] = change.mean(axis=0)
    table["permutation_error"] = change.std(axis=0, ddof=1) if n_permutations > 1 else np.nan
    table["attribution"], table["attribution_error"] = sums.mean(axis=0), sums.std(axis=0) / np.sqrt(len(sums))
    table.meta.update(target=str(target), output=output, method=maps.method, n=len(values))
    table.round_for_readers()
    return table


def _drawn(kept: KeptSpectra, random: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean spectrum of a population, and some of its spectra, every one as likely as any other."""
    total, n, best, drawn = np.zeros(1), 0, np.zeros(0), None
    for part in kept.samples():
        total, n = total + part.flux.sum(axis=0), n + len(part)
        key = np.concatenate([best, random.random(len(part))])
        chosen = np.argsort(key)[:_DONORS]
        best, drawn = key[chosen], (part.flux if drawn is None else np.concatenate([drawn, part.flux]))[chosen]
    if drawn is None:
        raise AgnsalError("no spectrum of the data set could be used.")
    return total / n, drawn


def _from_mean(question: Question, sample: SpectralSample, mean: NDArray[np.float64]) -> Attribution:
    with warnings.catch_warnings():  # a spectrum of nearly the mean output is easily missed by 5 % of nothing
        warnings.simplefilter("ignore", AgnsalWarning)
        return integrated_gradients(question.model, sample, question.asked, question.output, baseline=mean)


def _permuted(
    question: Question, regions: Regions, donors: NDArray[np.float64], n_permutations: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Sum of squared changes of the output, by permutation and line, when its bins come from other spectra."""
    changes = np.empty((n_permutations, len(regions)))
    for number in range(n_permutations):
        for k, mask in enumerate(regions.values()):
            X = question.X.copy()
            X[:, mask] = donors[np.resize(rng.permutation(len(donors)), len(X))][:, mask]
            changes[number, k] = ((question.explained(X) - question.value) ** 2).sum()
    return changes
