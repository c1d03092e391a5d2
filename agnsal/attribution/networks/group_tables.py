"""Groups of wavelengths by the names of lines, and what contextual decomposition says of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import ArrayLike, NDArray

from agnsal.attribution.networks.decomposition import contextual_decomposition
from agnsal.attribution.networks.splitting import Rule
from agnsal.errors import AgnsalError, same_option
from agnsal.models.networks.network import Network
from agnsal.models.validation import flux_of
from agnsal.spectra.grid import WavelengthGrid
from agnsal.spectra.regions import Regions
from agnsal.spectra.sample import SpectralSample


def line_groups(
    grid: WavelengthGrid, lines: Iterable[str] | None = None, *, split_wings: bool = False, rest: str | None = "rest"
) -> Regions:
    """Regions of named lines; every bin is in one at most. The same as `Regions.from_lines`.

    Parameters
    ----------
    grid : WavelengthGrid
        In vacuum and rest frame.
    lines : iterable of str, optional
        Names; by default the common lines on the grid. Where two overlap (an index window and a line in it) the one
        named first has the bin.
    split_wings : bool
        Make two groups of every permitted line, its core and its wings: the narrow and the broad line.
    rest : str or None
        Name of a last group of all other bins; None for none.

    Returns
    -------
    Regions

    Raises
    ------
    AgnsalError
        If a line is unknown or off the grid, or all its bins belong to lines before it.

    Examples
    --------
    >>> from agnsal import PERUZZI2021_GRID
    >>> groups = line_groups(PERUZZI2021_GRID, ["Hbeta", "[O III] 5007"], split_wings=True)
    >>> list(groups), int(sum(mask.sum() for mask in groups.values()))
    (['Hbeta core', 'Hbeta wings', '[O III] 5007', 'rest'], 1000)
    """
    groups = Regions.from_lines(grid, lines, split_wings=split_wings)
    return groups if rest is None else groups.with_rest(rest)


def line_units(grid: WavelengthGrid, lines: Iterable[str] | None = None) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Units for `agglomerate`: each line is one, and each stretch between lines.

    Parameters
    ----------
    grid : WavelengthGrid
        In vacuum and rest frame.
    lines : iterable of str, optional
        Names; by default the common lines on the grid.

    Returns
    -------
    units : ndarray of int, shape (n_bins,)
        Unit of each bin, in order of wavelength.
    names : tuple of str
        Name of each unit; stretches are named by their range in Angstrom.

    Examples
    --------
    >>> from agnsal import PERUZZI2021_GRID
    >>> units, names = line_units(PERUZZI2021_GRID, ["Hbeta", "[O III] 5007"])
    >>> names[1], names[3], names[units[0]].startswith("3728-")
    ('Hbeta', '[O III] 5007', True)
    """
    units = Regions.from_lines(grid, lines).with_gaps()
    return units.labels, units.names


