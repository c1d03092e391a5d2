"""What may be changed in a spectrum: named quantities, their bounds, and what they do to the flux."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import astropy.units as u
import autograd.numpy as anp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from agnsal.errors import AgnsalError


@dataclass(frozen=True, eq=False)
class Edit:
    """One or several named quantities of each spectrum, and how the flux changes with them.

    Attributes
    ----------
    names : tuple of str
        The quantities, for instance ``("broad Hbeta flux", "broad Hbeta FWHM")``.
    units : tuple of Unit
        Theirs.
    present : ndarray, shape (n, n_quantities)
        Their values in each spectrum now.
    lower, upper : ndarray, shape (n, n_quantities)
        Between what they may be.
    change : callable
        From the values of the quantities of one spectrum, shape (n_quantities,), and its number to the change of its
        flux, shape (n_bins,); written with ``autograd.numpy``, and 0 at the present values.
    scale : ndarray, shape (n, n_quantities), or None
        A change of how much counts as one; None where a population or the noise decides.

    Examples
    --------
    >>> edit = Edit.of_template("bump", [0.0, 1.0, 2.0], n=1, lower=0.0, upper=10.0, scale=1.0)
    >>> edit.change(np.array([0.5]), 0)
    array([0. , 0.5, 1. ])
    """

    names: tuple[str, ...]
    units: tuple[u.UnitBase, ...]
    present: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    change: Callable[[Any, int], Any]
    scale: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if self.present.ndim != 2 or self.present.shape[1] != len(self.names) or len(self.units) != len(self.names):
            raise AgnsalError(f"the present values of {', '.join(self.names)} have shape {self.present.shape}.")
        for name in ("lower", "upper", "scale"):
            given = getattr(self, name)
            if given is not None:
                object.__setattr__(self, name, np.broadcast_to(np.asarray(given, dtype=float), self.present.shape))
        if not ((self.lower <= self.present) & (self.present <= self.upper)).all():
            raise AgnsalError(f"a present value of {', '.join(self.names)} is outside of its bounds.")
        if self.scale is not None and not (self.scale > 0).all():
            raise AgnsalError(f"the scale of {', '.join(self.names)} must be positive.")

    @classmethod
    def of_template(
        cls,
        name: str,
        template: ArrayLike,
        *,
        n: int,
        present: ArrayLike = 0.0,
        lower: ArrayLike = -np.inf,
        upper: ArrayLike = np.inf,
        unit: u.UnitBase | str = "",
        scale: ArrayLike | None = None,
    ) -> Edit:
        """A quantity with which the flux changes in proportion.

        Parameters
        ----------
        name : str
            Of the quantity.
        template : array_like, shape (n_bins,) or (n, n_bins)
            What one unit of it adds to the flux.
        n : int
            How many spectra.
        present, lower, upper : array_like, shape (n,), or float
            Its values and bounds.
        unit : Unit or str
            Its unit.
        scale : array_like, shape (n,), or float, optional
            A change of how much counts as one.

        Returns
        -------
        Edit
        """
        flux = np.broadcast_to(np.asarray(template, dtype=np.float64), (n, np.shape(template)[-1]))
        now, low, high = (
            np.broadcast_to(np.asarray(each, dtype=float), n)[:, None] for each in (present, lower, upper)
        )
        size = None if scale is None else np.broadcast_to(np.asarray(scale, dtype=float), n)[:, None]
        return cls((name,), (u.Unit(unit),), now, low, high, lambda values, i: (values[0] - now[i, 0]) * flux[i], size)

    def noise(self, ivar: NDArray[np.float64]) -> NDArray[np.float64]:
        """Error with which the flux errors allow each quantity to be measured, all else being known.

        Parameters
        ----------
        ivar : ndarray, shape (n, n_bins)
            Inverse variances.

        Returns
        -------
        ndarray, shape (n, n_quantities)
        """
        found = np.empty(self.present.shape)
        for i, q in np.ndindex(*found.shape):
            found[i, q] = 1.0 / np.sqrt(max(float((self._slope(i, q) ** 2 * ivar[i]).sum()), np.finfo(float).tiny))
        # what does not show at all is as uncertain as its bounds are wide
        return np.minimum(found, self.upper - self.lower)

    def observed(self, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Share of what the edit does that falls on bins which were observed.

        Parameters
        ----------
        mask : ndarray of bool, shape (n, n_bins)
            Bad bins.

        Returns
        -------
        ndarray, shape (n,)
            Of the squared change of the flux, of the quantity of which least was observed.
        """
        found = np.ones(len(self.present))
        for i in np.flatnonzero(mask.any(axis=1)):
            for q in range(len(self.names)):
                size = self._slope(int(i), q) ** 2
                if size.any():
                    found[i] = min(found[i], float(size[~mask[i]].sum() / size.sum()))
        return found

    def _slope(self, i: int, q: int) -> NDArray[np.float64]:
        """Change of the flux of a spectrum per unit of one quantity."""
        now = self.present[i]
        step = 1e-5 * max(1.0, float(abs(now[q]))) * np.eye(now.size)[q]
        return np.asarray(self.change(now + step, i) - self.change(now - step, i)) / (2.0 * step[q])

    def restricted(self, names: Sequence[str]) -> Edit | None:
        """The same with some of the quantities only, the others as they are; None if it has none of them."""
        kept = [q for q, name in enumerate(self.names) if name in names]
        if not kept or len(kept) == len(self.names):
            return self if kept else None

        def change(values: Any, i: int) -> Any:
            whole = [values[kept.index(q)] if q in kept else self.present[i, q] for q in range(len(self.names))]
            return self.change(anp.array(whole), i)

        part = {name: getattr(self, name)[:, kept] for name in ("present", "lower", "upper")}
        part["scale"] = None if self.scale is None else self.scale[:, kept]
        return replace(
            self,
            names=tuple(self.names[q] for q in kept),
            units=tuple(self.units[q] for q in kept),
            change=change,
            **part,
        )
