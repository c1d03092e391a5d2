import matplotlib.pyplot as plt
import numpy as np
import pytest

from agnsal import AgnsalError, PiecewiseLinearBenchmark, SpectralBenchmark
from agnsal.figures import plot_scores, plot_truth_and_maps

METHODS = ["gradient", "input x gradient", "integrated gradients"]


@pytest.fixture(scope="module")
def scores():
    linear = PiecewiseLinearBenchmark(10, n_samples=600)
    spectral = SpectralBenchmark(60)
    return (
        linear.score(linear.fit((16,), epochs=(2, 1)), methods=METHODS, n_explained=20),
        spectral.score(spectral.fit(), methods=METHODS, n_explained=5),
    )


@pytest.mark.parametrize("which", [0, 1])
def test_every_method_has_its_row(scores, which):
    found = scores[which]
    _, (left, right) = plt.subplots(1, 2)
    assert plot_scores(found, ax=left) is left
    plot_truth_and_maps(found, 2, ax=right)
    assert [text.get_text() for text in left.get_yticklabels()] == list(found.maps)
    assert [text.get_text() for text in right.get_yticklabels()] == ["truth", *found.maps]
    left.figure.canvas.draw()
    plt.close("all")


def test_map_is_drawn_relative_to_its_maximum(scores):
    ax = plot_truth_and_maps(scores[0], 0, methods=METHODS[:1])
    drawn = ax.collections[0].get_array()
    np.testing.assert_allclose(np.abs(drawn).max(axis=1), 1)
    plt.close("all")


def test_unknown_rows_are_refused(scores):
    with pytest.raises(AgnsalError, match="asked for 99"):
        plot_truth_and_maps(scores[0], 99)
    with pytest.raises(AgnsalError, match="no 'magic'"):
        plot_truth_and_maps(scores[0], 0, methods=["magic"])
