"""What a spectrum is compared with, in the words of a user."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agnsal.attribution.question.question import Question
from agnsal.errors import AgnsalError
from agnsal.spectra.editing.reference import named_baseline


def resolve_baseline(question: Question, baseline: Any) -> tuple[NDArray[np.float64], str]:
    """Read what a user may say about a baseline.

    Parameters
    ----------
    question : Question
        What is asked.
    baseline : None, str, tuple or array_like
        The training mean, a name, ``("class mean", label)``, or the spectra themselves.

    Returns
    -------
    values : ndarray, shape (n_features,) or (n, n_features)
        The baseline.
    name : str
        For the provenance.

    Raises
    ------
    AgnsalError
        If the model does not know its training mean, the name is unknown, or the shape is wrong.
    """
    if baseline is not None:
        return named_baseline(question.X, question.sample, baseline)
    mean = question.model.baseline_mean
    if mean is None:
        raise AgnsalError(
            "this model does not know the mean of its training spectra; give the baseline, for instance "
            'baseline=X_train.mean(axis=0), agnsal.class_mean(sample, label) or "zero".'
        )
    return np.asarray(mean, dtype=np.float64), "training mean"
