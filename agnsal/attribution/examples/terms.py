"""The result: what every training spectrum adds to an output, and over which wavelengths."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import astropy.units as u
import numpy as np
from astropy.table import QTable, vstack
from numpy.typing import NDArray

from agnsal.attribution.answer.attribution import Attribution
from agnsal.attribution.answer.line_sums import LineTable
from agnsal.attribution.examples.leave_one_out import leave_one_out_changes
from agnsal.attribution.shapley.owen import owen_values
from agnsal.display import Displayed, Table
from agnsal.errors import AgnsalError, one_of
from agnsal.models.machine.kernels import KernelExpansion
from agnsal.models.structure import PRODUCT_KERNELS, Structure
from agnsal.spectra.grid import WavelengthGrid
from agnsal.spectra.lines import SpectralLine
from agnsal.spectra.regions import Regions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Spectra shown when a result is printed.
_SHOWN = 8

#: Rows of `TrainingInfluence.by_line` that are not wavelengths.
AT_BASELINE, BAD_BINS = "at the baseline", "bad bins"


@dataclass(frozen=True, eq=False)
class TrainingInfluence(Displayed):
    """What every training spectrum adds to an output, from `agnsal.training_influence`; the sign is kept.

    Attributes
    ----------
    terms : ndarray, shape (n, n_vectors)
        What each spectrum the machine kept adds; all others add exactly nothing. See `values`.
    rows : ndarray of int, shape (n_vectors,)
        Which training spectra these are.
    n_training : int
        How many training spectra there were.
    intercept : ndarray, shape (n,)
        The output without them.
    explained : ndarray, shape (n,)
        The output: `intercept` and all terms together, but for the `residual`.
    residual : ndarray, shape (n,)
        Rounding, for a kernel machine; for a network what its last layer is not a ridge regression of.
    exact : bool
        Whether this is what the model computes (a kernel machine), or an approximation of it (a network).
    target, output, ids
        As in `Attribution`.
    training_ids : ndarray of str, shape (n_vectors,)
        Names of the training spectra, or their rows where no names are known.
    training_labels : ndarray, shape (n_vectors,), or None
        Their classes.
    training_flux : ndarray, shape (n_vectors, n_features), or None
        The spectra themselves, where they are known.
    inputs : ndarray, shape (n, n_features)
        The spectra that were explained.
    mask : ndarray of bool, shape (n, n_features), or None
        Their bad bins.
    grid : WavelengthGrid or None
        Their wavelengths.
    flux_unit : Unit or None
        Their unit, where a sample was explained.

    Examples
    --------
    >>> import agnsal
    >>> sample = agnsal.simulate_agn(30, 30, 0, seed=1).normalize()
    >>> model = agnsal.ProbabilisticSVC(random_state=0).fit(sample)
    >>> influence = agnsal.training_influence(model, sample[:2], "type 1")
    >>> influence.values.shape
    (2, 60)
    >>> bool(abs(influence.values.sum(axis=1) + influence.intercept - influence.explained).max() < 1e-10)
    True
    >>> influence.most(0, 2).colnames
    ['training_id', 'row', 'label', 'influence']
    """

    #: What says whether it can be trusted; `agnsal.check` is about maps.
    judged_by: ClassVar[str] = (
        "its terms sum to the output (.residual), and .leave_one_out() says how it would change without each"
    )
    terms: NDArray[np.float64]
    rows: NDArray[np.intp]
    n_training: int
    intercept: NDArray[np.float64]
    explained: NDArray[np.float64]
    residual: NDArray[np.float64]
    exact: bool
    target: NDArray[Any]
    output: str
    ids: NDArray[Any]
    training_ids: NDArray[Any]
    training_labels: NDArray[Any] | None
    training_flux: NDArray[np.float64] | None
    inputs: NDArray[np.float64]
    mask: NDArray[np.bool_] | None
    grid: WavelengthGrid | None
    flux_unit: u.UnitBase | None
    _factors: NDArray[np.float64]
    _structure: Structure
    _start: NDArray[np.float64] | None
    _weights: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.terms)

    def __repr__(self) -> str:
        n_spectra = f"{len(self)} {'spectrum' if len(self) == 1 else 'spectra'}"
        about = "" if self.exact else ", last layer only, approximate"
        return f"<TrainingInfluence: {self.n_training} training spectra on the {self._asked} of {n_spectra}{about}>"

    @property
    def _asked(self) -> str:
        return self.output.replace("_", "-")

    def _display(self) -> Table:
        shown: list[list[object]] = []
        for i in range(min(len(self), _SHOWN)):
            best = [self.most(i, 1, side=side) for side in ("for", "against")]
            names = [
                f"{table['training_id'][0]} ({float(table['influence'][0]):+.3g})" if len(table) else "none"
                for table in best
            ]
            shown.append([self.ids[i], self.target[i], float(self.explained[i]), *names])
        if len(self) > _SHOWN:
            shown.append([f"... {len(self) - _SHOWN} more", "", "", "", ""])
        header = ["object_id", "target", self._asked, "strongest supporter", "strongest opponent"]
        return Table(repr(self)[1:-1], shown, header)

    @property
    def values(self) -> NDArray[np.float64]:
        """What every training spectrum adds, shape (n, n_training); 0 for those the machine did not keep."""
        values = np.zeros((len(self), self.n_training))
        values[:, self.rows] = self.terms
        return values

    def most(self, i: int = 0, k: int = 5, *, side: Literal["both", "for", "against"] = "both") -> QTable:
        """List the training spectra that decided about one spectrum.

        Parameters
        ----------
        i : int
            Which spectrum.
        k : int
            How many at most.
        side : {"both", "for", "against"}
            Whether those that speak for the target are meant, those against it, or whichever are strongest.

        Returns
        -------
        QTable
            Strongest first: ``training_id``, ``row`` (in the training set), ``label`` (where known), ``influence``.

        Raises
        ------
        AgnsalError
            If there is no such spectrum.
        """
        chosen = self._strongest(i, k, side)
        table = QTable()
        table["training_id"], table["row"] = self.training_ids[chosen], self.rows[chosen]
        if self.training_labels is not None:
            table["label"] = self.training_labels[chosen]
        table["influence"] = self.terms[self._number(i), chosen]
        table["influence"].info.format = ".3g"
        return table

    def _number(self, i: int) -> int:
        if not -len(self) <= i < len(self):
            raise AgnsalError(f"there is no spectrum {i} among the {len(self)} that were explained.")
        return range(len(self))[i]

    def _strongest(self, i: int, k: int, side: str = "both") -> NDArray[np.intp]:
        one_of("side", side, ("both", "for", "against"))
        terms = self.terms[self._number(i)]
        strength = {"both": np.abs(terms), "for": terms, "against": -terms}[side]
        order = np.argsort(-strength, kind="stable")[:k]
        return order[strength[order] > 0]

    def leave_one_out(self) -> NDArray[np.float64]:
        """What the output would change if each training spectrum were left out and the machine trained again.

        Not what a spectrum adds (`values`): when it leaves, others take over. To first order: the coefficients of the
        vectors inside the margin move with it, the sigmoids of probabilities stay, and no vector comes or goes.

        Returns
        -------
        ndarray, shape (n, n_training)
            Of training spectra that the machine did not keep exactly 0: without them it is the same.

        Raises
        ------
        AgnsalError
            If the model is no support vector classifier with a bound C.

        References
        ----------
        Cauwenberghs & Poggio 2001, NIPS 13.

        Examples
        --------
        >>> import agnsal
        >>> sample = agnsal.simulate_agn(30, 30, 0, seed=1).normalize()
        >>> model = agnsal.ProbabilisticSVC("linear", random_state=0).fit(sample)
        >>> agnsal.training_influence(model, sample[:2], "type 1").leave_one_out().shape
        (2, 60)
        """
        machine = self._structure
        if machine.training is None or not machine.training.hinge:
            raise AgnsalError(
                "what leaving a training spectrum out changes is known for support vector classifiers with a bound C "
                "(ProbabilisticSVC with nu=None, SVC); fit other models again without it."
            )
        expansion, link = machine.expansion, machine.links[self.output]
        kernel = expansion.kernel(machine.scaled(self.inputs), expansion.support_vectors)
        now = kernel @ expansion.coefficients + expansion.intercepts
        change = leave_one_out_changes(expansion, kernel)
        before = (np.asarray(link(now)) * self._weights).sum(axis=1)
        found = np.zeros((len(self), self.n_training))
        for number, row in enumerate(self.rows):
            found[:, row] = (np.asarray(link(now + change[:, number])) * self._weights).sum(axis=1) - before
        return found

    def over_wavelength(self, i: int = 0, k: int = 5) -> Attribution:
        """Share out what the strongest training spectra add over wavelength.

        For a linear kernel a term is a sum over wavelength. For a Gaussian one it is a product, and the shares are
        Shapley values of that product, exact by quadrature.

        Parameters
        ----------
        i : int
            Which spectrum.
        k : int
            How many training spectra, those with the strongest terms.

        Returns
        -------
        Attribution
            A row for each training spectrum, named after it. A row and what the training spectrum adds at the
            `baseline` sum to its term.

        Raises
        ------
        AgnsalError
            If the model does not compare spectra wavelength by wavelength: a network, a polynomial or sigmoid kernel.
        """
        i, machine = self._number(i), self._structure
        kernel = machine.expansion.kernel
        if not self.exact or kernel.name not in PRODUCT_KERNELS:
            what = f"the {kernel.name} kernel" if self.exact else "the last layer of a network"
            raise AgnsalError(
                f"{what} is neither a sum nor a product over wavelengths, so what a training spectrum adds has no "
                "exact shares; use a linear or an rbf kernel, or look at shapley(...) of the spectrum itself."
            )
        if self._start is None:
            raise AgnsalError(
                "the model does not know the mean of its training spectra, with which wavelengths are compared; give "
                "training_influence a baseline=, for instance X_train.mean(axis=0)."
            )
        chosen = self._strongest(i, k)
        start = np.broadcast_to(self._start, self.inputs.shape)[i]
        x, reference = machine.scaled(np.stack([self.inputs[i], start]))
        bins = Regions.single(x.size)
        values = np.zeros((chosen.size, x.size))
        for number, column in enumerate(chosen):
            vector = machine.expansion.support_vectors[column][None]
            one = KernelExpansion(kernel, vector, np.ones((1, 1)), np.zeros(1))
            values[number], _ = owen_values(one, x, reference, bins, lambda F: F, np.ones(1), exact=True)
        values *= self._factors[i, chosen, None]
        return Attribution(
            values=values,
            target=np.repeat(self.target[[i]], chosen.size),
            method="training influence",
            output=self.output,
            explained=self.terms[i, chosen],
            inputs=np.repeat(self.inputs[[i]], chosen.size, axis=0),
            ids=self.training_ids[chosen],
            grid=self.grid,
            mask=None if self.mask is None else np.repeat(self.mask[[i]], chosen.size, axis=0),
            baseline=start,
            provenance={"object_id": str(self.ids[i])},
        )

    def by_line(self, lines: str | SpectralLine | Iterable[str | SpectralLine] | None = None, k: int = 5) -> LineTable:
        """Sum what the strongest training spectra add over the parts of each line.

        Parameters
        ----------
        lines : str, SpectralLine or iterable of them, optional
            See `Attribution.by_line`.
        k : int
            How many training spectra for each spectrum.

        Returns
        -------
        QTable
            The columns of `Attribution.by_line`, after ``object_id`` that of the training spectrum, ``training_id``.
            Beside the lines a row ``"at the baseline"`` (in ``continuum``: what the training spectrum adds to the
            baseline already) and, where bins are bad, ``"bad bins"``: all rows of a training spectrum sum to its term.

        Raises
        ------
        AgnsalError
            See `over_wavelength` and `Attribution.by_line`.
        """
        tables = []
        for i in range(len(self)):
            maps = self.over_wavelength(i, k)
            table = maps.by_line(lines)
            table.rename_column("object_id", "training_id")
            table.add_column(np.repeat(self.ids[i], len(table)), name="object_id", index=0)
            extra = {AT_BASELINE: maps.explained - maps.values.sum(axis=1)}
            if maps.mask is not None and maps.mask.any():
                extra[BAD_BINS] = maps.unobserved
            for name, amount in extra.items():
                rest = table[table["line"] == table["line"][-1]]
                rest["line"] = np.repeat(name, len(rest))
                rest["continuum"][:] = amount
                for column in rest.colnames:
                    if column.startswith("n_"):
                        rest[column][:] = 0
                    elif column.endswith("fraction"):
                        rest[column][:] = np.nan
                table = vstack([table, rest], metadata_conflicts="silent")
            order = np.argsort(np.unique(table["training_id"], return_inverse=True)[1], kind="stable")
            tables.append(table[order])
        return LineTable(vstack(tables, metadata_conflicts="silent"))

    def plot(self, i: int = 0, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw one spectrum over its supporters and opponents; see `agnsal.figures.plot_training_influence`.

        Parameters
        ----------
        i : int
            Number of the spectrum.
        ax : Axes, optional
            Where to draw.
        **options
            Passed on.

        Returns
        -------
        Axes
        """
        from agnsal.figures import plot_training_influence

        return plot_training_influence(self, i, ax=ax, **options)
