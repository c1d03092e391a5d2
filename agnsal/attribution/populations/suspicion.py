"""Which labels does the model not believe, and what in the spectrum speaks against them?"""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import ArrayLike, NDArray

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
        class speaks most against the label - what to look at first. It is the gradient of the log-odds of the label
        times the departure, summed; of a model without gradient what giving that part the flux of the class changes.
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
        evidence = _experiments(machine, chosen, labels[worst], expected)
    else:
        gradient = saliency(model, chosen, labels[worst], "log_odds").values
        evidence = _first_order(np.where(chosen.mask, 0.0, gradient * (chosen.flux - expected)), chosen)
    table = QTable()
    table["object_id"], table["row"] = chosen.ids, worst
    table["label"], table["predicted"] = labels[worst], machine.predict(chosen.flux)
    table["probability"], table["loss"] = np.exp(-loss[worst]), loss[worst]
    names = np.array(list(evidence))
    strongest = names[np.stack(list(evidence.values()), axis=1).argmin(axis=1)]
    table["line"] = [name.rpartition(" ")[0] for name in strongest]
    table["part"] = [name.rpartition(" ")[2] for name in strongest]
    if machine.structure is not None and machine.structure.training is not None:
        influence = training_influence(model, chosen, labels[worst], "log_odds")
        opponents = (influence.most(i, n_contradicting, side="against") for i in range(len(chosen)))
        table["contradicted_by"] = [", ".join(map(str, each["training_id"])) for each in opponents]
    return table


def _parts(sample: SpectralSample) -> dict[str, NDArray[np.bool_]]:
    """The cores and wings of the common lines on the grid, by name."""
    named = ((part, Regions.from_lines(sample.grid, part=part, overlap=True)) for part in ("core", "wings"))
    return {f"{line} {part}": mask for part, regions in named for line, mask in regions.items() if mask.any()}


def _first_order(values: NDArray[np.float64], sample: SpectralSample) -> dict[str, NDArray[np.float64]]:
    """Sums of a gradient times a departure over the parts of lines, (n,) each."""
    return {name: values[:, mask].sum(axis=1) for name, mask in _parts(sample).items()}


def _experiments(
    machine: DifferentiableModel, sample: SpectralSample, labels: NDArray[Any], expected: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """What giving a part of a line the flux of the class takes from the log-odds of the label, (n,) each."""
    weights = machine.weights(labels, len(sample), "log_odds")

    def odds(X: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((machine.outputs(X, "log_odds") * weights).sum(axis=1))

    before = odds(sample.flux)
    usual = np.where(sample.mask, sample.flux, expected)
    return {name: before - odds(np.where(mask, usual, sample.flux)) for name, mask in _parts(sample).items()}
