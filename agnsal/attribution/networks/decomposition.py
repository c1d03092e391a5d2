"""Contextual decomposition of networks: what a group of wavelengths contributes, and how groups interact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agnsal.attribution.answer.attribution import Attribution
from agnsal.attribution.networks.asking import ask_network
from agnsal.attribution.networks.splitting import Rule, split
from agnsal.attribution.question.methods import declare
from agnsal.errors import AgnsalError
from agnsal.models.networks.network import Network
from agnsal.models.validation import flux_of, refuse_units_and_masks
from agnsal.spectra.regions import Regions
from agnsal.spectra.sample import SpectralSample

_BATCH = 2**22  # numbers in one batch of inputs, 32 MiB


def contextual_decomposition(
    network: Network, X: SpectralSample | ArrayLike, relevant: Regions | ArrayLike, *, rule: Rule = "authors"
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Split the outputs of a network into what a part of the spectrum contributes and the rest.

    The two sum to the output to rounding. They are not additive over groups: the relevant parts of two groups do not
    sum to that of their union (`interaction` is the difference). What is absent is 0, so give spectra standardised,
    where 0 is the training mean. The bias of a unit that gets nothing from either part is halved between them, as in
    the authors' code, so an empty group is not always given 0; the penalties of `agnsal.training.penalties` give it to
    the irrelevant part. With the authors' rule a group that only inhibits hidden units can get 0 although the
    output depends on it: look at the occlusion value beside it (`decomposition_table`), or use the symmetric rule.

    Parameters
    ----------
    network : Network
        Any of its layers will do.
    X : SpectralSample or array_like, shape (n, n_features)
        Spectra as the network takes them.
    relevant : Regions or array_like
        What is relevant: a boolean mask (n_features,); regions or several masks (n_groups, n_features), done
        together; or the relevant part itself, a float array of the shape of X (a mask for each spectrum is
        ``mask * X``) or (n_groups, n, n_features).
    rule : {"authors", "symmetric"}
        For ReLU: the irrelevant part gets the interaction, as in the authors' code, or half of it.

    Returns
    -------
    relevant, irrelevant : ndarray, shape (n, n_outputs), or (n_groups, n, n_outputs)
        Parts of the raw outputs (logits).

    Raises
    ------
    AgnsalError
        If the shapes do not fit, or a layer has no rule.

    References
    ----------
    Singh, Murdoch & Yu 2019, arXiv:1806.05337; Murdoch, Liu & Yu 2018, arXiv:1801.05453.

    Examples
    --------
    >>> import numpy as np
    >>> network = Network.dense([np.eye(2), [[1.0, 1.0]]], [[0.5, 0.0], [0.0]])
    >>> contextual_decomposition(network, [[1.0, 3.0]], np.array([True, False]))
    (array([[1.5]]), array([[3.]]))
    """
    shaped = network.shaped(X)
    spectra = shaped.reshape(len(shaped), -1)
    parts, many = _parts(relevant, spectra)
    scores = []
    for start in range(0, len(parts), step := max(1, _BATCH // max(1, spectra.size))):
        some = parts[start : start + step]
        inside = some * spectra if some.dtype == bool else some
        inside = np.broadcast_to(inside, (len(some), *spectra.shape))
        rest = spectra - inside
        stacked = (-1, *shaped.shape[1:])
        both = split(network.layers, inside.reshape(stacked), rest.reshape(stacked), rule)
        scores.append([part.reshape(len(some), len(spectra), -1) for part in both])
    beta, gamma = (np.concatenate(part) for part in zip(*scores, strict=True))
    return (beta, gamma) if many else (beta[0], gamma[0])


@declare("contextual decomposition", answers="experiments", network=True)
def contextual_decomposition_map(
    network: object,
    sample_or_X: SpectralSample | ArrayLike,
    target: Any = "predicted",
    output: Literal["decision"] = "decision",
    *,
    regions: Any = None,
    rule: Rule = "authors",
) -> Attribution:
    """What each region contributes by itself to a network's output, as an `Attribution`.

    Parameters
    ----------
    network : object
        A `Network`, or what `Network.from_sklearn` or `Network.from_torch` take.
    sample_or_X, target
        As in `saliency`.
    output : {"decision"}
        The raw output of the network (the logit) is what is decomposed; there is no other.
    regions : None, Regions, int, Quantity, str, sequence of str, or array_like of int, shape (n_features,)
        What is taken together, as in `occlusion`; by default every feature by itself, one pass through the network
        for each.
    rule : {"authors", "symmetric"}
        See `contextual_decomposition`.

    Returns
    -------
    Attribution
        Without unit. The contribution of a region is shared equally among its features; the values do not sum to the
        output, because regions interact. `baseline` is 0: what is absent is 0.

    Raises
    ------
    AgnsalError
        If the regions do not fit, another output is asked for, or the model is no network.

    See Also
    --------
    contextual_decomposition : any part of a spectrum and the rest, as arrays.

    References
    ----------
    Singh, Murdoch & Yu 2019, arXiv:1806.05337.

    Examples
    --------
    >>> import numpy as np
    >>> from agnsal import Network
    >>> network = Network.dense([np.eye(2), [[1.0, 1.0]]], [[0.5, 0.0], [0.0]])
    >>> contextual_decomposition_map(network, [[1.0, 3.0]]).values
    array([[1.5, 3. ]])
    """
    question = ask_network(network, sample_or_X, target, output)
    together = question.regions(regions)
    weights = question.estimator.output_weights(question.X, question.target)
    parts = [contextual_decomposition(question.estimator, question.X, mask, rule=rule)[0] for mask in _blocks(together)]
    values = np.einsum("gnk,nk->ng", np.concatenate(parts), weights)
    return question.answer(
        together.spread(values),
        method="contextual_decomposition_map",
        baseline=np.zeros(question.X.shape[1]),
        regions=None if regions is None else together,
        options={"regions": regions, "rule": rule},
    )


def _blocks(regions: Regions) -> Iterator[NDArray[np.bool_]]:
    """Masks of the regions, some at a time."""
    step = max(1, _BATCH // regions.n_features)
    for start in range(0, len(regions), step):
        yield np.arange(start, min(start + step, len(regions)))[:, None] == regions.labels


def _parts(relevant: Any, spectra: NDArray[Any]) -> tuple[NDArray[Any], bool]:
    """Groups as (n_groups, 1, n_features) masks or (n_groups, n, n_features) parts, and whether several were given."""
    n, d = spectra.shape
    if isinstance(relevant, Mapping):
        relevant = Regions.of(relevant, d, partition=False).masks
    parts = np.asarray(relevant)
    if parts.dtype == bool and parts.shape in ((d,), (len(parts), d)):
        return parts.reshape(-1, 1, d), parts.ndim == 2
    if parts.dtype.kind == "f" and parts.shape in ((n, d), (len(parts), n, d)):
        return parts.reshape(-1, n, d), parts.ndim == 3
    raise AgnsalError(
        f"relevant must be a boolean mask ({d},) or masks (n_groups, {d}), or the relevant part of the spectra, floats "
        f"of shape {spectra.shape}; got {parts.dtype} of shape {parts.shape}. A mask of 0 and 1 is mask.astype(bool)."
    )


def interaction(
    network: Network, X: SpectralSample | ArrayLike, a: ArrayLike, b: ArrayLike, *, rule: Rule = "authors"
) -> NDArray[np.float64]:
    """What two groups contribute together beyond what each does alone.

    Parameters
    ----------
    network : Network
        The network.
    X : SpectralSample or array_like, shape (n, n_features)
        Spectra as the network takes them.
    a, b : array_like of bool, shape (n_features,)
        The groups. What two share counts twice in their sum, so take groups with no bin in common.
    rule : {"authors", "symmetric"}
        See `contextual_decomposition`.

    Returns
    -------
    ndarray, shape (n, n_outputs)
        Relevant part of the union less those of the groups.

    Raises
    ------
    AgnsalError
        If the groups are no masks.

    Examples
    --------
    >>> import numpy as np
    >>> network = Network.dense([[[1.0, -1.0]], [[1.0]]], [[0.0], [0.0]])
    >>> interaction(network, [[3.0, 1.0]], np.array([True, False]), np.array([False, True]))
    array([[-1.]])
    """
    X = flux_of(X)
    a, b = _mask(a, X.shape[1]), _mask(b, X.shape[1])
    both, first, second = contextual_decomposition(network, X, np.stack([a | b, a, b]), rule=rule)[0]
    return both - first - second


def transformed_decomposition(
    network: Network,
    X: SpectralSample | ArrayLike,
    transform: Any,
    groups: ArrayLike | Mapping[str, ArrayLike] | None = None,
    *,
    rule: Rule = "authors",
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Split the outputs by groups of coordinates of a transform: Fourier bands, wavelet scales, components (TRIM).

    The relevant part of a spectrum is what the group's coordinates add to it; what the transform cannot express, and
    its constant (the mean of a principal component analysis), are irrelevant.

    Parameters
    ----------
    network : Network
        The network.
    X : SpectralSample or array_like, shape (n, n_features)
        Spectra as the network takes them.
    transform : object
        With methods ``forward`` and ``inverse``, and ``groups`` if none are given, for instance `FourierBands`; fitted
        to spectra as the network takes them. Its inverse is affine.
    groups : array_like of bool, shape (m,) or (n_groups, m), or mapping of str to mask, optional
        Coordinates of each group; by default the transform's own, in the order of ``transform.group_names``.
    rule : {"authors", "symmetric"}
        See `contextual_decomposition`.

    Returns
    -------
    relevant, irrelevant : ndarray, shape (n_groups, n, n_outputs), or (n, n_outputs) for a single mask

    Raises
    ------
    AgnsalError
        If a mask does not fit the coordinates, or the transform's way back is not linear.

    References
    ----------
    Singh, Ha, Lanusse, Boehm, Liu & Yu 2020, arXiv:2003.01926.

    Examples
    --------
    >>> import numpy as np
    >>> from agnsal import FourierBands
    >>> network = Network.dense([np.ones((1, 8))], [[0.0]])  # the sum of the bins lives at frequency zero
    >>> x = np.arange(8.0)[None]
    >>> bands = FourierBands(n_bands=2).fit(x)
    >>> transformed_decomposition(network, x, bands)[0][:, 0, 0].round(9) + 0.0
    array([28.,  0.])
    """
    if not getattr(transform, "linear", True):
        raise AgnsalError(
            f"the way back of {transform!r} is not linear, so its coordinates do not add up to a spectrum."
        )
    coordinates = np.asarray(transform.forward(X), dtype=np.float64)
    if groups is None:
        masks = Regions.from_labels(transform.groups).masks
    else:
        of_names = isinstance(groups, Mapping)
        masks = Regions.of(groups, coordinates.shape[1], partition=False).masks if of_names else np.asarray(groups)
    single = masks.ndim == 1
    masks = np.stack([_mask(mask, coordinates.shape[1]) for mask in np.atleast_2d(masks)])
    constant = transform.inverse(np.zeros((1, coordinates.shape[1])))
    parts = np.stack([transform.inverse(np.where(mask, coordinates, 0.0)) - constant for mask in masks])
    return contextual_decomposition(network, X, parts[0] if single else parts, rule=rule)


def one_spectrum(x: SpectralSample | ArrayLike) -> NDArray[np.float64]:
    """Flux of a single spectrum: of a sample of one, or an array.

    Parameters
    ----------
    x : SpectralSample of one spectrum, or array_like, shape (n_features,)
        As the network takes it.

    Returns
    -------
    ndarray, shape (n_features,)

    Raises
    ------
    AgnsalError
        If it is more or less than one spectrum.

    Examples
    --------
    >>> one_spectrum([1, 2])
    array([1., 2.])
    """
    refuse_units_and_masks(x, "x")
    flux = flux_of(x if isinstance(x, SpectralSample) else np.atleast_2d(np.asarray(x)))
    if len(flux) != 1:
        raise AgnsalError(f"one spectrum of shape (n_features,) is expected, got {len(flux)}; take sample[i] or X[i].")
    return flux[0]


def _mask(mask: Any, size: int) -> NDArray[np.bool_]:
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.shape != (size,):
        raise AgnsalError(f"a group must be a boolean mask of shape ({size},), got {mask.dtype} of shape {mask.shape}.")
    return mask
