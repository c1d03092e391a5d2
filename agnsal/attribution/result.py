"""The one result type of every attribution method."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from agnsal.errors import AgnsalError
from agnsal.spectra.grid import WavelengthGrid
from agnsal.spectra.lines import LINES, line_masks

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
        for name in ("values", "target", "explained", "inputs", "ids", "mask", "residual"):
            value = getattr(self, name)
            taken[name] = None if value is None else value[rows]
        if self.baseline is not None and self.baseline.ndim > 1:
            taken["baseline"] = self.baseline[rows]
        return replace(self, **taken)

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
            table[part] = u.Quantity((self.values @ members.T).ravel(), self.unit)
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
            does not depend on the binning; ``mask`` where known. ``meta`` says what is explained.
        """
        grid = self._needed_grid()
        one = self[i]
        table = QTable()
        table["wavelength"], table["width"] = grid.centers, grid.widths
        table["flux"] = one.inputs[0]
        table["attribution"] = u.Quantity(one.values[0], self.unit)
        table["density"] = table["attribution"] / table["width"]
        if one.mask is not None:
            table["mask"] = one.mask[0]
        table.meta.update(
            object_id=str(one.ids[0]),
            target=str(one.target[0]),
            method=self.method,
            output=self.output,
            explained=float(one.explained[0]),
            medium=grid.medium,
            frame=grid.frame,
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
        from agnsal.attribution.result_file import write_result

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
        from agnsal.attribution.result_file import read_result

        return read_result(cls, path)

    def _needed_grid(self) -> WavelengthGrid:
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
    import agnsal

    others = {name: importlib.metadata.version(name) for name in ("numpy", "scipy", "scikit-learn", "autograd")}
    return {"agnsal": agnsal.__version__, **others}
