"""Which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from agnsal.errors import AgnsalError
from agnsal.figures.style import new_axes
from agnsal.figures.text import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_confusion(
    y_true: ArrayLike,
    y_predicted: ArrayLike,
    *,
    normalize: bool = False,
    ax: Axes | None = None,
    labels: Sequence[Any] | None = None,
) -> Axes:
    """Draw a confusion matrix: a row for each true class, a column for each predicted one.

    Parameters
    ----------
    y_true, y_predicted : array_like, shape (n,)
        True and predicted classes.
    normalize : bool
        Whether to divide each row by its sum.
    ax : Axes, optional
        Where to draw; by default on a new figure.
    labels : sequence, optional
        Classes in the order wanted; by default all that occur, sorted.

    Returns
    -------
    Axes

    Raises
    ------
    AgnsalError
        If lengths do not agree, or a class occurs that is not among the labels.

    Examples
    --------
    >>> from agnsal.figures import plot_confusion
    >>> ax = plot_confusion(["a", "a", "b"], ["a", "b", "b"])
    >>> [text.get_text() for text in ax.texts]
    ['1', '1', '0', '1']
    """
    true, predicted = np.asarray(y_true).astype(str), np.asarray(y_predicted).astype(str)
    if true.shape != predicted.shape or true.ndim != 1 or not true.size:
        raise AgnsalError(
            f"true and predicted classes must be rows of equal length, got {true.shape}, {predicted.shape}."
        )
    occurring = np.union1d(true, predicted)
    classes = [str(label) for label in (occurring if labels is None else labels)]
    missing = sorted(set(occurring.tolist()) - set(classes))
    if missing:
        raise AgnsalError(f"classes {missing} occur but are not among labels={classes}.")
    number = {name: place for place, name in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)))
    np.add.at(counts, ([number[name] for name in true], [number[name] for name in predicted]), 1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    ax = new_axes(ax, (3.5, 3.3))
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1)  # coloured by share in both, so that a rare class counts
    for row in range(len(classes)):
        for column in range(len(classes)):
            text = f"{share[row, column]:.3f}" if normalize else f"{counts[row, column]:.0f}"
            color = "white" if share[row, column] > 0.55 else "black"
            ax.text(column, row, text, ha="center", va="center", color=color)
    names = [plain(name) for name in classes]
    ax.set_xticks(range(len(classes)), names)
    ax.set_yticks(range(len(classes)), names, rotation=90, va="center")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel("Predicted class")
    ax.set_ylabel("True class")
    ax.set_title("Share of the true class" if normalize else "Number of spectra", loc="left", fontsize="medium")
    return ax
