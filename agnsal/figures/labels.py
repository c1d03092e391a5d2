"""Labels that find their place when the figure is drawn, so that none overlaps another at any size or zoom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Bbox, IdentityTransform
from numpy.typing import ArrayLike, NDArray

from agnsal.figures.records import Floats
from agnsal.figures.style import ink
from agnsal.spectra.grid import WavelengthGrid
from agnsal.spectra.lines import DEFAULT_LINES, LINES, SpectralLine, find_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEADER_POINTS = 9.0  # from the axes to the label of a line
_RING_POINTS = 3.6  # radius of the ring round a point
_DIRECTIONS = np.deg2rad(45.0 + 30.0 * np.array([0, 3, 9, 6, 1, 2, 4, 5, 7, 8, 10, 11]))


class _PlacedTexts(Artist):
    """Texts with leaders, laid out in pixels each time they are drawn."""

    def __init__(self, labels: Iterable[str], *, color: Any = "0.25", fontsize: Any = "small", **text: Any) -> None:
        super().__init__()
        self.set_clip_on(False)
        self.set_zorder(5)
        self.color = color
        self.texts = [
            Text(0, 0, label, color=color, fontsize=fontsize, transform=IdentityTransform(), **text) for label in labels
        ]
        self._size = float(self.texts[0].get_fontsize()) if self.texts else 0.0

    def set_figure(self, figure: Any) -> None:
        super().set_figure(figure)
        for text in self.texts:
            text.set_figure(figure)

    def _place(self, renderer: Any) -> list[Floats]:
        """Move the texts and return the leaders, all in pixels; here the texts stay where they are."""
        del renderer
        return []

    def draw(self, renderer: Any) -> None:
        if not self.get_visible():
            return
        leaders = self._place(renderer)
        renderer.open_group("labels")
        for leader in leaders:
            context = renderer.new_gc()
            context.set_linewidth(0.6)
            context.set_foreground(self.color)
            renderer.draw_path(context, Path(leader), IdentityTransform())
            context.restore()
        for text in self.texts:
            text.draw(renderer)
        renderer.close_group("labels")
        self.stale = False

    def get_window_extent(self, renderer: Any = None) -> Bbox:
        if renderer is None:
            renderer = self.get_figure(root=True)._get_renderer()  # type: ignore[union-attr]
        self._place(renderer)
        boxes = [text.get_window_extent(renderer) for text in self.texts if text.get_visible()]
        return Bbox.union(boxes) if boxes else Bbox.null()


class LineLabels(_PlacedTexts):
    """Names of spectral lines above the axes, upright, moved apart where lines lie close.

    Parameters
    ----------
    wavelengths : array_like, shape (n,)
        Where the lines are, in data coordinates, increasing.
    labels : sequence of str
        Their names.
    fontsize : float or str
        As matplotlib takes it; made smaller where the names would not fit side by side.
    color : color
        Of names and leaders.
    inside : bool
        Hang them from the upper edge into the axes, where there is no room above.
    """

    def __init__(
        self,
        wavelengths: ArrayLike,
        labels: Sequence[str],
        *,
        fontsize: Any = "small",
        color: Any = "0.25",
        inside: bool = False,
    ) -> None:
        super().__init__(
            labels, fontsize=fontsize, color=color, rotation=90, ha="center", va="bottom", parse_math=False
        )
        self.wavelengths = np.asarray(wavelengths, dtype=float)
        self.inside = inside
        self._widths: dict[tuple[int, float, float], float] = {}

    def _place(self, renderer: Any) -> list[Floats]:
        axes = self.axes
        assert axes is not None  # matplotlib draws only what was added to axes
        low, high = sorted(axes.get_xlim())
        seen = (self.wavelengths >= low) & (self.wavelengths <= high)
        for text, visible in zip(self.texts, seen, strict=True):
            text.set_visible(bool(visible))
        shown = [text for text, visible in zip(self.texts, seen, strict=True) if visible]
        if not shown:
            return []
        point = renderer.points_to_pixels(1.0)
        place = axes.transData.transform(np.column_stack([self.wavelengths[seen], np.zeros(len(shown))]))[:, 0]
        order = np.argsort(place)
        box = axes.get_window_extent(renderer)

        gap = self._widest(shown, self._size, renderer) + point
        if gap * len(shown) > box.width:
            gap = self._widest(shown, self._size * box.width / (gap * len(shown)), renderer) + point
        apart = np.empty_like(place)
        apart[order] = spread(place[order], gap, box.x0, box.x1)
        sign = -1.0 if self.inside else 1.0
        bottom, top = box.y1, box.y1 + sign * _LEADER_POINTS * point
        for text, x in zip(shown, apart, strict=True):
            text.set_position((x, top + sign * point))
            text.set_verticalalignment("top" if self.inside else "bottom")
        return [
            np.array([[x, bottom], [x, bottom + 2 * sign * point], [moved, top - 2 * sign * point], [moved, top]])
            for x, moved in zip(place, apart, strict=True)
        ]

    def _widest(self, shown: list[Text], size: float, renderer: Any) -> float:
        """Width of the widest upright name at a size; measured once, for it is asked at every step of a layout."""
        for text in shown:
            text.set_fontsize(size)
        key = (len(shown), size, renderer.points_to_pixels(1.0))
        if key not in self._widths:
            self._widths[key] = max(text.get_window_extent(renderer).width for text in shown)
        return self._widths[key]

    def height_points(self) -> float:
        """How far the labels reach above the axes, in points: what the title must clear.

        Returns
        -------
        float
        """
        from matplotlib.textpath import TextPath

        longest = max((text.get_text() for text in self.texts), key=len, default="")
        width = TextPath((0, 0), longest, size=self._size).get_extents().width if longest else 0.0
        return _LEADER_POINTS + 1.15 * width + 6.0


class PointLabels(_PlacedTexts):
    """Names beside points, each in the first free direction.

    Parameters
    ----------
    points : array_like, shape (n, 2)
        In data coordinates.
    labels : sequence of str
        Their names.
    fontsize : float or str
        As matplotlib takes it.
    """

    def __init__(self, points: ArrayLike, labels: Sequence[str], *, fontsize: Any = "medium") -> None:
        super().__init__(labels, fontsize=fontsize, color="black", ha="center", va="center", weight="bold")
        for text in self.texts:
            text.set_bbox({"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none", "alpha": 0.85})
        self.points = np.asarray(points, dtype=float)

    def _place(self, renderer: Any) -> list[Floats]:
        axes = self.axes
        assert axes is not None  # matplotlib draws only what was added to axes
        pixel = axes.transData.transform(self.points)
        inside, step = axes.get_window_extent(renderer), renderer.points_to_pixels(self._size)
        taken = [Bbox.from_bounds(x - step / 2, y - step / 2, step, step) for x, y in pixel]
        leaders = []
        for text, at in zip(self.texts, pixel, strict=True):
            for distance in (1.3, 2.0, 3.0, 4.5, 6.5):
                for angle in _DIRECTIONS:
                    place = at + distance * step * np.array([np.cos(angle), np.sin(angle)])
                    text.set_position(place)
                    box = text.get_window_extent(renderer)
                    free = box.count_overlaps(taken) == 0 and inside.contains(*box.min) and inside.contains(*box.max)
                    if free:
                        break
                if free:
                    break
            taken.append(box)
            length = np.hypot(*(place - at))
            ring, name = _RING_POINTS * renderer.points_to_pixels(1.0), 0.6 * step
            if length > ring + name:
                leaders.append(at + np.outer([ring / length, 1.0 - name / length], place - at))
        return leaders


def spread(place: NDArray[np.float64], gap: float, low: float, high: float) -> NDArray[np.float64]:
    """Move sorted places apart to at least `gap`, each as little as possible in the sense of least squares.

    The places less ``gap`` times their number must not decrease, which is isotonic regression (pool adjacent
    violators; Barlow et al. 1972, Statistical Inference under Order Restrictions).

    Parameters
    ----------
    place : ndarray, shape (n,)
        Increasing.
    gap : float
        Least distance.
    low, high : float
        Where the first and the last may be at the most, half a gap inside.

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> spread(np.array([1.0, 5.0, 5.0, 9.0]), 1.0, 0.0, 10.0)
    array([1. , 4.5, 5.5, 9. ])
    """
    from scipy.optimize import isotonic_regression

    number = gap * np.arange(place.size)
    free: NDArray[np.float64] = isotonic_regression(place - number).x
    first, last = low + gap / 2, high - gap / 2 - gap * (place.size - 1)
    moved: NDArray[np.float64] = np.clip(free, first, max(first, last)) + number
    return moved


def lines_on(grid: WavelengthGrid | None, lines: Iterable[str] | None) -> list[SpectralLine]:
    """Spectral lines to name on a figure, in order of wavelength.

    Parameters
    ----------
    grid : WavelengthGrid or None
        Named lines are known in vacuum and in the rest frame only; on other grids there are none by default.
    lines : iterable of str or None
        Names; None for the common ones on the grid, an empty one for none.

    Returns
    -------
    list of SpectralLine
    """
    if lines is None:
        known = grid is not None and (grid.medium, grid.frame) == ("vacuum", "rest")
        wanted = [LINES[name] for name in DEFAULT_LINES] if known else []
    else:
        wanted = [find_line(name) for name in ([lines] if isinstance(lines, str) else lines)]
    if grid is None:
        return sorted(wanted, key=lambda line: line.wavelength)
    low, high = grid.edges.value[[0, -1]]
    return sorted((line for line in wanted if low <= line.wavelength <= high), key=lambda line: line.wavelength)


def is_upper(ax: Axes) -> bool:
    """Whether another panel below it shows the same wavelengths (``plt.subplots(n, sharex=True)``)."""
    return any(_place_of(other) > _place_of(ax) for other in _stack(ax))


def _stack(ax: Axes) -> list[Axes]:
    """Other panels of the figure with the same horizontal axis."""
    return [other for other in ax.get_shared_x_axes().get_siblings(ax) if other is not ax and other.figure is ax.figure]


def _place_of(ax: Axes) -> float:
    """How far down a panel stands: its row where it has one."""
    spec = ax.get_subplotspec()
    return -ax.get_position().y0 if spec is None else float(spec.rowspan.start)


def mark_lines(ax: Axes, grid: WavelengthGrid | None, lines: Iterable[str] | None) -> float:
    """Draw a dashed vertical at each line and name it above the axes; of panels with one axis, above the highest.

    Parameters
    ----------
    ax : Axes
        With its horizontal limits set.
    grid : WavelengthGrid or None
        Of the spectra.
    lines : iterable of str or None
        As in `lines_on`.

    Returns
    -------
    float
        Padding in points that a title needs to clear the names.
    """
    chosen = lines_on(grid, lines)
    if not chosen:
        return 4.0
    for line in chosen:
        ax.axvline(line.wavelength, color="0.7", linestyle=(0, (4, 3)), linewidth=0.6, zorder=0.5)
    if any(_place_of(other) < _place_of(ax) for other in _stack(ax)):
        return 4.0
    labels = LineLabels([line.wavelength for line in chosen], [line.label for line in chosen], color=ink(ax))
    ax.add_artist(labels)
    figure, height = ax.get_figure(root=True), labels.height_points()
    if figure is not None and figure.get_layout_engine() is None:  # nobody makes room: is there any?
        box, points = ax.get_window_extent(), 72 / figure.dpi
        labels.inside = (figure.bbox.y1 - box.y1) * points < height - 6.0
        if labels.inside and ax.get_yscale() == "linear":  # the names stand above what is drawn
            low, high = ax.get_ylim()
            ax.set_ylim(low, low + (high - low) / (1 - min(height / (box.height * points), 0.6)))
    return 4.0 if labels.inside else height