def decomposition_table(
    network: Network,
    X: SpectralSample | ArrayLike,
    regions: Any = None,
    *,
    target: Any = None,
    ids: ArrayLike | None = None,
    rule: Rule = "authors",
    groups: Any = None,
) -> QTable:
    """Contribution of each group to one output of each spectrum, with the effect of its removal beside it.

    The two answer different questions. A contribution of nought with an occlusion that is not is the mark of a group
    that acts by inhibiting hidden units, which the authors' rule does not see.

    Parameters
    ----------
    network : Network
        The network.
    X : SpectralSample or array_like, shape (n, n_features)
        Spectra as the network takes them.
    regions : Regions, or what `Regions.of` reads
        For instance names of lines; by default every bin.
    target : label, array_like of labels, or None
        Which output; None for the predicted class of each spectrum, or the single output.
    ids : array_like, shape (n,), optional
        Names of the spectra; by default those of the sample.
    rule : {"authors", "symmetric"}
        See `contextual_decomposition`.
    groups : object
        Another name for `regions`.

    Returns
    -------
    QTable
        A row per spectrum and group: ``object_id``, ``group``, ``n_bins``, ``output`` (value explained),
        ``contribution`` (relevant part), ``occlusion`` (output less output with the group at 0).

    Examples
    --------
    >>> import numpy as np
    >>> network = Network.dense([[[1.0, -1.0]], [[1.0]]], [[0.0], [0.0]])
    >>> groups = {"blue": np.array([True, False]), "red": np.array([False, True])}
    >>> print(decomposition_table(network, [[3.0, 1.0]], groups)["group", "contribution", "occlusion"])
    group contribution occlusion
    ----- ------------ ---------
     blue          3.0       2.0
      red          0.0      -1.0
    """
    found = _regions(X, same_option("regions", regions, "groups", groups))
    if isinstance(X, SpectralSample) and ids is None:
        ids = X.ids
    X = flux_of(X)
    weights = network.output_weights(X, target)
    masks = found.masks
    relevant = (contextual_decomposition(network, X, masks, rule=rule)[0] * weights).sum(axis=-1)
    output = (network.forward(X) * weights).sum(axis=-1)
    without = np.stack([(network.forward(np.where(mask, 0.0, X)) * weights).sum(axis=-1) for mask in masks])
    names = np.array([f"spectrum {i}" for i in range(len(X))]) if ids is None else np.asarray(ids)
    table = QTable()
    table["object_id"] = np.repeat(names, len(masks))
    table["group"] = np.tile(found.names, len(X))
    table["n_bins"] = np.tile(found.sizes, len(X))
    table["output"] = np.repeat(output, len(masks))
    table["contribution"] = relevant.T.ravel()
    table["occlusion"] = (output - without).T.ravel()
    table.meta.update(rule=rule, network=repr(network))
    return table


def interaction_matrix(
    network: Network,
    X: SpectralSample | ArrayLike,
    regions: Any = None,
    *,
    target: Any = None,
    rule: Rule = "authors",
    groups: Any = None,
) -> NDArray[np.float64]:
    """Interactions between all pairs of groups, for one output of each spectrum.

    Parameters
    ----------
    network : Network
        The network.
    X : SpectralSample or array_like, shape (n, n_features)
        Spectra as the network takes them.
    regions : Regions, or what `Regions.of` reads
        With no bin in two of them.
    target : label, array_like of labels, or None
        As in `decomposition_table`.
    rule : {"authors", "symmetric"}
        See `contextual_decomposition`.
    groups : object
        Another name for `regions`.

    Returns
    -------
    ndarray, shape (n, n_regions, n_regions)
        Symmetric; on the diagonal the contributions of the groups themselves.

    Raises
    ------
    AgnsalError
        If groups share bins.

    Examples
    --------
    >>> import numpy as np
    >>> network = Network.dense([[[1.0, -1.0]], [[1.0]]], [[0.0], [0.0]])
    >>> groups = {"blue": np.array([True, False]), "red": np.array([False, True])}
    >>> interaction_matrix(network, [[3.0, 1.0]], groups)
    array([[[ 3., -1.],
            [-1.,  0.]]])
    """
    found = _regions(X, same_option("regions", regions, "groups", groups))
    if found.overlap:
        raise AgnsalError("groups share bins; interactions are between groups that share none (see line_groups).")
    masks = found.masks
    first, second = np.triu_indices(len(masks))
    weights = network.output_weights(X, target)
    relevant = contextual_decomposition(network, X, masks[first] | masks[second], rule=rule)[0]
    union = (relevant * weights).sum(axis=-1)
    result = np.empty((len(weights), len(masks), len(masks)))
    result[:, first, second] = result[:, second, first] = union.T
    alone = result[:, range(len(masks)), range(len(masks))].copy()
    result -= alone[:, :, None] + alone[:, None, :]
    result[:, range(len(masks)), range(len(masks))] = alone
    return result


def _regions(X: SpectralSample | ArrayLike, regions: Any) -> Regions:
    grid = X.grid if isinstance(X, SpectralSample) else None
    return Regions.of(regions, np.shape(flux_of(X))[-1], grid, partition=False)
