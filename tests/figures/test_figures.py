"""Each figure draws what it was given, and names it; none overlaps, none trips over text from a file."""

from __future__ import annotations

import dataclasses
import inspect
import itertools

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection, PathCollection, QuadMesh
from numpy.testing import assert_allclose, assert_array_equal

import agnsal
from agnsal import figures
from agnsal.errors import AgnsalError
from agnsal.figures import (
    plot_class_gradients,
    plot_confusion,
    plot_embedding,
    plot_line_importance,
    plot_saliency,
    plot_spectra,
)
from agnsal.figures.labels import LineLabels, PointLabels, spread
from agnsal.figures.style import class_color, class_places
from agnsal.spectra.lines import LINES, line_masks

CLASSES = np.repeat(["type 1", "type 2", "intermediate"], [10, 20, 5])
POINTS = np.random.default_rng(3).normal(size=(35, 2))


def texts_of(ax, kind):
    (placed,) = (artist for artist in ax.get_children() if isinstance(artist, kind))
    return [text for text in placed.texts if text.get_visible()]


def assert_apart(texts, renderer):
    boxes = [text.get_window_extent(renderer) for text in texts]
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)


def drawn(ax):
    ax.figure.canvas.draw()
    return ax.figure.canvas.get_renderer()


def test_every_function_uses_the_axes_it_is_given(sample, attribution):
    gradients = dict.fromkeys(CLASSES, attribution)
    for draw in (
        lambda ax: plot_spectra(sample, ax=ax),
        lambda ax: plot_saliency(attribution, ax=ax),
        lambda ax: plot_saliency(attribution, ax=ax, style="published"),
        lambda ax: attribution.plot(1, ax=ax),
        lambda ax: plot_class_gradients(gradients, ax=ax),
        lambda ax: plot_embedding(POINTS, CLASSES, ax=ax, marked=[1, 2], names=["$a$", "b$"]),
        lambda ax: plot_confusion(CLASSES, CLASSES, ax=ax),
        lambda ax: plot_line_importance(attribution, ax=ax, i=0),
    ):
        _, ax = plt.subplots(layout="constrained")
        assert draw(ax) is ax
        drawn(ax)
        assert plt.get_fignums() == [ax.figure.number]
        plt.close("all")
        drawn(draw(None))
        assert len(plt.get_fignums()) == 1
        plt.close("all")


def test_spectra_stand_apart_with_their_names(sample):
    ax = plot_spectra(sample)
    renderer = drawn(ax)
    assert ax.get_xlabel() == "Rest wavelength [Å]"
    assert ax.get_ylabel() == "Relative flux + offset"
    names = [text.get_text() for text in ax.texts]
    assert [name.rsplit(",", 1)[1] for name in names] == [" z = 0.500", " z = 0.050", " z = 0.070"]
    assert_apart(ax.texts, renderer)
    inside = ax.get_window_extent(renderer).padded(1)  # matplotlib before 3.11 lets a leading blank touch the frame
    for text in ax.texts:
        assert inside.contains(*text.get_window_extent(renderer).min)
    curves = [line.get_ydata() for line in ax.lines if len(line.get_ydata()) == 1000]
    assert len(curves) == 4  # one spectrum has bridged bins, drawn pale
    assert np.isnan(curves[0]).sum() == 30
    full = [np.where(np.isnan(curves[0]), curves[1], curves[0]), *curves[2:]]
    assert (full[1] > full[0]).all()
    assert (full[2] > full[1]).all()


def test_spectra_can_be_chosen_overlaid_and_bare(sample):
    ax = plot_spectra(sample, [2, 0], offset=0, lines=[], colors={"type 1": "red", "intermediate": "blue"})
    assert ax.get_ylabel() == "Relative flux"
    assert [line.get_color() for line in ax.lines] == ["blue", "red", "red"]
    assert len(ax.get_legend().get_texts()) == 2
    assert not [artist for artist in ax.get_children() if isinstance(artist, LineLabels)]
    for wrong in (3, [-4], "first", []):
        with pytest.raises(AgnsalError, match="number"):
            plot_spectra(sample, wrong)
    with pytest.raises(AgnsalError, match="offset"):
        plot_spectra(sample, offset=np.nan)


