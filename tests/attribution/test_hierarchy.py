"""Agglomerative contextual decomposition."""

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agnsal import AgnsalError, WavelengthGrid, contextual_decomposition
from agnsal.attribution.networks.group_tables import line_units
from agnsal.attribution.networks.group_tree import join_groups
from agnsal.attribution.networks.hierarchy import agglomerate
from agnsal.models.networks.network import Network


def perceptron(seed=0, d=24):
    rng = np.random.default_rng(seed)
    return Network.dense(
        [rng.normal(size=(10, d)), rng.normal(size=(3, 10))], [rng.normal(size=10), rng.normal(size=3)]
    )


def by_hand(network, x, target, percentile, absolute):
    """The authors' algorithm, unit by unit, with bins as units."""
    n = len(x)

    def score(members):
        mask = np.zeros(n, dtype=bool)
        mask[list(members)] = True
        return contextual_decomposition(network, x[None], mask)[0][0, target]

    def select(scores):
        left = {k: abs(s) if absolute else s for k, s in scores.items()}
        if not left:
            return set()
        q = {5: 59, 4: 49, 3: 59, 2: 49, 1: 0}.get(len(left), percentile)
        threshold = np.percentile(list(left.values()), q)
        return {k for k, s in left.items() if s >= threshold}

    scores = {k: score([k]) for k in range(n)}
    selected = select(scores)
    history = [(set(), set(selected), dict(scores))]
    while True:
        before, components = set(selected), []
        for k in sorted(before):
            if k - 1 in before:
                components[-1].append(k)
            else:
                components.append([k])
        scores = dict(scores)
        for component in components:
            own = score(component)
            for k in (component[0] - 1, component[-1] + 1):
                if 0 <= k < n:
                    scores[k] = score([*component, k]) - own
        scores = {k: s for k, s in scores.items() if k not in before}
        chosen = select(scores)
        selected = before | chosen
        history.append((before, set(selected), dict(scores)))
        if not chosen:
            return history


