"""Make the figures of pitfalls.md and checks.md, and print the numbers the first quotes.

python docs/pitfall_figures.py
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import agnsal
from agnsal import figures
from agnsal.checks.sanity import refitted
from agnsal.checks.scoring import row_correlation

FOLDER = Path(__file__).parent / "figures"
BLUE, RED, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "0.6"


def main() -> None:
    """Make them all."""
    FOLDER.mkdir(exist_ok=True)
    plt.rcParams.update({"font.size": 8, "axes.linewidth": 0.6})
    sample = agnsal.simulate_agn(150, 250, 150, seed=0).normalize()
    linear = agnsal.ProbabilisticSVC(kernel="linear", C=0.05, random_state=0).fit(sample.flux, sample.labels)
    curved = agnsal.ProbabilisticSVC(kernel="rbf", C=34.0, gamma=0.003, random_state=0).fit(sample.flux, sample.labels)
    leakage()
    air(sample, linear)
    masks(sample, linear)
    confounds()
    saturation(sample, linear)
    alike(sample, linear, curved)
    causality()
    neighbours(sample)
    leaderboards(sample)


def panels(columns: int, width: float = 5.6, height: float = 2.1):
    """Start a figure."""
    return plt.subplots(1, columns, figsize=(width, height), layout="constrained", squeeze=False)


def save(fig, name: str) -> None:
    """Write a figure."""
    fig.savefig(FOLDER / f"{name}.png", dpi=110)
    plt.close(fig)


def leakage() -> None:
    """Four spectra of each object, labelled by the toss of a coin: nothing can be learnt."""
    objects = agnsal.simulate_agn(0, 80, 0, seed=3, noise=False).normalize()
    rng = np.random.default_rng(0)
    object_of = np.repeat(np.arange(80), 4)
    flux = objects.flux[object_of] + 0.05 * rng.standard_normal((320, objects.flux.shape[1]))
    label = np.where(rng.random(80) < 0.5, "heads", "tails")[object_of]
    scores = {}
    for name, place in (
        ("by spectrum", rng.permutation(320) / 320),
        ("by object", rng.permutation(80)[object_of] / 80),
    ):
        test = place < 0.25
        machine = agnsal.ProbabilisticSVC(C=100.0, random_state=0).fit(flux[~test], label[~test])
        scores[name] = machine.score(flux[test], label[test])
    fig, ((ax,),) = panels(1, 3.0)
    ax.bar(scores.keys(), scores.values(), color=[RED, BLUE], width=0.5)
    ax.axhline(0.5, color="black", linestyle="--", linewidth=0.8)
    ax.set_ylabel("Accuracy on the test set")
    ax.set_xlabel("How the sample was split")
    ax.set_ylim(0, 1)
    save(fig, "leakage")
    print("leakage", {name: round(value, 2) for name, value in scores.items()})


def air(sample, model) -> None:
    """The same spectra with wavelengths in air taken for vacuum."""
    position = sample.wavelength.value
    in_air = np.stack([np.interp(position, position / 1.00028, flux) for flux in sample.flux])
    change = model.predict_proba(in_air).max(axis=1) - model.predict_proba(sample.flux).max(axis=1)
    differ = (model.predict(in_air) != model.predict(sample.flux)).mean()
    i = int(np.flatnonzero(sample.labels == "type 2")[2])
    near = np.abs(position - 5008.24) < 16
    fig, ((left, right),) = panels(2)
    left.step(position[near], sample.flux[i, near], where="mid", color=BLUE, label="vacuum")
    left.step(position[near], in_air[i, near], where="mid", color=RED, linestyle="--", label="air")
    left.axvspan(5001.6, 5014.9, color="0.92", zorder=0)
    left.set_xlabel("Rest wavelength [Å]")
    left.set_ylabel("Relative flux")
    left.set_title("[O III] 5007, its core shaded", fontsize=8)
    left.legend(frameon=False)
    right.hist(change, bins=30, color=GREY)
    right.set_xlabel("Change of the largest probability")
    right.set_ylabel("Spectra")
    save(fig, "air")
    core = np.abs(position / 5008.24 - 1) < agnsal.find_line("[O III] 5007").core / 299792.458
    maps = [agnsal.integrated_gradients(model, flux, output="log_odds").values for flux in (sample.flux, in_air)]
    right, wrong = (values[:, core].sum(axis=1) for values in maps)
    print("air", f"class differs for {differ:.1%}", f"core by {np.median(np.abs(wrong / right - 1)):.0%}")


def masks(sample, model) -> None:
    """A dead stretch of the detector, left in as zeros or bridged."""
    i = int(np.flatnonzero(sample.labels == "type 1")[4])
    dead = np.zeros((1, len(sample.grid)), dtype=bool)
    dead[0, 722:734] = True
    zeros = sample.flux[[i]].copy()
    zeros[dead] = 0.0
    bridged = agnsal.SpectralSample(zeros, sample.grid, mask=dead).flux
    fig, axes = panels(2)
    share = []
    for ax, flux, title in zip(axes[0], (zeros, bridged), ("left in as zeros", "masked and bridged"), strict=True):
        values = agnsal.integrated_gradients(model, flux, "type 1", "log_odds").values[0]
        share.append(np.abs(values[dead[0]]).sum() / np.abs(values).sum())
        ax.plot(sample.wavelength.value, values, color=BLUE, linewidth=0.6)
        ax.axvspan(*sample.wavelength.value[[722, 733]], color=RED, alpha=0.25)
        ax.set_xlim(4700, 5060)
        ax.set_xlabel("Rest wavelength [Å]")
        ax.set_title(title, fontsize=8)
    axes[0, 0].set_ylabel("Contribution to log-odds")
    axes[0, 1].sharey(axes[0, 0])
    save(fig, "masks")
    print("masks", "share of |attribution| in 12 of 1000 bins", [f"{value:.1%}" for value in share])


def confounds() -> None:
    """Redshifts of the classes, as in the published sample and drawn from one distribution."""
    fig, axes = panels(2)
    for ax, switch in zip(axes[0], (True, False), strict=True):
        sample = agnsal.simulate_agn(150, 250, 150, seed=0, redshift_confound=switch)
        row = agnsal.check_confounds(sample).table[0]
        for number, label in enumerate(("type 1", "type 2", "intermediate")):
            redshift = np.asarray(sample.table["redshift"])[sample.labels == label]
            ax.hist(
                redshift,
                bins=np.linspace(0, 0.8, 25),
                histtype="step",
                color=figures.style.PALETTE[number],
                label=label,
            )
        ax.set_title(f"{row['verdict']}: AUC {row['auc']:.2f}", fontsize=8)
        ax.set_xlabel("Redshift")
        print("confounds", row["words"])
    axes[0, 0].set_ylabel("Spectra")
    axes[0, 0].legend(frameon=False)
    save(fig, "confounds")


def saturation(sample, model) -> None:
    """Size of the gradient of the probability, and of the log-odds, against the probability."""
    p = model.predict_proba(sample.flux).max(axis=1)
    fig, axes = panels(2)
    for ax, output, title in zip(axes[0], ("probability", "log_odds"), ("of P", "of the log-odds"), strict=True):
        size = np.linalg.norm(agnsal.saliency(model, sample, output=output).values, axis=1)
        ax.semilogy(1 - p, size, ".", color=BLUE, markersize=2)
        ax.set_xscale("log")
        ax.set_ylim(1e-14, 30)
        ax.set_xlabel("1 − probability of the predicted class")
        ax.set_title(f"Norm of the gradient {title}", fontsize=8)
        print("saturation", output, f"median norm {np.median(size):.2g}, smallest {size.min():.2g}")
    save(fig, "saturation")


def alike(sample, linear, curved) -> None:
    """How alike the maps of different spectra of one class are."""
    rows = np.flatnonzero(sample.labels == "type 1")[:60]
    fig, ((ax,),) = panels(1, 3.6)
    for model, color, name in ((linear, RED, "linear"), (curved, BLUE, "RBF")):
        maps = agnsal.saliency(model, sample[rows], "type 1", "log_odds").values
        pairs = np.asarray(np.corrcoef(maps))[np.triu_indices(len(maps), 1)]
        ax.hist(pairs, bins=np.linspace(0, 1, 41), histtype="step", color=color, label=name)
        print("alike", name, f"median correlation {np.median(pairs):.4f}, smallest {pairs.min():.2f}")
    ax.set_yscale("log")
    ax.set_xlabel("Correlation of two spectra's maps")
    ax.set_ylabel("Pairs of type 1 spectra")
    ax.legend(frameon=False, loc="upper left")
    save(fig, "alike")


def causality() -> None:
    """What the class depends on, and what the maps say."""
    benchmark = agnsal.SpectralBenchmark(900, random_state=0)
    names = ["gradient", "input x gradient", "integrated gradients", "occlusion", "Shapley values"]
    scores = benchmark.score(benchmark.fit(), methods=names, n_explained=60, controls=False)
    i = int(np.argsort(-benchmark.strength[benchmark.test_rows[:60]])[18])
    ax = figures.plot_truth_and_maps(scores, i)
    save(ax.figure, "causality")
    at = np.abs(scores.grid.centers.value / 5008.24 - 1) < 1200 / 299792.458
    for name in names:
        found, sizes = scores.metrics[name], np.abs(scores.maps[name])
        share = sizes[:, at].sum(axis=1) / sizes.sum(axis=1)
        print(
            "causality",
            name,
            *(f"{metric} {np.nanmean(found[metric]):.2f}" for metric in ("pearson", "profile", "mass")),
            f"at [O III] 5007 {share[i]:.0%}, {share.mean():.0%} in the mean",
        )


def neighbours(sample) -> None:
    """Maps of refits, compared pixel by pixel and in broad bins."""
    model = agnsal.ProbabilisticSVC(kernel="rbf", C=100.0, random_state=0)
    y = np.asarray(sample.labels)
    some = sample[::15]
    first, second = (
        agnsal.saliency(refitted(model, sample.flux, y, "bootstrap", seed), some, "type 1", "log_odds").values
        for seed in (1, 2)
    )
    widths = [1, 2, 5, 10, 20, 50]
    means = []
    for width in widths:
        binned = [values.reshape(len(values), -1, width).sum(axis=2) for values in (first, second)]
        means.append(row_correlation(*binned).mean())
    fig, ((left, right),) = panels(2)
    position, part = sample.wavelength.value, slice(560, 640)
    for values, color in ((first, BLUE), (second, RED)):
        left.plot(position[part], values[0, part], color=color, linewidth=0.8)
    left.set_xlabel("Rest wavelength [Å]")
    left.set_ylabel("Gradient of log-odds")
    left.set_title("one spectrum, two refits", fontsize=8)
    right.plot(widths, means, "o-", color=GREEN)
    right.set_xscale("log")
    right.set_xticks(widths, widths)
    right.minorticks_off()
    right.set_ylim(0, 1)
    right.set_xlabel("Pixels summed")
    right.set_ylabel("Correlation of refits")
    save(fig, "neighbours")
    print("neighbours", dict(zip(widths, [round(float(mean), 2) for mean in means], strict=True)))


def leaderboards(sample) -> None:
    """Box plots of all methods on both benchmarks, and the deletion curves of a map and of a control."""
    piecewise = agnsal.PiecewiseLinearBenchmark(random_state=0)
    spectral = agnsal.SpectralBenchmark(900, random_state=0)
    for name, scores in (
        ("benchmark_piecewise", piecewise.score(piecewise.fit())),
        ("benchmark_spectral", spectral.score(spectral.fit())),
    ):
        fig, ax = plt.subplots(figsize=(4.6, 0.9 + 0.24 * len(scores.maps)), layout="constrained")
        figures.plot_scores(scores, ax=ax)
        save(fig, name)
    training, test = sample[::2], sample[1::8]
    model = agnsal.ProbabilisticSVC(kernel="rbf", C=10.0, random_state=0).fit(training.flux, training.labels)
    good = agnsal.integrated_gradients(model, test, output="log_odds")
    noise = np.random.default_rng(0).normal(size=good.values.shape)
    fig, axes = panels(2, height=2.6)
    maps = (("integrated gradients", good), ("control: white noise", replace(good, values=noise, residual=None)))
    for ax, (name, each) in zip(axes[0], maps, strict=True):
        report = agnsal.check(each, model, test, random_state=0)
        report.plot(ax=ax)
        ax.set_title(f"{name}: {report.verdict}", fontsize=8)
    axes[0, 1].sharey(axes[0, 0])
    save(fig, "removal")


if __name__ == "__main__":
    main()
