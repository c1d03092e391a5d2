"""Adaptive wavelet distillation (Ha et al. 2021): a wavelet learned from what matters to a classifier.

    python examples/wavelet_distillation.py --output output/wavelets            # about three minutes
    python examples/wavelet_distillation.py --output output/wavelets --quick    # well under a minute

The first part has a known answer: a network learns a function of three db5 coefficients, and the wavelet, started from
a perturbed db5 and from coif2, is learned back from the network's gradients. The second part distils a network that
tells intermediate from type 2 AGN into a wavelet and a logistic regression on a few coefficients. Spectra lie on a
logarithmic grid, where a line of one velocity width is equally wide everywhere. The fixed wavelet and the ablation
gamma = 0, which has never seen the network, stand beside every result.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

import astropy.units as u
import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

import agnsal
from agnsal.store import replacing
from agnsal.training.wavelet_transform import decompose, filter_of, wavelet_distance, wavelet_function

SEED = 0
LEVEL = 4
SAMPLES = 512  # of a wavelet function in a unit
COLORS = {"fixed": "0.5", "gamma = 0": "#E69F00", "learned": "#0072B2"}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("output/wavelets"), help="folder for figures and tables")
    parser.add_argument("--quick", action="store_true", help="fewer signals and spectra")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    steps = tqdm(total=3, desc="distilling", disable=options.quiet)

    recovery, filters = recover(4000 if options.quick else 20_000)
    steps.update(2)
    draw_recovery(options.output / "recovery.png", filters)
    with replacing(options.output / "recovery.ecsv") as side:
        recovery.write(side)
    distilled, accuracies = distil(400 if options.quick else 1200, epochs=4 if options.quick else 20)
    steps.update()
    steps.close()
    draw_wavelets(options.output / "wavelets.png", distilled)
    with replacing(options.output / "distillation.ecsv") as side:
        distilled.table_.write(side)
    text = summary(recovery, distilled.table_, distilled.best_, accuracies)
    with replacing(options.output / "summary.md") as side:
        side.write_text(text, encoding="utf-8")
    print(text)


def recover(n: int) -> tuple[QTable, dict[str, NDArray[np.float64]]]:
    """Learn db5 back from the gradients of a network that was trained on three db5 coefficients."""
    random = np.random.default_rng(SEED)
    truth, X = filter_of("db5"), random.normal(size=(n, 64))
    y = 2 * decompose(X, truth, LEVEL)[2][:, 7:10].sum(axis=1) + 0.1 * random.normal(size=n)
    teacher = MLPRegressor(
        hidden_layer_sizes=(32, 32), max_iter=20, learning_rate_init=3e-3, batch_size=100, random_state=SEED
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        teacher.fit(X, y)
    gradients = agnsal.Network.from_sklearn(teacher).gradient(X)
    epochs = max(2, 30_000 // n)
    rows, filters = [], {"db5, the truth": truth}
    for start, first in (("db5 + noise", truth + 0.2 * random.normal(size=10)), ("coif2", filter_of("coif2"))):
        row = {"start": start, "teacher R2": teacher.score(X, y), "at the start": wavelet_distance(truth, first)}
        h = first
        for gamma, rate in ((0.0, 1e-2), (1.0, 5e-3), (5.0, 2e-3)):
            learned = agnsal.learn_wavelet(
                X,
                gradients,
                wavelet=h,
                gamma=gamma,
                level=LEVEL,
                learning_rate=rate,
                max_epochs=epochs,
                random_state=SEED,
            )
            h = learned.filter
            row[f"gamma {gamma:g}"] = wavelet_distance(truth, h)
            if start == "db5 + noise" and gamma < 5:
                filters["gamma = 0" if gamma == 0 else "learned, gamma = 1"] = h
        rows.append(row)
    return QTable(rows=rows), filters


def distil(n: int, epochs: int) -> tuple[agnsal.WaveletDistillation, dict[str, float]]:
    """Distil a network that tells intermediate from type 2 AGN."""
    grid = agnsal.WavelengthGrid.log(3729 * u.AA, 5266 * u.AA, velocity_step=200 * u.km / u.s)
    sample = agnsal.simulate_agn(0, n, n, grid=grid, seed=SEED, redshift_confound=False).normalize()
    even = np.arange(len(sample)) % 2 == 0
    training, unseen = sample[even], sample[~even]
    # principal components keep the network from learning noise, so that its gradients have the shape of features
    teacher = make_pipeline(
        PCA(20, random_state=SEED),
        StandardScaler(),
        agnsal.ExplanationRegularizedMLP(
            (32, 16), weight_decay=1e-2, batch_size=64, learning_rate=1e-3, random_state=SEED
        ),
    ).fit(training.flux, training.labels)
    # gamma has the inverse unit of the gradients: in units of one over their penalty in db5
    slopes = agnsal.saliency(teacher, training, target="intermediate", output="log_odds").values
    unit = (LEVEL + 1) / np.abs(np.concatenate(decompose(slopes, filter_of("db5"), LEVEL), axis=1)).sum(axis=1).mean()
    distilled = agnsal.WaveletDistillation(
        "db5",
        level=LEVEL,
        gammas=unit * np.array([0.1, 1.0, 10.0]),
        sparsity=1e-3,
        max_epochs=epochs,
        batch_size=32,
        learning_rate=5e-3,
        random_state=SEED,
    ).fit(teacher, training, training.labels, target="intermediate")
    return distilled, {
        "network": float(teacher.score(unseen.flux, unseen.labels)),
        "small model": float(np.mean(distilled.predict(unseen.flux) == unseen.labels)),
    }


def draw_recovery(path: Path, filters: dict[str, NDArray[np.float64]]) -> None:
    """The wavelet that was to be found, and what was found with and without the network."""
    figure, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
    reference = wavelet_function(filters["db5, the truth"])
    for (name, h), color, width in zip(filters.items(), ("0.6", "#E69F00", "#0072B2"), (3.5, 1.0, 1.0), strict=True):
        name = name.replace("gamma", "γ")  # noqa: PLW2901
        wave = aligned(wavelet_function(h), reference)
        ax.plot(
            np.arange(wave.size) / SAMPLES,
            wave * np.sqrt(SAMPLES),
            color=color,
            linewidth=width,
            label=name,
        )
    ax.set_xlabel("Position in units of its translations")
    ax.set_ylabel("Wavelet")
    ax.legend(fontsize="small")
    with replacing(path) as side:
        figure.savefig(side, dpi=150)
    plt.close(figure)


def draw_wavelets(path: Path, distilled: agnsal.WaveletDistillation) -> None:
    """The fixed wavelet, the ablation and the best one, and how sparse the attributions are in each."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 3.2), width_ratios=(1.5, 1.0), layout="constrained")
    reference = wavelet_function(distilled.wavelets_["fixed"].filter)
    last = list(distilled.wavelets_)[-1]
    for name, key in (("fixed", "fixed"), ("gamma = 0", "gamma = 0"), (last, "learned")):
        wave = aligned(wavelet_function(distilled.wavelets_[name].filter), reference)
        left.plot(
            np.arange(wave.size) / SAMPLES, wave * np.sqrt(SAMPLES), color=COLORS[key], linewidth=1.0, label=short(name)
        )
    left.set_xlabel("Position in units of its translations")
    left.set_ylabel("Wavelet")
    left.legend(fontsize="small")
    table = distilled.table_
    place = np.arange(len(table))
    for k, (column, color) in enumerate(
        (("attribution", "#0072B2"), ("compression", "#009E73"), ("accuracy", "#D55E00"))
    ):
        right.bar(place + 0.27 * (k - 1), table[column] / table[column][0], 0.27, label=column, color=color)
    right.set_xticks(place, [short(name) for name in table["name"]], rotation=25, ha="right", rotation_mode="anchor")
    right.set_ylim(0, 1.45)
    right.set_ylabel("Relative to the fixed wavelet")
    right.legend(fontsize="small", ncols=3, loc="upper center", columnspacing=0.8, handlelength=1.2)
    with replacing(path) as side:
        figure.savefig(side, dpi=150)
    plt.close(figure)


