"""Which labels does the model not believe, and what in the spectrum speaks against them?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import ArrayLike

from agnsal.attribution.answer.line_sums import ELSEWHERE
from agnsal.attribution.gradients import saliency
from agnsal.errors import AgnsalError
from agnsal.models.differentiable import as_differentiable
from agnsal.spectra.sample import SpectralSample


def suspicious_labels(model: Any, sample: SpectralSample, labels: ArrayLike | None = None, *, n: int = 20) -> QTable:
    """Rank spectra whose label the model finds hardest to believe, and say what in them speaks against it.

    A model that has seen the labels has partly learned their errors: use one fitted to other spectra, for instance
    fold by fold.

    Parameters
    ----------
    model : object
        A fitted classifier: anything `as_differentiable` takes with probabilities.
    sample : SpectralSample
        The spectra, on a grid with named lines.
    labels : array_like, shape (n_spectra,), optional
        Their labels; by default the sample's own.
    n : int
        How many to list.

    Returns
    -------
    QTable
        Most suspicious first: ``object_id``, ``row``, ``label``, ``predicted``, ``probability`` (of the label),
        ``loss`` (its negative logarithm), ``line`` and ``part``: where the gradient of the log-odds of the label is
        most negative in sum over core or wings times the flux there above the class mean - what to look at first.

    Raises
    ------
    AgnsalError
        If there are no labels, or a label is not a class of the model.
    """
    labels = sample.labels if labels is None else np.asarray(labels)
    if labels is None:
        raise AgnsalError("the sample has no labels; pass labels=.")
    if labels.shape != (len(sample),):
        raise AgnsalError(f"{labels.size} labels given for {len(sample)} spectra.")
    machine = as_differentiable(model)
    log_odds = (machine.outputs(sample.flux, "log_odds") * machine.weights(labels, len(sample), "log_odds")).sum(axis=1)
    loss = np.logaddexp(0.0, -log_odds)
    worst = np.argsort(-loss, kind="stable")[:n]
    chosen = sample[worst]
    evidence = saliency(model, chosen, labels[worst], "log_odds")
    usual = {label: sample.flux[labels == label].mean(axis=0) for label in np.unique(labels[worst])}
    departure = chosen.flux - np.array([usual[label] for label in labels[worst]])
    by_line = replace(evidence, values=evidence.values * departure, unit=evidence.unit * sample.unit).by_line()
    by_line = by_line[by_line["line"] != ELSEWHERE]
    table = QTable()
    table["object_id"], table["row"] = chosen.ids, worst
    table["label"], table["predicted"] = labels[worst], machine.predict(chosen.flux)
    table["probability"], table["loss"] = np.exp(-loss[worst]), loss[worst]
    rows = np.arange(len(by_line)).reshape(len(worst), -1)
    parts = np.stack([by_line["core"].value[rows], by_line["wings"].value[rows]], axis=2).reshape(len(worst), -1)
    against = np.nan_to_num(parts).argmin(axis=1)  # what was not observed accuses nobody
    table["line"] = np.asarray(by_line["line"])[: rows.shape[1]][against // 2]
    table["part"] = np.array(["core", "wings"])[against % 2]
    return table
