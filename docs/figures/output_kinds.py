"""The figure of docs/output-kinds.md: four outputs of one machine on the way into a class, and their gradients.

python docs/figures/output_kinds.py [FILE.png]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

import agnsal
from agnsal.figures.style import PALETTE

LABEL = "type 1"
KINDS = {
    "probability": ("probability", "-"),
    "log_odds": ("log-odds", "-"),
    "decision": ("decision value", "--"),
    "pairwise": ("pair with intermediate", ":"),
}


def main(path: Path) -> Figure:
    """Draw and save."""
    sample = agnsal.simulate_agn(150, 300, 120, seed=0).normalize()
    machine = agnsal.ProbabilisticSVC(kernel="linear", C=0.05, random_state=0).fit(sample)
    model = agnsal.as_differentiable(machine)

    # from an ordinary intermediate spectrum to a sure type 1 spectrum, and as far again beyond it
    p = model.outputs(sample.flux)
    column = list(model.classes_).index(LABEL)
    start = sample.flux[np.abs(p[:, column] - 0.1).argmin()]
    end = sample.flux[np.abs(p[:, column] - 0.99).argmin()]
    t = np.linspace(0, 2, 201)
    spectra = start + t[:, None] * (end - start)

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    size = {}
    for (kind, (name, line)), color in zip(KINDS.items(), PALETTE, strict=False):
        target = (LABEL, "intermediate") if kind == "pairwise" else LABEL
        values = (model.outputs(spectra, kind) * model.weights(target, len(t), kind)).sum(axis=1)
        size[kind] = np.linalg.norm(model.gradient(spectra, target, kind), axis=1)
        axes[0].plot(t, values, line, color=color, label=name)
        axes[1].semilogy(t, size[kind], line, color=color, label=name)
    axes[0].axhline(1, color="0.8", linewidth=0.8, zorder=0)  # where a probability ends
    axes[0].set(ylabel=f"output of {LABEL}", title="Outputs")
    axes[1].set(ylabel="length of the gradient", title="Gradients over the flux")
    for ax in axes:
        ax.set_xticks([0, 1, 2], ["intermediate", "type 1", "as far beyond"])
    figure.supxlabel("on the straight line between two spectra", fontsize="medium")
    axes[0].legend(frameon=False)
    figure.savefig(path, dpi=150)
    return figure


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("output_kinds.png"))