@pytest.mark.parametrize("width", [3.46, 7.1, 12.0])
def test_line_labels_never_overlap(attribution, width):
    _, ax = plt.subplots(figsize=(width, 3), layout="constrained")
    plot_saliency(attribution, ax=ax, lines=list(LINES)[:24])
    renderer = drawn(ax)
    texts = texts_of(ax, LineLabels)
    assert len(texts) >= 15
    assert_apart(texts, renderer)
    box = ax.get_window_extent(renderer)
    for text in texts:
        assert text.get_window_extent(renderer).y0 >= box.y1
    (title,) = (text for text in (ax.title, ax._left_title) if text.get_text())
    assert_apart([title, *texts], renderer)
    figure = ax.figure.get_window_extent(renderer)
    for text in [title, *texts]:
        assert figure.contains(*text.get_window_extent(renderer).max)


def test_line_labels_follow_a_zoom(attribution):
    ax = plot_saliency(attribution)
    ax.set_xlim(4800, 5100)
    renderer = drawn(ax)
    texts = texts_of(ax, LineLabels)
    assert [text.get_text() for text in texts] == ["Hβ", "[O III] 4959", "[O III] 5007"]
    where = [text.get_window_extent(renderer).x0 for text in texts]
    assert_allclose(
        np.diff(where) / np.diff(ax.transData.transform([[4862.68, 0], [4960.3, 0], [5008.24, 0]])[:, 0]), 1, rtol=0.05
    )


def test_spread_moves_no_more_than_needed():
    random = np.random.default_rng(0)
    for n in (1, 2, 5, 30):
        place = np.sort(random.uniform(0, 50, n))
        apart = spread(place, 1.5, 0.0, 50.0)
        assert (np.diff(apart) >= 1.5 - 1e-9).all()
        assert apart.min() >= 0.75 - 1e-9
        assert apart.max() <= 49.25 + 1e-9
    far = np.array([5.0, 10.0, 40.0])
    assert_array_equal(spread(far, 2.0, 0.0, 50.0), far)
    assert_allclose(spread(np.array([10.0, 10.0, 10.0]), 2.0, 0.0, 50.0), [8, 10, 12])


def test_saliency_is_symmetric_about_zero(attribution):
    ax = plot_saliency(attribution, 1)
    drawn(ax)
    end = np.sort(np.abs(attribution.values[1]))[-10]  # ten of the thousand bins are at the end of the scale
    (line,) = (artist for artist in ax.collections if isinstance(artist, LineCollection))
    (strip,) = (artist for artist in ax.collections if isinstance(artist, QuadMesh))
    assert line.get_clim() == strip.get_clim() == (-end, end)
    assert_array_equal(line.get_array(), attribution.values[1])
    assert len(line.get_segments()) == 1000
    assert ax.get_xlabel() == "Rest wavelength [Å]"
    bar = ax.figure.axes[1]
    assert bar.get_ylabel() == "Gradient of P(type 2)"
    assert ax._left_title.get_text() == r"US\$ 5: probability of type 2 = 0.800"
    # red lowers, blue raises
    red, _, blue, _ = line.get_cmap()(line.norm(-end))
    assert red > blue


def test_a_limit_of_colours_can_be_given(attribution):
    ax = plot_saliency(attribution, limit=0.5, colorbar=False, title="")
    (line,) = (artist for artist in ax.collections if isinstance(artist, LineCollection))
    assert line.get_clim() == (-0.5, 0.5)
    assert len(ax.figure.axes) == 1
    assert ax._left_title.get_text() == ""
    zero = plot_saliency(attribution, 2)
    assert zero.collections[0].get_clim() == (-1.0, 1.0)
    attribution.values[2, 500] = -3.0
    sparse = plot_saliency(attribution, 2)
    assert sparse.collections[0].get_clim() == (-3.0, 3.0)


def test_the_published_look(attribution):
    ax = plot_saliency(attribution, 1, style="published")
    drawn(ax)
    (discs,) = (artist for artist in ax.collections if isinstance(artist, PathCollection))
    values = attribution.values[1]
    assert discs.get_clim() == (values.min(), values.max())
    assert len(discs.get_offsets()) == values.size
    assert discs.get_alpha() < 1
    assert discs.get_cmap().name == "RdBu"