def short(name: str) -> str:
    """Name of a wavelet with few digits."""
    return f"γ = {float(name.split('=')[1]):.2g}" if "=" in name else f"{name} db5"


def aligned(wave: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn and shift a wavelet, up to sign and reversal, to where it fits a reference best."""
    candidates = []
    for turned in (wave, wave[::-1]):
        overlap = np.correlate(reference, turned, mode="full")
        best = int(np.abs(overlap).argmax())
        candidates.append((abs(overlap[best]), np.sign(overlap[best]) * turned, best - (turned.size - 1)))
    _, turned, shift = max(candidates, key=lambda candidate: candidate[0])
    result = np.zeros(reference.size)
    start, stop = max(0, shift), min(reference.size, shift + turned.size)
    result[start:stop] = turned[start - shift : stop - shift]
    return result


def summary(recovery: QTable, table: QTable, best: str, accuracies: dict[str, float]) -> str:
    """What was found, in Markdown."""
    stages = recovery.colnames[2:]
    text = [
        "# Adaptive wavelet distillation",
        "",
        f"## Recovery of db5 from a network (R2 {recovery['teacher R2'][0]:.4f})",
        "",
        "Distance of the wavelets, both of norm 1, from db5.",
        "",
        f"| start | {' | '.join(stages)} |",
        f"|---|{'---|' * len(stages)}",
        *(f"| {row['start']} | {' | '.join(f'{row[name]:.3f}' for name in stages)} |" for row in recovery),
        "",
        "## Intermediate against type 2 AGN",
        "",
        f"Accuracy on new spectra: network {accuracies['network']:.3f}, "
        f"small model on the best wavelet ({short(best)}) {accuracies['small model']:.3f}.",
        "",
        "| wavelet | accuracy (cross-validated) | attribution | compression | squared error | distance from db5 |",
        "|---|---|---|---|---|---|",
    ]
    for row in table:
        numbers = [row[name] for name in ("accuracy", "attribution", "compression", "reconstruction", "distance")]
        text.append(f"| {short(row['name'])} | {' | '.join(f'{number:.3g}' for number in numbers)} |")
    return "\n".join(text) + "\n"


if __name__ == "__main__":
    try:
        main()
    except (agnsal.AgnsalError, OSError) as error:  # what is wrong with the input, in one sentence
        sys.exit(f"{error}")
