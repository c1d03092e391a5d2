"""Trees of named groups of wavelengths: which lines a network takes together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agnsal.attribution.networks.decomposition import contextual_decomposition, one_spectrum
from agnsal.attribution.networks.splitting import Rule
from agnsal.errors import same_option
from agnsal.models.networks.network import Network
from agnsal.spectra.regions import Regions
from agnsal.spectra.sample import SpectralSample


@dataclass(frozen=True, eq=False)
class GroupTree:
    """The order in which named groups join.

    Attributes
    ----------
    names : tuple of str
        Names of the groups, the leaves.
    scores : ndarray, shape (n_groups,)
        Contribution of each alone.
    joins : tuple of (int, int, float)
        Two nodes and the contribution of their union. Nodes are numbered as in `scipy.cluster.hierarchy`: leaves
        first, then the joins in order.
    """

    names: tuple[str, ...]
    scores: NDArray[np.float64]
    joins: tuple[tuple[int, int, float], ...]

    def members(self, node: int) -> tuple[str, ...]:
        """Names of the groups in a node."""
        if node < len(self.names):
            return (self.names[node],)
        first, second, _ = self.joins[node - len(self.names)]
        return self.members(first) + self.members(second)

    def __str__(self) -> str:
        lines = [f"{score:10.3f}  {name}" for name, score in zip(self.names, self.scores, strict=True)]
        for first, second, score in self.joins:
            lines.append(f"{score:10.3f}  ({' + '.join(self.members(first))}) + ({' + '.join(self.members(second))})")
        return "\n".join(lines)


def join_groups(
    network: Network,
    x: SpectralSample | ArrayLike,
    regions: Any = None,
    target: Any = None,
    *,
    rule: Rule = "authors",
    groups: Any = None,
) -> GroupTree:
    """Join named groups, the pair first whose union adds most to the larger of its two: a tree of lines.

    Groups need not be neighbours, so a broad Hβ and [O III] can join before the continuum between them. It is the
    last phase of the authors' algorithm for images.

    Parameters
    ----------
    network : Network
        The network.
    x : SpectralSample of one spectrum, or array_like, shape (n_features,)
        One spectrum as the network takes it.
    regions : Regions, or what `Regions.of` reads
        For instance names of lines, where a sample is given.
    target : label or None
        Which output; None for the predicted class, or the single output.
    rule : {"authors", "symmetric"}
        See `contextual_decomposition`.
    groups : object
        Another name for `regions`.

    Returns
    -------
    GroupTree

    Examples
    --------
    >>> network = Network.dense([[[1.0, 2.0, 0.0], [0.0, 0.0, 1.0]], [[1.0, 0.1]]], [[0.0, 0.0], [0.0]])
    >>> groups = {name: np.arange(3) == k for k, name in enumerate(["Hβ", "[O III]", "rest"])}
    >>> print(join_groups(network, [1.0, 1.0, 1.0], groups))
         1.000  Hβ
         2.000  [O III]
         0.100  rest
         3.000  (Hβ) + ([O III])
         3.100  (rest) + (Hβ + [O III])
    """
    spectrum = one_spectrum(x)[None]
    weights = network.output_weights(spectrum, target)[0]

    def score(masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        return contextual_decomposition(network, spectrum, masks, rule=rule)[0][:, 0] @ weights

    grid = x.grid if isinstance(x, SpectralSample) else None
    found = Regions.of(same_option("regions", regions, "groups", groups), spectrum.shape[1], grid, partition=False)
    masks = list(found.masks)
    scores = list(score(np.stack(masks)))
    joins: list[tuple[int, int, float]] = []
    unions: dict[tuple[int, int], float] = {}
    left = list(range(len(masks)))
    while len(left) > 1:
        pairs = [(a, b) for k, a in enumerate(left) for b in left[k + 1 :]]
        new = [pair for pair in pairs if pair not in unions]
        unions.update(zip(new, score(np.stack([masks[a] | masks[b] for a, b in new])).tolist(), strict=True))
        a, b = max(pairs, key=lambda pair: unions[pair] - max(scores[pair[0]], scores[pair[1]]))
        joins.append((a, b, unions[a, b]))
        left = [node for node in left if node not in (a, b)] + [len(masks)]
        masks.append(masks[a] | masks[b])
        scores.append(unions[a, b])
    return GroupTree(found.names, np.array(scores[: len(found)]), tuple(joins))