def test_saliency_without_wavelengths_and_with_a_unit(featureless):
    ax = plot_saliency(featureless)
    drawn(ax)
    assert ax.get_xlabel() == "Feature"
    assert "erg" in ax.get_ylabel()
    assert ax.figure.axes[1].get_ylabel().startswith("Input x gradient, log-odds(a) [")
    assert ax._left_title.get_text() == "x: log-odds of a = 2.000"


@pytest.mark.parametrize(
    ("options", "message"),
    [({"i": 3}, "numbered 0 to 2"), ({"style": "pretty"}, "style must be"), ({"limit": -1.0}, "limit must be")],
)
def test_saliency_refuses(attribution, options, message):
    with pytest.raises(AgnsalError, match=message):
        plot_saliency(attribution, **options)


def test_class_gradients_draw_every_class(attribution):
    gradients = {
        name: dataclasses.replace(attribution, values=attribution.values * factor)
        for name, factor in (("type 1", 1.0), ("type 2", -0.6), ("in$ter$mediate", -0.4))
    }
    ax = plot_class_gradients(gradients, 1)
    drawn(ax)
    curves = [line for line in ax.lines if len(line.get_ydata()) == 1000]
    assert_allclose(sum(line.get_ydata() for line in curves), 0, atol=1e-12)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["type 1", "type 2", r"in\$ter\$mediate"]
    low, high = ax.get_ylim()
    assert low == -high
    assert ax.get_ylabel() == "Gradient of P"
    listed = plot_class_gradients([attribution[[0, 0]], attribution[[1, 1]]], 1)
    assert [text.get_text() for text in listed.get_legend().get_texts()] == ["type 1", "type 2"]
    with pytest.raises(AgnsalError, match="no attributions"):
        plot_class_gradients({})
    with pytest.raises(AgnsalError, match="same class"):
        plot_class_gradients([attribution, attribution])
    with pytest.raises(AgnsalError, match="differ"):
        plot_class_gradients({"a": attribution, "b": dataclasses.replace(attribution, output="log_odds")})


def test_embedding_marks_and_numbers(sample):
    marked = [0, 1, 2, 12, 30]
    ax = plot_embedding(POINTS, CLASSES, marked=marked, names=np.array([*sample.ids, "d", "e"]))
    renderer = drawn(ax)
    numbers = texts_of(ax, PointLabels)
    assert [text.get_text() for text in numbers] == ["1", "2", "3", "4", "5"]
    assert_apart(numbers, renderer)
    entries = [text.get_text() for text in ax.get_legend().get_texts() if text.get_text()]
    assert entries[:3] == ["type 1 (10)", "type 2 (20)", "intermediate (5)"]
    assert entries[3] == r"spec\$_1\$-\$\frac{"
    assert sum(len(c.get_offsets()) for c in ax.collections) == len(POINTS) + len(marked)
    assert ax.get_xlabel() == "t-SNE 1"
    assert not ax.get_legend().get_window_extent(renderer).overlaps(ax.get_window_extent(renderer))


def test_spectra_are_added_to_a_map():
    ax = plot_embedding(POINTS, [f"{label}, simulated" for label in CLASSES])
    plot_embedding(POINTS[:4] + 1, CLASSES[:4], ax=ax, marked=[2], names=["mine"])
    entries = [text.get_text() for text in ax.get_legend().get_texts() if text.get_text()]
    assert [entry.split(" (")[0] for entry in entries] == [
        "type 1, simulated",
        "type 2, simulated",
        "intermediate, simulated",
        "type 1",
        "mine",
    ]
    old, new = ax.collections[:3], ax.collections[3]
    assert all(new.get_zorder() > each.get_zorder() for each in old)


def test_numbers_keep_apart_in_a_crowd():
    ax = plot_embedding(np.random.default_rng(0).normal(size=(300, 2)) * 1e-2, marked=range(9))
    assert_apart(texts_of(ax, PointLabels), drawn(ax))


