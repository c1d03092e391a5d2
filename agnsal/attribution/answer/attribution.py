"""The one result type of every attribution method."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from agnsal.attribution.answer.spread import errors_of
from agnsal.errors import AgnsalError
from agnsal.spectra.grid import WavelengthGrid
from agnsal.spectra.lines import LINES, line_masks

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: Fields with one entry per spectrum.
_BY_SPECTRUM = (
    "values",
    "target",
    "explained",
    "inputs",
    "ids",
    "mask",
    "residual",
    "unexplained",
    "unexplained_share",
)


@dataclass(frozen=True, eq=False)
class Attribution:
    """How much each feature of each spectrum matters for one output of a model; the sign is kept.

    Attributes
    ----------
    values : ndarray, shape (n, n_features)
        The attribution, in `unit`.
    target : ndarray, shape (n,)
        What is explained of each spectrum: a class label (for ``output="pairwise"`` "a over b").
    method : str
        Name of the method, for instance ``"saliency"``.
    output : str
        Which output of the model: ``"probability"``, ``"log_odds"``, ``"decision"`` or ``"pairwise"``.
    explained : ndarray, shape (n,)
        Value of the explained output at each spectrum.
    inputs : ndarray, shape (n, n_features)
        The spectra that were explained.
    unit : Unit
        Unit of `values`: per unit of flux for a gradient, none for the methods that share out the output itself.
    grid : WavelengthGrid or None
        Wavelengths of the features, where a sample was explained.
    ids : ndarray, shape (n,)
        Names of the spectra.
    mask : ndarray of bool, shape (n, n_features), or None
        Bad bins of the spectra (True = bad).
    baseline : ndarray, shape (n_features,) or (n, n_features), or None
        What the spectra were compared with, for methods that need it.
    residual : ndarray, shape (n,), or None
        Completeness residual, for methods whose values should sum to a known difference: that difference less the sum.
    features : ndarray of str, shape (n_features,), or None
        Names of the features where they are not wavelengths: the axis of a transform. There is no grid then, and
        `inputs` holds the coordinates.
    unexplained : ndarray, shape (n,), or None
        After a transform: what the part of the spectrum the transform cannot represent adds to the output.
    unexplained_share : ndarray, shape (n,), or None
        Its size relative to the whole difference between the spectrum and the baseline.
    uncertainty : dict of str to ndarray, or None
        By source (``"flux"``, ``"training"``): draws of the attribution, shape (n_draws, n, n_features), or, where the
        values of different features are independent, their standard errors, shape (n, n_features).
    provenance : dict
        Versions, options and whatever else is needed to make the result again.

    Examples
    --------
    >>> import agnsal
    >>> sample = agnsal.simulate_agn(20, 20, 0, seed=1).normalize()
    >>> model = agnsal.ProbabilisticSVC(kernel="linear", random_state=0).fit(sample.flux, sample.labels)
    >>> result = agnsal.saliency(model, sample[:2])
    >>> result
    <Attribution: saliency of the probability, 2 spectra x 1000 bins>
    >>> result.by_line(["Hbeta"]).colnames[:6]
    ['object_id', 'target', 'line', 'wavelength', 'core', 'wings']
    """

    values: NDArray[np.float64]
    target: NDArray
    method: str
    output: str
    explained: NDArray[np.float64]
    inputs: NDArray[np.float64]
    ids: NDArray
    unit: u.UnitBase = u.dimensionless_unscaled
    grid: WavelengthGrid | None = None
    mask: NDArray[np.bool_] | None = None
    baseline: NDArray[np.float64] | None = None
    residual: NDArray[np.float64] | None = None
    features: NDArray | None = None
    unexplained: NDArray[np.float64] | None = None
    unexplained_share: NDArray[np.float64] | None = None
    uncertainty: Mapping[str, NDArray[np.float64]] | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        n, d = self.values.shape
        what = "bins" if self.grid is not None else "features"
        return f"<Attribution: {self.method} of the {self.output.replace('_', ' ')}, {n} spectra x {d} {what}>"

    def __getitem__(self, index: Any) -> Attribution:
        """Take some of the spectra: one number (a result of one), a slice, an array of numbers or of booleans."""
        if isinstance(index, int | np.integer):
            if not -len(self) <= index < len(self):
                raise IndexError(f"spectrum {index} of an attribution of {len(self)}")
            index = [int(index)]
        rows = np.arange(len(self))[index]
        taken: dict[str, Any] = {}
        for name in _BY_SPECTRUM:
            value = getattr(self, name)
            taken[name] = None if value is None else value[rows]
        if self.uncertainty is not None:
            taken["uncertainty"] = {source: spread[..., rows, :] for source, spread in self.uncertainty.items()}
        if self.baseline is not None and self.baseline.ndim > 1:
            taken["baseline"] = self.baseline[rows]
        return replace(self, **taken)

    @property
    def standard_error(self) -> NDArray[np.float64] | None:
        """Standard error of every value from all sources together, shape (n, n_features); None where unknown."""
        return None if self.uncertainty is None else errors_of(self.uncertainty)[""]

    def by_line(self, lines: Iterable[str] | None = None) -> QTable:
        """Sum the attribution over the core, the wings and the neighbouring continuum of each named line.

        Parameters
        ----------
        lines : iterable of str, optional
            Names of lines or windows (`agnsal.line_table`); by default the common lines on the grid.

        Returns
        -------
        QTable
            A row per spectrum and line: ``object_id``, ``target``, ``line``, ``wavelength`` (vacuum), ``core``,
            ``wings``, ``continuum`` (sums of `values` in `unit`), ``n_core``, ``n_wings``, ``n_continuum`` (bins).
            With an `uncertainty` (`agnsal.attribution_uncertainty`) also ``core_error`` from all sources,
            ``core_error_flux`` and the like from each, ``core_significance`` (the sum over its error), and the same
            of wings and continuum; bins of a sum that vary together are taken as such.

        Raises
        ------
        AgnsalError
            If there is no grid, a line is unknown or off the grid.
        """
        masks = line_masks(self._needed_grid(), lines)
        if not masks:
            raise AgnsalError(f"no named line lies on {self.grid!r}.")
        names = list(masks)
        table = QTable()
        table["object_id"] = np.repeat(self.ids, len(names))
        table["target"] = np.repeat(self.target, len(names))
        table["line"] = np.tile(names, len(self))
        table["wavelength"] = np.tile([LINES[name].wavelength for name in names], len(self)) * u.AA
        for part in ("core", "wings", "continuum"):
            members = np.array([masks[name][part] for name in names], dtype=np.float64)
            sums = self.values @ members.T
            table[part] = u.Quantity(sums.ravel(), self.unit)
            self._add_errors(table, part, sums, members)
        for part in ("core", "wings", "continuum"):
            table[f"n_{part}"] = np.tile([int(masks[name][part].sum()) for name in names], len(self))
        table.meta.update(method=self.method, output=self.output)
        return table

    def to_table(self, i: int) -> QTable:
        """One spectrum and its attribution, bin by bin.

        Parameters
        ----------
        i : int
            Number of the spectrum.

        Returns
        -------
        QTable
            ``wavelength``, ``width``, ``flux``, ``attribution`` and ``density``: the attribution per Angstrom, which
            does not depend on the binning; ``mask`` where known. After a transform ``feature``, ``coordinate`` and
            ``attribution``. With an `uncertainty` also ``attribution_error`` and the errors from each source.
            ``meta`` says what is explained.
        """
        one = self[i]
        table = QTable()
        if self.features is not None:
            table["feature"], table["coordinate"] = self.features, one.inputs[0]
            table["attribution"] = u.Quantity(one.values[0], self.unit)
        else:
            grid = self._needed_grid()
            table["wavelength"], table["width"] = grid.centers, grid.widths
            table["flux"] = one.inputs[0]
            table["attribution"] = u.Quantity(one.values[0], self.unit)
            table["density"] = table["attribution"] / table["width"]
            table.meta.update(medium=grid.medium, frame=grid.frame)
        one._add_errors(table, "attribution", one.values, None)
        if one.mask is not None:
            table["mask"] = one.mask[0]
        table.meta.update(
            object_id=str(one.ids[0]),
            target=str(one.target[0]),
            method=self.method,
            output=self.output,
            explained=float(one.explained[0]),
            **self.provenance,
        )
        return table

    def plot(self, i: int = 0, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw one spectrum with its attribution; see `agnsal.figures.plot_saliency`.

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
        from agnsal.figures import plot_saliency

        return plot_saliency(self, i, ax=ax, **options)

    def write(self, path: str | os.PathLike) -> None:
        """Write the whole result, with its provenance, in the format the ending of the file says.

        Parameters
        ----------
        path : path
            ``*.npz`` (arrays with a JSON header), ``*.fits`` (an image per matrix, a table of the spectra) or
            ``*.ecsv`` (a row per spectrum).

        Raises
        ------
        AgnsalError
            For any other ending.
        """
        from agnsal.attribution.answer.file import write_result

        write_result(self, path)

    @classmethod
    def read(cls, path: str | os.PathLike) -> Attribution:
        """Read a result written by `write`, bit-equal.

        Parameters
        ----------
        path : path
            The file.

        Returns
        -------
        Attribution

        Raises
        ------
        AgnsalError
            If the file is missing, damaged or not an attribution.
        """
        from agnsal.attribution.answer.file import read_result

        return read_result(cls, path)

    def _add_errors(self, table: QTable, name: str, sums: NDArray, members: NDArray | None) -> None:
        """Columns with the errors of `sums`, each a sum of values with weights `members`."""
        if self.uncertainty is None:
            return
        errors = errors_of(self.uncertainty, members)
        for source, error in errors.items():
            table[f"{name}_error_{source}".rstrip("_")] = u.Quantity(error.ravel(), self.unit)
        known = np.divide(sums, errors[""], out=np.full(sums.shape, np.nan), where=errors[""] > 0)
        table[f"{name}_significance"] = known.ravel()

    def _needed_grid(self) -> WavelengthGrid:
        if self.features is not None:
            raise AgnsalError(
                f"this attribution lies on the axis of a transform ({', '.join(map(str, self.features[:3]))}, ...), "
                "not of wavelength; see .features and .to_table."
            )
        if self.grid is None:
            raise AgnsalError(
                "this attribution was made from a plain array and has no wavelengths; "
                "explain a SpectralSample, or set them: dataclasses.replace(result, grid=grid)."
            )
        return self.grid


def versions() -> dict[str, str]:
    """Versions of agnsal and of what its numbers depend on, for the provenance of a result.

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> sorted(versions())
    ['agnsal', 'autograd', 'numpy', 'scikit-learn', 'scipy']
    """
    return dict(_versions())


@cache
def _versions() -> dict[str, str]:
    """Looked up once: asking the installed distributions takes as long as a saliency map."""
    import agnsal

    others = {name: importlib.metadata.version(name) for name in ("numpy", "scipy", "scikit-learn", "autograd")}
    return {"agnsal": agnsal.__version__, **others}
