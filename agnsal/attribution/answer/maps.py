"""Maps of many spectra together: means of groups, kinds, and how alike those of refits are.

`Attribution` has each of them as a method, so this stands below it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agnsal.display import Displayed, Table
from agnsal.errors import AgnsalError
from agnsal.figures.records import AttributionRecord
from agnsal.seeds import Seed, seed_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: An `agnsal.Attribution`.
Maps = TypeVar("Maps", bound=Any)


class KeptMaps(Protocol):
    """Maps that are read a block at a time, as those of an `agnsal.DatasetResult`."""

    def attributions(self) -> Iterator[tuple[NDArray[np.intp], Any]]:
        """Numbers of some spectra, and their attribution."""
        ...

    def column(self, name: str) -> NDArray[Any]:
        """What is known of every spectrum under a name."""
        ...

    def __len__(self) -> int: ...


@dataclass(frozen=True, eq=False)
class MeanMaps(Displayed, Generic[Maps]):
    """Mean and scatter of the maps of each group of spectra.

    Attributes
    ----------
    mean : Attribution
        One map per group, named by it: the means over its spectra. Bins that were bad in all of them are masked.
    scatter : ndarray, shape (n_groups, n_features)
        Standard deviation over the spectra of a group (NaN for a group of one).
    count : ndarray of int, shape (n_groups, n_features)
        How many good spectra a mean is of.
    """

    mean: Maps
    scatter: NDArray[np.float64]
    count: NDArray[np.intp]

    @property
    def groups(self) -> NDArray[Any]:
        """Names of the groups."""
        return self.mean.ids

    @property
    def error(self) -> NDArray[np.float64]:
        """Standard error of the means, shape (n_groups, n_features)."""
        return self.scatter / np.sqrt(np.maximum(self.count, 1))

    def plot(self, groups: Iterable[str] | None = None, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the mean map of each group; see `agnsal.figures.plot_mean_maps`.

        Parameters
        ----------
        groups : iterable of str, optional
            Which of them; by default all.
        ax : Axes, optional
            Where to draw.
        **options
            Passed on.

        Returns
        -------
        Axes
        """
        from agnsal.figures import plot_mean_maps

        return plot_mean_maps(self, groups, ax=ax, **options)

    def __repr__(self) -> str:
        return f"<MeanMaps: {len(self.groups)} groups of {self.mean!r}>"

    def _display(self) -> Table:
        size = np.sqrt(np.square(self.mean.values).mean(axis=1))
        rows = list(zip(self.groups, self.mean.target, self.count.max(axis=1), size, strict=True))
        title = f"mean maps: {self.mean.method.replace('_', ' ')}"
        return Table(title, rows, ["group", "target", "spectra", "root mean square"])


def _refuse_others(attribution: object) -> None:
    if not hasattr(attribution, "observed_values"):
        raise AgnsalError(f"an Attribution is needed, as saliency gives it; got a {type(attribution).__name__}.")


@dataclass
class _Group:
    """Moments of the maps of one group, added up part by part (Chan, Golub & LeVeque 1979)."""

    count: NDArray[np.float64]
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]
    inputs: NDArray[np.float64]
    explained: float = 0.0
    size: int = 0
    targets: set[str] = field(default_factory=set)

    @classmethod
    def empty(cls, n_features: int) -> _Group:
        """Of no map yet."""
        return cls(*np.zeros((4, n_features)))

    def add(self, part: Any, member: NDArray[np.bool_]) -> None:
        """Take in some spectra of a part."""
        values = part.values[member]
        good = np.ones(values.shape, dtype=bool) if part.mask is None else ~part.mask[member]
        n = good.sum(axis=0).astype(np.float64)
        mean = np.where(good, values, 0.0).sum(axis=0) / np.maximum(n, 1)
        share = n / np.maximum(self.count + n, 1)
        self.squares += (np.where(good, values - mean, 0.0) ** 2).sum(axis=0)
        self.squares += (mean - self.mean) ** 2 * self.count * share
        self.mean += (mean - self.mean) * share
        self.count += n
        self.inputs += np.where(good, part.inputs[member], 0.0).sum(axis=0)
        self.explained += float(part.explained[member].sum())
        self.size += int(member.sum())
        self.targets.update(np.unique(part.target[member]).tolist())