def test_embedding_takes_what_has_coordinates():
    class Map:
        coordinates = POINTS

    ax = plot_embedding(Map())
    assert ax.get_legend() is None
    assert_array_equal(ax.collections[0].get_offsets(), POINTS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((POINTS[:, :1],), "shape"),
        ((np.full((3, 2), np.nan),), "not finite"),
        ((POINTS, CLASSES[:3]), "3 labels"),
    ],
)
def test_embedding_refuses(arguments, message):
    with pytest.raises(AgnsalError, match=message):
        plot_embedding(*arguments)
    with pytest.raises(AgnsalError, match="names given"):
        plot_embedding(POINTS, marked=[1, 2], names=["one"])
    with pytest.raises(AgnsalError, match="numbered"):
        plot_embedding(POINTS, marked=[99])


def test_confusion_counts_and_shares():
    true, predicted = ["a", "a", "a", "b$"], ["a", "b$", "a", "b$"]
    ax = plot_confusion(true, predicted)
    drawn(ax)
    assert [text.get_text() for text in ax.texts] == ["2", "1", "0", "1"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Predicted class", "True class")
    ax = plot_confusion(true, predicted, normalize=True, labels=["b$", "a", "never"])
    assert [text.get_text() for text in ax.texts][:5] == ["1.000", "0.000", "0.000", "0.333", "0.667"]
    with pytest.raises(AgnsalError, match="equal length"):
        plot_confusion(true, predicted[:2])
    with pytest.raises(AgnsalError, match="occur"):
        plot_confusion(true, predicted, labels=["a"])


def test_importance_bars_are_the_sums_over_the_lines(attribution):
    ax = plot_line_importance(attribution, i=1)
    drawn(ax)
    masks = line_masks(attribution.grid)
    assert len(ax.containers) == 3
    assert_allclose(
        [
            bar.get_width()
            for bar, name in zip(ax.containers[0], ax.get_yticklabels(), strict=True)
            if name.get_text() not in ("Fe II 4570", "elsewhere")
        ],
        [np.nansum(attribution.observed_values[1, parts["core"]]) for parts in masks.values()],
    )
    shown = sorted([*(LINES[name].label for name in masks), "Fe II 4570", "elsewhere"])
    assert sorted(text.get_text() for text in ax.get_yticklabels()) == shown
    assert ax.get_xlabel() == "Summed saliency, P(type 2)"
    low, high = ax.get_xlim()
    assert low == -high
    texts = ax.get_yticklabels()
    assert_apart(texts, drawn(ax))


def test_whiskers_are_the_percentiles(attribution):
    """Also where the mean lies outside of them: one spectrum of forty carries it."""
    values = np.zeros((40, 1000))
    values[:, :] = np.random.default_rng(0).normal(size=(40, 1))
    values[7] = 1e3
    many = dataclasses.replace(
        attribution,
        values=values,
        target=np.full(40, "type 1"),
        ids=np.arange(40).astype(str),
        explained=np.ones(40),
        inputs=np.ones_like(values),
        mask=None,
    )
    table = many.by_line(["Hbeta", "Hgamma"])
    ax = plot_line_importance(table)
    drawn(ax)
    bars = [container for container in ax.containers if hasattr(container, "patches")]
    for part, container in zip(("core", "wings", "continuum"), bars, strict=True):
        sums = table[part].value.reshape(40, 3)
        assert_allclose([bar.get_width() for bar in container], np.median(sums, axis=0))
        segments = container.errorbar.lines[2][0].get_segments()
        assert_allclose([segment[:, 0] for segment in segments], np.percentile(sums, [16, 84], axis=0).T)
        assert sums[:, 0].mean() > np.percentile(sums[:, 0], 84)
    assert "whiskers: 16th to 84th percentile" in ax.get_xlabel()


def test_what_was_not_observed_has_no_bar(attribution):
    mask = np.zeros((3, 1000), dtype=bool)
    mask[:, 720:760] = True  # all of the core of Hbeta
    same = dataclasses.replace(attribution, target=np.full(3, "type 1"), mask=mask)
    ax = plot_line_importance(same.by_line(["Hbeta", "Hgamma"]))
    drawn(ax)
    bars = [container for container in ax.containers if hasattr(container, "patches")]
    assert [bar.get_width() == 0 for bar in bars[0]][:2] == [True, False]
    assert [patch.get_hatch() for patch in ax.patches].count("xxxx") == 1


def test_panels_share_one_scale(attribution):
    axes = plt.subplots(1, 2)[1]
    for number, ax in enumerate(axes):
        plot_line_importance(attribution, ax=ax, i=number)
    figures.share_limits(axes)
    assert axes[0].get_xlim() == axes[1].get_xlim()
    with pytest.raises(AgnsalError, match="limit must be positive"):
        plot_line_importance(attribution, i=0, limit=-1.0)


def test_importance_averages_one_target_only(attribution):
    with pytest.raises(AgnsalError, match="median over the targets"):
        plot_line_importance(attribution)
    same = dataclasses.replace(attribution, target=np.full(3, "type 1"))
    ax = plot_line_importance(same.by_line(["Hbeta"]))
    masks = line_masks(attribution.grid, ["Hbeta"])
    expected = np.median(attribution.values[:, masks["Hbeta"]["core"]].sum(axis=1))
    bars = [container for container in ax.containers if hasattr(container, "patches")]
    assert_allclose(bars[0].patches[0].get_width(), expected)
    with pytest.raises(AgnsalError, match="numbered 0 to 2"):
        plot_line_importance(same, i=3)
    with pytest.raises(AgnsalError, match=r"by_line\(\) gives"):
        plot_line_importance([1, 2, 3])
    with pytest.raises(AgnsalError, match="whole spectra"):
        plot_line_importance(same.by_line(["Hbeta", "Hgamma"])[:4])


def test_classes_keep_their_colours_whichever_are_drawn():
    assert class_places(["type 2", "type 1"]) == {"type 2": 1, "type 1": 0}
    three = class_places(["intermediate", "type 2", "type 1"])
    assert {name: place for name, place in three.items() if name != "intermediate"} == class_places(
        ["type 1", "type 2"]
    )
    assert class_places(["type 1", "type 1, real"])["type 1"] == 0
    many = class_places([f"class {k}" for k in range(12)] + ["type_1"])
    assert len(set(many.values())) == 13
    assert class_color(9) == class_color(2)


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_figures_are_written(sample, attribution, tmp_path, suffix):
    for number, ax in enumerate((plot_spectra(sample), plot_saliency(attribution), plot_embedding(POINTS, marked=[0]))):
        path = tmp_path / f"{number}.{suffix}"
        ax.figure.savefig(path)
        assert path.stat().st_size > 1000


def test_the_flux_axis_has_the_unit_of_the_flux_whatever_the_map_is_of():
    raw = agnsal.simulate_agn(12, 12, 0, seed=1)
    model = agnsal.ProbabilisticSVC(random_state=0).fit(raw.flux, raw.labels)
    labels = {
        method: agnsal.figures.plot_saliency(method(model, raw[:1], **options)).get_ylabel()
        for method, options in (
            (agnsal.saliency, {}),
            (agnsal.variance_gradient, {"random_state": 0}),
            (agnsal.integrated_gradients, {}),
        )
    }
    assert set(labels.values()) == {f"Flux density [{raw.unit.to_string('latex_inline')}]"}


@pytest.mark.parametrize("name", [name for name in figures.__all__ if name.startswith("plot_")])
def test_every_figure_takes_axes_and_returns_them(name):
    signature = inspect.signature(getattr(figures, name))
    assert signature.parameters["ax"].default is None
    assert signature.return_annotation == "Axes"


@pytest.mark.parametrize("name", [name for name in figures.__all__ if name.startswith("plot_")])
@pytest.mark.parametrize("thing", [None, 3, "spectrum.fits", object()], ids=["None", "number", "text", "object"])
def test_what_is_no_record_is_refused_by_name(name, thing):
    """Not by an AttributeError about something inside."""
    before = plt.get_fignums()
    draw = getattr(figures, name)
    needed = [each for each in inspect.signature(draw).parameters.values() if each.default is inspect.Parameter.empty]
    with pytest.raises(AgnsalError):
        draw(*[thing for _ in needed])
    assert plt.get_fignums() == before


@pytest.fixture
def gappy(sample, attribution):
    """The first spectrum lacks 30 bins, which say the loudest things."""
    values = attribution.values.copy()
    values[0, 100:130] = 1e6
    return dataclasses.replace(attribution, values=values)


def test_what_was_not_observed_is_hatched_and_has_no_colour(gappy):
    ax = plot_saliency(gappy)
    drawn(ax)
    line = next(artist for artist in ax.collections if isinstance(artist, LineCollection))
    assert np.isnan(np.ma.filled(line.get_array(), np.nan)[100:130]).all()
    assert line.get_clim()[1] < 10
    (hatched,) = (patch for patch in ax.patches if patch.get_hatch())
    edges = gappy.grid.edges.value
    assert (hatched.get_x(), hatched.get_x() + hatched.get_width()) == pytest.approx((edges[100], edges[130]))
    published = plot_saliency(gappy, style="published")
    assert len(published.collections[0].get_offsets()) == 970
    nothing = dataclasses.replace(gappy, mask=np.ones((3, 1000), dtype=bool))
    with pytest.raises(AgnsalError, match="observed"):
        plot_saliency(nothing)
    gradients = plot_class_gradients([gappy])
    assert np.isnan(gradients.lines[1].get_ydata()[100:130]).all()


def test_of_two_classes_that_mirror_each_other_one_is_drawn(attribution):
    other = dataclasses.replace(attribution, values=-attribution.values)
    ax = plot_class_gradients({"type 1": attribution, "type 2": other}, 1)
    drawn(ax)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["type 1 (type 2: the same, other sign)"]
    third = dataclasses.replace(attribution, values=0.5 * attribution.values)
    ax = plot_class_gradients({"type 1": attribution, "type 2": third}, 1)
    assert len(ax.get_legend().get_texts()) == 2


def test_lines_are_named_once_in_a_stack(attribution):
    _, axes = plt.subplots(3, figsize=(7.1, 6.0), layout="constrained", sharex=True)
    for number, ax in enumerate(axes):
        plot_saliency(attribution, number, ax=ax)
    drawn(axes[0])
    named = [any(isinstance(artist, LineLabels) for artist in ax.get_children()) for ax in axes]
    assert named == [True, False, False]
    assert [bool(ax.get_xlabel()) for ax in axes] == [False, False, True]


def test_errors_are_shown_where_they_are_known(attribution):
    error = np.full((3, 1000), 0.5)
    known = dataclasses.replace(attribution, uncertainty={"flux": error})
    ax = plot_saliency(known, 1)
    drawn(ax)
    sure = ax.collections[-1].get_segments()
    assert len(sure) == (np.abs(known.values[1]) > 1.0).sum()
    band = plot_class_gradients([known], 1).collections[0].get_paths()[0].get_extents()
    assert band.y1 == pytest.approx(known.values[1].max() + 0.5)


def test_a_band_shows_the_error_of_the_flux(sample, attribution):
    ivar = np.where(sample.mask, 0.0, 25.0)
    known = agnsal.SpectralSample(sample.flux, sample.grid, ivar=ivar, mask=sample.mask, table=sample.table)
    bare, ax = plot_saliency(attribution, 1), plot_saliency(attribution, 1, sample=known)
    (band,) = (artist for artist in ax.collections if artist.get_label() == "standard error of the flux")
    box = band.get_paths()[0].get_extents()
    assert (box.y0, box.y1) == pytest.approx((sample.flux[1].min() - 0.2, sample.flux[1].max() + 0.2))
    assert ax.get_ylim() == bare.get_ylim()
    assert len(plot_saliency(attribution, sample=sample).collections) == len(bare.collections)  # without errors
    for other in (known[:2], known[::-1]):
        with pytest.raises(AgnsalError, match="that were explained"):
            plot_saliency(attribution, 0, sample=other)
    with pytest.raises(AgnsalError, match="sample must be"):
        plot_saliency(attribution, sample=sample.flux)


def test_a_cosmic_ray_does_not_set_the_scale(attribution):
    inputs = attribution.inputs.copy()
    calm = plot_saliency(attribution, 1).get_ylim()
    inputs[1, 500] = 300.0
    struck = dataclasses.replace(attribution, inputs=inputs)
    ax = plot_saliency(struck, 1)
    assert ax.get_ylim()[1] < 1.6 * calm[1]
    (mark,) = (line for line in ax.lines if line.get_marker() == "^")
    assert mark.get_xdata() == attribution.grid.centers.value[500]
    assert not [line for line in plot_saliency(attribution, 1).lines if line.get_marker() == "^"]
    first = attribution.inputs[1].copy()
    first[300] = -80.0
    change = figures.plot_change(dataclasses.replace(attribution, baseline=first), 1)
    assert change.get_ylim()[0] > -10
    assert [line.get_marker() for line in change.lines if line.get_marker() in ("^", "v")] == ["v"]


def test_the_legend_of_a_change_is_clear_of_the_spectra(attribution):
    ax = figures.plot_change(dataclasses.replace(attribution, baseline=0.5 * attribution.inputs), 1)
    renderer = drawn(ax)
    legend = ax.get_legend().get_window_extent(renderer)
    for line in (line for line in ax.lines if len(line.get_ydata()) == 1000):
        inside = ax.transData.transform(np.column_stack([line.get_xdata(), line.get_ydata()]))
        assert not any(legend.contains(*point) for point in inside)


def test_ablation_bars_are_the_changes():
    spectra = agnsal.simulate_agn(20, 20, 0, seed=1).normalize()
    model = agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(spectra)
    lines = ["[O III] 5007", "Hbeta", "Hgamma"]
    table = agnsal.line_ablation(model, spectra[:2], "type 1", "log_odds", lines=lines, fill="noise", random_state=0)
    ax = figures.plot_line_ablation(table, 1)
    drawn(ax)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["Hγ", "Hβ", "[O III] 5007"]
    bars = next(container for container in ax.containers if hasattr(container, "patches"))
    assert_allclose([bar.get_width() for bar in bars], table["change"][3:][::-1])
    label, whiskers = "Fall of log-odds\nof type 1\nwithout the line", "\nwhiskers: standard error over draws of noise"
    assert ax.get_xlabel() == label + whiskers
    table["change"][4] = np.nan
    assert [patch.get_hatch() for patch in figures.plot_line_ablation(table, 1).patches].count("xxxx") == 1
    with pytest.raises(AgnsalError, match="numbered 0 to 1"):
        figures.plot_line_ablation(table, 2)
    with pytest.raises(AgnsalError, match="whole spectra"):
        figures.plot_line_ablation(table[:4])


@pytest.mark.parametrize("style", ["default", "dark_background"])
@pytest.mark.parametrize("scale", ["linear", "log"])
def test_narrow_columns_without_a_layout_engine(attribution, style, scale):
    with plt.style.context(style):
        figure, ax = plt.subplots(figsize=(88 / 25.4, 2.6))
        plot_saliency(attribution, 1, ax=ax)
        ax.set_xscale(scale)
        renderer = drawn(ax)
        for text in [*texts_of(ax, LineLabels), ax._left_title, ax.yaxis.label, figure.axes[1].yaxis.label]:
            box = text.get_window_extent(renderer)
            assert figure.bbox.x0 - 1 <= box.x0 <= box.x1 <= figure.bbox.x1 + 1
            assert figure.bbox.y0 - 1 <= box.y0 <= box.y1 <= figure.bbox.y1 + 1
        bare = plt.subplots(figsize=(88 / 25.4, 4.0))[1]
        plot_line_importance(attribution, ax=bare, i=1)
        legend = bare.get_legend().get_window_extent(drawn(bare))
        assert bare.figure.bbox.x0 <= legend.x0
        assert legend.x1 <= bare.figure.bbox.x1
        assert bare.lines[-1].get_color() == ax.xaxis.label.get_color()


def test_legends_stay_inside_a_figure_of_the_default_size():
    kinds = np.repeat(["type 1, simulated", "type 2, simulated", "intermediate, simulated"], 17)[: len(POINTS)]
    kinds = np.resize(kinds, len(POINTS))
    for names in (["SDSS J123456.78+123456.7 quasar", "NGC 3783"], ["A" * 200, "B"], ["one", "two"]):
        ax = plot_embedding(POINTS, kinds, marked=[0, 1], names=names)
        box = ax.get_legend().get_window_extent(drawn(ax))
        assert box.x1 <= ax.figure.bbox.x1
    ax = plot_embedding(POINTS, kinds)
    assert ax.get_legend().get_window_extent(drawn(ax)).x1 <= ax.figure.bbox.x1
