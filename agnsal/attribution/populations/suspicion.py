"""Which labels does the model not believe, and what in the spectrum speaks against them?"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import ArrayLike, NDArray

from agnsal.attribution.counterfactual.line_strength import is_continuum, with_lines_of
from agnsal.attribution.examples.influence import training_influence
from agnsal.attribution.local.gradients import saliency
from agnsal.errors import AgnsalError, instance_of
from agnsal.models.black_box import BlackBox, as_function
from agnsal.models.model import DifferentiableModel
from agnsal.spectra.regions import Regions
from agnsal.spectra.sample import SpectralSample


def suspicious_labels(
    model: Any, sample: SpectralSample, labels: ArrayLike | None = None, *, n: int = 20, n_contradicting: int = 3
) -> QTable:
    """Rank spectra whose label the model finds hardest to believe, and say what in them speaks against it.

    A model that has seen the labels has partly learned their errors: use one fitted to other spectra, for instance
    fold by fold.

    Parameters
    ----------
    model : object
        Any fitted classifier with probabilities.
    sample : SpectralSample
        The spectra, on a grid with named lines.
    labels : array_like, shape (n_spectra,), optional
        Their labels; by default the sample's own.
    n : int
        How many to list.
    n_contradicting : int
        How many training spectra to name against each label, where the model is a kernel machine.

    Returns
    -------
    QTable
        Most suspicious first: ``object_id``, ``row``, ``label``, ``predicted``, ``probability`` (of the label),
        ``loss`` (its negative logarithm), ``line`` and ``part``: the core or wings whose departure from the mean of the
        class speaks most against the label - what to look at first; ``"continuum"`` where what stands above it does
        less than half of that. It is the gradient of the log-odds of the label times the departure, summed; of a model
        without gradient what giving that part the flux of the class changes.
        Of a kernel machine also ``contradicted_by``: the training spectra that speak most against the label, strongest
        first, with `agnsal.training_influence` on its log-odds ; look at these beside it.

    Raises
    ------
    AgnsalError
        If there are no labels, or a label is not a class of the model.
    """
    instance_of("sample", sample, SpectralSample)
    labels = sample.labels if labels is None else np.asarray(labels)
    if labels is None:
        raise AgnsalError("the sample has no labels; pass labels=.")
    if labels.shape != (len(sample),):
        raise AgnsalError(f"{labels.size} labels given for {len(sample)} spectra.")
    machine = as_function(model, sample.flux)
    log_odds = (machine.outputs(sample.flux, "log_odds") * machine.weights(labels, len(sample), "log_odds")).sum(axis=1)
    loss = np.logaddexp(0.0, -log_odds)
    worst = np.argsort(-loss, kind="stable")[:n]
    chosen = sample[worst]
    usual = {label: sample.flux[labels == label].mean(axis=0) for label in np.unique(labels[worst])}
    expected = np.array([usual[label] for label in labels[worst]])
    if isinstance(machine, BlackBox):
        against = partial(_experiment, machine, chosen, labels[worst])
    else:
        against = partial(_first_order, saliency(model, chosen, labels[worst], "log_odds").values, chosen)
    exchanged, parts = with_lines_of(chosen, expected), _parts(chosen)
    evidence = np.stack([against(mask, expected) for mask in parts.values()])
    alone = np.stack([against(mask, exchanged.get(line, expected)) for (line, _), mask in parts.items()])
    strongest, spectra = evidence.argmin(axis=0), np.arange(len(chosen))
    continuum = is_continuum(alone, evidence)[strongest, spectra]
    table = QTable()
    table["object_id"], table["row"] = chosen.ids, worst
    table["label"], table["predicted"] = labels[worst], machine.predict(chosen.flux)
    table["probability"], table["loss"] = np.exp(-loss[worst]), loss[worst]
    table["line"], part = np.array(list(parts))[strongest].T
    table["part"] = np.where(continuum, "continuum", part)
    if machine.structure is not None and machine.structure.training is not None:
        influence = training_influence(model, chosen, labels[worst], "log_odds")
        opponents = (influence.most(i, n_contradicting, side="against") for i in range(len(chosen)))
        table["contradicted_by"] = [", ".join(map(str, each["training_id"])) for each in opponents]
    return table


def _parts(sample: SpectralSample) -> dict[tuple[str, str], NDArray[np.bool_]]:
    """The cores and wings of the common lines on the grid, by line and part."""
    named = ((part, Regions.from_lines(sample.grid, part=part, overlap=True)) for part in ("core", "wings"))
    return {(line, part): mask for part, regions in named for line, mask in regions.items() if mask.any()}


def _first_order(
    gradient: NDArray[np.float64], sample: SpectralSample, mask: NDArray[np.bool_], usual: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A gradient times the departure from what is usual, summed over bins, shape (n,)."""
    return np.where(sample.mask, 0.0, gradient * (sample.flux - usual))[:, mask].sum(axis=1)


def _experiment(
    machine: DifferentiableModel,
    sample: SpectralSample,
    labels: NDArray[Any],
    mask: NDArray[np.bool_],
    usual: NDArray[np.float64],
) -> NDArray[np.float64]:
    """What giving bins the usual flux takes from the log-odds of the label, shape (n,)."""
    weights = machine.weights(labels, len(sample), "log_odds")
    before, after = (
        np.asarray((machine.outputs(X, "log_odds") * weights).sum(axis=1))
        for X in (sample.flux, np.where(mask & ~sample.mask, usual, sample.flux))
    )
    return before - after