def mean_maps(attribution: Maps | KeptMaps, groups: ArrayLike | None = None) -> MeanMaps[Any]:
    """Average the maps of each group of spectra, leaving bad bins out.

    Parameters
    ----------
    attribution : Attribution or DatasetResult
        Maps of many spectra. Those of a data set are read a block at a time.
    groups : array_like, shape (n,), optional
        Group of each spectrum, for instance its label; by default the target of its map. Of a data set also the name
        of a column of the answers.

    Returns
    -------
    MeanMaps

    Raises
    ------
    AgnsalError
        If there is not one group for each spectrum.

    Examples
    --------
    >>> import agnsal
    >>> sample = agnsal.simulate_agn(30, 40, 0, seed=1).normalize()
    >>> model = agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(sample.flux, sample.labels)
    >>> maps = mean_maps(agnsal.saliency(model, sample), sample.labels)
    >>> maps.groups.tolist(), maps.scatter.shape
    (['type 1', 'type 2'], (2, 1000))
    """
    parts: Iterable[tuple[NDArray[np.intp], Any]]
    if hasattr(attribution, "attributions"):
        name = "predicted" if groups is None else groups
        names, parts = (
            np.asarray(attribution.column(name) if isinstance(name, str) else name),
            attribution.attributions(),
        )
    else:
        _refuse_others(attribution)
        names = cast(Any, attribution).target if groups is None else np.asarray(groups)
        parts = [(np.arange(len(attribution)), attribution)]
    if names.shape != (len(attribution),):
        raise AgnsalError(f"{names.size} groups given for {len(attribution)} maps; one for each is needed.")
    found: dict[Any, _Group] = {}
    last = None
    for rows, part in parts:
        for label in np.unique(names[rows]).tolist():
            found.setdefault(label, _Group.empty(part.values.shape[1])).add(part, names[rows] == label)
        last = part
    if last is None:
        raise AgnsalError("there are no maps to average.")
    labels = sorted(found)
    each = [found[label] for label in labels]
    count, squares = np.array([group.count for group in each]), np.array([group.squares for group in each])
    spread = np.sqrt(squares / np.maximum(count - 1, 1))
    return MeanMaps(
        mean=replace(
            last,
            values=np.array([group.mean for group in each]),
            inputs=np.array([group.inputs for group in each]) / np.maximum(count, 1),
            ids=np.array(labels).astype(str),
            target=np.array([min(group.targets) if len(group.targets) == 1 else "several" for group in each]),
            explained=np.array([group.explained / group.size for group in each]),
            mask=count == 0,
            baseline=None,
            residual=None,
            unexplained=None,
            unexplained_share=None,
            uncertainty=None,
            options={},  # a mean is not made again by asking once more
            provenance={**last.provenance, "mean of": [group.size for group in each]},
        ),
        scatter=np.where(count > 1, spread, np.nan),
        count=count.astype(np.intp),
    )


def cluster_maps(
    attribution: AttributionRecord, n_clusters: int = 3, *, scale: bool = True, random_state: Seed = None
) -> NDArray[np.intp]:
    """Sort maps into kinds by their shape: k-means on the maps.

    Parameters
    ----------
    attribution : Attribution
        Maps of many spectra.
    n_clusters : int
        Number of kinds, at most the number of maps.
    scale : bool
        Whether each map is brought to unit length first, so that kinds differ in shape and not in strength. (The
        maps of a linear machine with two classes are then all alike but for their sign.)
    random_state : int, RandomState, Generator or None
        Seeds the starts.

    Returns
    -------
    ndarray of int, shape (n,)
        Kind of each map; kind 0 has the most members.

    Raises
    ------
    AgnsalError
        If there are fewer maps than kinds.

    Examples
    --------
    >>> import numpy as np
    >>> from agnsal import ProbabilisticSVC, saliency
    >>> X = np.random.default_rng(0).normal(size=(60, 3))
    >>> model = ProbabilisticSVC(kernel="linear", random_state=0).fit(X, np.where(X[:, 1] > 0, "up", "down"))
    >>> kinds = cluster_maps(saliency(model, X), 2, random_state=0)
    >>> sorted(set(kinds.tolist()))
    [0, 1]
    """
    from sklearn.cluster import KMeans

    _refuse_others(attribution)
    if not 1 <= n_clusters <= len(attribution):
        raise AgnsalError(f"{n_clusters} kinds of {len(attribution)} maps were asked for.")
    maps = np.nan_to_num(attribution.observed_values)  # bad bins tell no kind from another
    if scale:
        length = np.linalg.norm(maps, axis=1, keepdims=True)
        maps = maps / np.where(length > 0, length, 1.0)
    kind = KMeans(n_clusters, n_init=10, random_state=seed_of(random_state)).fit_predict(maps)
    rank = np.argsort(np.argsort(-np.bincount(kind, minlength=n_clusters), kind="stable"), kind="stable")
    return rank[kind].astype(np.intp)


def map_stability(attribution: Any, source: str = "training") -> NDArray[np.float64]:
    """How alike the maps of one spectrum are from refit to refit, as one number.

    Parameters
    ----------
    attribution : Attribution
        With draws of that source, from `attribution_uncertainty`.
    source : {"training", "flux"}
        Whose draws to compare.

    Returns
    -------
    ndarray, shape (n,)
        Mean cosine between the maps of two refits: 1 if all agree up to a factor, near 0 if they have nothing in
        common. Maps that are zero everywhere agree with none.

    Raises
    ------
    AgnsalError
        If there are no draws of that source.

    Examples
    --------
    >>> import agnsal
    >>> sample = agnsal.simulate_agn(30, 30, 0, seed=1).normalize()
    >>> model = agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(sample.flux, sample.labels)
    >>> result = agnsal.attribution_uncertainty(
    ...     agnsal.saliency, model, sample[:2], n_draws=0, n_refits=4, training=sample, random_state=0
    ... )
    >>> bool((map_stability(result) > 0.5).all())
    True
    """
    draws = (attribution.uncertainty or {}).get(source)
    if draws is None or draws.ndim != 3:
        raise AgnsalError(
            f"this attribution has no draws of {source!r}; make them with attribution_uncertainty "
            f"({'n_refits and training' if source == 'training' else 'n_draws'})."
        )
    length = np.linalg.norm(draws, axis=2, keepdims=True)
    unit = np.divide(draws, length, out=np.zeros_like(draws), where=length > 0)
    n = len(draws)
    # the square of the sum holds every pair twice and every map once with itself
    with_itself = (length[:, :, 0] > 0).sum(axis=0)
    return (np.linalg.norm(unit.sum(axis=0), axis=1) ** 2 - with_itself) / (n * (n - 1))