@pytest.mark.parametrize("absolute", [True, False])
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), percentile=st.sampled_from([0, 50, 80, 95]))
def test_as_coded_by_the_authors(seed, percentile, absolute):
    network, x = perceptron(seed), np.random.default_rng(seed).normal(size=24)
    hierarchy = agglomerate(network, x, 1, percentile=percentile, absolute=absolute)
    expected = by_hand(network, x, 1, percentile, absolute)
    assert hierarchy.n_levels == len(expected)
    for level, (before, selected, scores) in enumerate(expected):
        assert set(np.flatnonzero(hierarchy.labels[level])) == before
        assert set(np.flatnonzero(hierarchy.masks[level])) == selected
        assert set(np.flatnonzero(~np.isnan(hierarchy.scores[level]))) == set(scores)
        np.testing.assert_allclose(
            hierarchy.scores[level][sorted(scores)], [scores[k] for k in sorted(scores)], atol=1e-11
        )


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), percentile=st.floats(0, 100), width=st.integers(1, 5))
def test_levels_are_nested_and_the_last_is_everything(seed, percentile, width):
    network, x = perceptron(seed), np.random.default_rng(seed).normal(size=24)
    hierarchy = agglomerate(network, x, 0, units=np.arange(24) // width, percentile=percentile)
    assert (hierarchy.masks[1:] >= hierarchy.masks[:-1]).all()
    assert hierarchy.masks[-1].all()
    np.testing.assert_array_equal(hierarchy.labels[0], 0)
    np.testing.assert_array_equal(hierarchy.labels[1:] > 0, hierarchy.masks[:-1])
    whole = network.forward(x[None])[0, 0]
    assert hierarchy.component_scores[0] == {0: pytest.approx(whole)}
    assert hierarchy.component_scores[-1] == {1: pytest.approx(whole)}
    for labels, scores in zip(hierarchy.labels[1:], hierarchy.component_scores[1:], strict=True):
        assert sorted(scores) == list(range(1, labels.max() + 1))


def test_permuting_the_classes_permutes_the_labels_only():
    network, x = perceptron(), np.random.default_rng(0).normal(size=24)
    order = [2, 0, 1]
    last = network.layers[-1]
    permuted = Network((*network.layers[:-1], type(last)(last.weight[order], last.bias[order])), classes=list("cab"))
    one = agglomerate(network, x, 2, percentile=80)
    other = agglomerate(permuted, x, "c", percentile=80)
    np.testing.assert_array_equal(one.labels, other.labels)
    np.testing.assert_allclose(one.scores, other.scores, rtol=0, atol=1e-12)
    assert (one.target, other.target) == (2, "c")


def test_the_predicted_class_is_explained_by_default():
    network, x = perceptron(), np.random.default_rng(0).normal(size=24)
    best = int(network.forward(x[None])[0].argmax())
    assert agglomerate(network, x).target == best
    logit = Network.dense([[[1.0, 2.0]]], [[0.0]], classes=["a", "b"])
    assert agglomerate(logit, [-1.0, -1.0]).target == "a"
    assert agglomerate(logit, [-1.0, -1.0]).component_scores[-1] == {1: 3.0}


def test_bins_outside_units_take_no_part():
    network, x = perceptron(), np.random.default_rng(0).normal(size=24)
    units = np.full(24, -1)
    units[4:20] = np.repeat(np.arange(4), 4)
    hierarchy = agglomerate(network, x, 0, units=units)
    mask = units >= 0
    expected = contextual_decomposition(network, x[None], mask)[0][0, 0]
    assert hierarchy.component_scores[-1] == {1: pytest.approx(expected)}


def test_nodes_make_a_tree():
    network, x = perceptron(3), np.random.default_rng(3).normal(size=24)
    nodes = agglomerate(network, x, 0, percentile=80).nodes()
    assert nodes[-1][1:3] == (0, 23)
    children = [child for node in nodes for child in node[4]]
    assert len(children) == len(set(children)) == len(nodes) - 1  # all but the root have one parent
    for level, first, last, _, inside in nodes:
        for child in inside:
            assert nodes[child][0] < level
            assert first <= nodes[child][1] <= nodes[child][2] <= last


def test_levels_can_be_limited():
    hierarchy = agglomerate(perceptron(), np.ones(24), 0, n_levels=3)
    assert hierarchy.n_levels == 3
    assert "24 units, 3 levels" in repr(hierarchy)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"percentile": 101}, "percentile"),
        ({"units": np.arange(23)}, "each of the 24"),
        ({"units": np.arange(24) * 2}, "without a gap"),
        ({"units": np.full(24, -1)}, "without a gap"),
        ({"target": 3}, "3 is not among"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(AgnsalError, match=message):
        agglomerate(perceptron(), np.ones(24), **options)
    with pytest.raises(AgnsalError, match="one spectrum"):
        agglomerate(perceptron(), np.ones((2, 24)))


def test_lines_are_units_in_order():
    grid = WavelengthGrid.linear(4700 * u.AA, 5100 * u.AA, 200)
    units, names = line_units(grid, ["[O III] 5007", "Hbeta", "[O III] 4959"])
    assert [name for name in names if name[0] in "[H"] == ["Hbeta", "[O III] 4959", "[O III] 5007"]
    assert units.min() == 0
    assert set(units) == set(range(len(names)))
    network, x = perceptron(0, 200), np.random.default_rng(0).normal(size=200)
    assert agglomerate(network, x, 0, units=units).labels.shape[1] == len(names)


def test_groups_that_belong_together_join_first():
    """A unit that needs a and c at once makes them join before b, which lies between."""
    network = Network.dense([[[1.0, 0.0, 1.0], [0.0, 0.1, 0.0]], [[1.0, 1.0]]], [[-1.5, 0.0], [0.0]])
    groups = {name: np.arange(3) == k for k, name in enumerate("abc")}
    tree = join_groups(network, np.array([2.0, 1.0, 2.0]), groups)
    assert tree.members(3) == ("a", "c")
    assert set(tree.members(4)) == set("abc")
    assert tree.joins[-1][2] == pytest.approx(network.forward(np.array([[2.0, 1.0, 2.0]]))[0, 0])
    assert str(tree).count("\n") == 4
