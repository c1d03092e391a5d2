"""Make the figures of the page on the simulation: `python docs/figures/simulation.py`."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import agnsal
from agnsal.figures import plot_spectra

HERE = Path(__file__).resolve().parent
SHORT = {"power law": "C0", "starlight": "C1", "Fe II": "C2", "broad Balmer lines": "C3", "narrow lines": "C4"}


def usual(sample: agnsal.SpectralSample, name: str) -> np.ndarray:
    """Spectra of a class, the one nearest to its median first."""
    rows = np.flatnonzero(sample.labels == name)
    flux = sample.flux[rows]
    return rows[np.linalg.norm(flux - np.median(flux, axis=0), axis=1).argsort()]


def classes(sample: agnsal.SpectralSample) -> None:
    """Two spectra of each class: a usual one, and one with half of the class nearer to the median."""
    rows = [int(row) for name in ("type 2", "intermediate", "type 1") for row in usual(sample, name)[[0, 20]]]
    figure, axes = plt.subplots(figsize=(8, 7), layout="constrained")
    plot_spectra(sample, rows, ax=axes)
    figure.savefig(HERE / "simulation_classes.png", dpi=110)


def components(sample: agnsal.SpectralSample) -> None:
    """What one spectrum of each class is made of."""
    wavelength = sample.wavelength.value
    figure, panels = plt.subplots(3, 1, figsize=(8, 7), sharex=True, layout="constrained")
    for axes, name in zip(panels, ("type 1", "intermediate", "type 2"), strict=True):
        truth = sample[int(usual(sample, name)[0])].truth
        axes.plot(wavelength, truth.noiseless[0], color="0.6", lw=1.0, label="sum")
        for part, color in SHORT.items():
            axes.plot(wavelength, truth.components[part][0], color=color, lw=1.2, label=part)
        axes.set_ylim(0, 3)
        axes.set_ylabel("flux / flux at 5100 Å")
        axes.text(0.01, 0.92, name, transform=axes.transAxes, va="top", weight="bold")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=6, frameon=False)
    panels[-1].set_xlabel("Rest wavelength [Å]")
    figure.savefig(HERE / "simulation_components.png", dpi=110)


if __name__ == "__main__":
    simulated = agnsal.simulate_agn(40, 40, 40, seed=3).normalize()
    classes(simulated)
    components(simulated)
