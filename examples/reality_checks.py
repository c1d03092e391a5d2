"""Reality checks of a network: what do lines contribute, what works together, and does it cheat on the sky?

    python examples/reality_checks.py --output output/reality            # a few minutes
    python examples/reality_checks.py --output output/reality --quick    # well under a minute

The first part trains a small network on simulated AGN and takes it apart by contextual decomposition (Murdoch et al.
2018, Singh et al. 2019): contributions of named lines with the effect of their removal beside them, interactions of
broad Hβ with [O III], and the hierarchy in which the wavelengths of one spectrum join.

The second part lets a network cheat. Type 2 and intermediate AGN get residuals of the sky line at 5577 Å of opposite
sign, or lose different lengths of their red end. Training with a penalty on those wavelengths (Rieger et al. 2020, Ross
et al. 2017) is judged by what happens in new spectra when the decoy is flipped or removed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from astropy.table import QTable, vstack
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

import agnsal
from agnsal import figures
from agnsal.spectra.lines import with_labels
from agnsal.store import replacing

SEED = 0
LINES = ("[O II] 3727", "Hdelta", "Hgamma", "He II 4686", "Hbeta", "[O III] 4959", "[O III] 5007")
SKY_LINE = 5578.89  # vacuum, observed
SKY_SIZE = 20.0  # of the residual, in units of the noise
EDGE_BINS = 100
PENALTIES = ((None, 0.0), ("cdep_l1", 1.0), ("cdep_softmax", 100.0), ("rrr", 100.0), ("occlusion", 1.0))
NAMES = {
    "None": "no penalty",
    "cdep_l1": "CDEP",
    "cdep_softmax": "CDEP, softmax",
    "rrr": "RRR",
    "occlusion": "occlusion",
}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("output/reality"), help="folder for figures and tables")
    parser.add_argument("--quick", action="store_true", help="fewer spectra")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    steps = tqdm(total=2 + 2 * len(PENALTIES), desc="checking", disable=options.quiet)

    lines, pairs = take_apart(options.output, quick=options.quick)
    steps.update(2)
    decoys = []
    for decoy in ("sky", "edge"):
        sample, masks = decoyed(decoy, 600 if options.quick else 1500)
        table, maps = train(sample, masks, steps)
        table.add_column([decoy] * len(table), name="decoy", index=0)
        decoys.append(table)
        draw_decoy(options.output / f"decoy_{decoy}.png", sample, masks, table, maps)
    steps.close()
    report = vstack(decoys)
    with replacing(options.output / "decoys.ecsv") as side:
        report.write(side)
    text = summary(lines, pairs, report)
    with replacing(options.output / "summary.md") as side:
        side.write_text(text, encoding="utf-8")
    print(text)


def take_apart(output: Path, *, quick: bool) -> tuple[QTable, QTable]:
    """Contributions, interactions and a hierarchy of a network trained on type 1, type 2 and intermediate AGN."""
    sizes = (150, 300, 150) if quick else (600, 1200, 500)
    training = agnsal.simulate_agn(*sizes, seed=SEED, redshift_confound=False).normalize()
    unseen = agnsal.simulate_agn(60, 60, 60, seed=SEED + 1, redshift_confound=False).normalize()
    scaler = StandardScaler().fit(training.flux)
    model = agnsal.ExplanationRegularizedMLP(
        (64, 32), weight_decay=1e-3, batch_size=64, max_epochs=30, learning_rate=1e-3, random_state=SEED
    ).fit(scaler.transform(training.flux), training.labels)
    network, X = model.network_, scaler.transform(unseen.flux)

    groups = agnsal.line_groups(training.grid, LINES, split_wings=True)
    table = agnsal.decomposition_table(network, X, groups, target=unseen.labels, ids=unseen.ids)
    table["label"] = np.repeat(unseen.labels, len(groups))
    with replacing(output / "contributions.ecsv") as side:
        table.write(side)
    rows = [
        {
            "label": label,
            "group": group,
            **{
                column: float(table[column][(table["label"] == label) & (table["group"] == group)].mean())
                for column in ("contribution", "occlusion")
            },
        }
        for label in model.classes_.tolist()
        for group in groups
    ]
    means = QTable(rows=rows)
    means.meta["accuracy"] = float(model.score(X, unseen.labels))
    draw_contributions(output / "contributions.png", means, tuple(groups))

    of_type1 = unseen.labels == "type 1"
    lines = {name: mask for name, mask in groups.items() if name != "rest"}
    matrix = agnsal.interaction_matrix(network, X[of_type1], lines, target="type 1").mean(axis=0)
    names = list(lines)
    first = names.index("Hbeta wings")
    pairs = QTable({"with Hbeta wings": names, "interaction": matrix[first]})
    pairs.remove_row(first)
    with replacing(output / "interactions.ecsv") as side:
        pairs.write(side)
    draw_interactions(output / "interactions.png", matrix, names)

    example = int(np.flatnonzero(of_type1)[0])
    hierarchy = agnsal.agglomerate(network, X[example], "type 1", units=np.arange(X.shape[1]) // 10)
    ax = figures.plot_hierarchy(hierarchy, unseen.flux[example], unseen.grid)
    save(ax.figure, output / "hierarchy.png")
    tree = agnsal.join_groups(network, X[example], groups, "type 1")
    with replacing(output / "tree_of_lines.txt") as side:
        side.write_text(f"{tree}\n", encoding="utf-8")
    return means, pairs


def decoyed(decoy: str, n: int) -> tuple[agnsal.SpectralSample, NDArray[np.bool_]]:
    """Type 2 and intermediate AGN with something beside the physics that tells them apart, and where it is."""
    sample = agnsal.simulate_agn(0, n, n, seed=SEED + 2, redshift_confound=False).normalize()
    random = np.random.default_rng(SEED)
    center = sample.wavelength.value
    intermediate = sample.labels == "intermediate"
    if decoy == "sky":
        # the residual stands still in the observed frame: in the rest frame it moves with redshift
        redshift = random.uniform(0.29, 0.31, len(sample))
        offset = center - SKY_LINE / (1 + redshift[:, None])
        noise = np.sqrt(median_variance(sample))
        sign = np.where(intermediate, 1.0, -1.0)
        sample.flux += SKY_SIZE * (noise * sign)[:, None] * np.exp(-0.5 * (offset / 1.5) ** 2)
        return sample, np.abs(offset) <= 5.0
    # nearer objects lose more of their red end; bad bins are bridged by the last good one
    lost = np.where(intermediate, random.integers(50, EDGE_BINS, len(sample)), random.integers(0, 50, len(sample)))
    for row, k in enumerate(lost):
        if k:
            sample.flux[row, -k:] = sample.flux[row, -k - 1]
    return sample, np.broadcast_to(np.arange(center.size) >= center.size - EDGE_BINS, sample.flux.shape)


def median_variance(sample: agnsal.SpectralSample) -> NDArray[np.float64]:
    """Median variance of the good bins of each spectrum."""
    return np.array([1.0 / np.median(row[row > 0]) for row in sample.ivar])


def train(
    sample: agnsal.SpectralSample, masks: NDArray[np.bool_], steps: tqdm
) -> tuple[QTable, dict[str, NDArray[np.float64]]]:
    """Train on half of the spectra with each penalty; report on the other half, and its mean map."""
    even = np.arange(len(sample)) % 2 == 0
    X = StandardScaler().fit(sample.flux[even]).transform(sample.flux)
    models, maps = {}, {}
    for penalty, strength in PENALTIES:
        model = agnsal.ExplanationRegularizedMLP(
            (32, 16), penalty=penalty, strength=strength, batch_size=64, learning_rate=1e-3, random_state=SEED
        )
        name = NAMES[str(penalty)]
        models[name] = model.fit(X[even], sample.labels[even], None if penalty is None else masks[even])
        values = agnsal.saliency(model, X[~even][:200], target="intermediate", output="log_odds").values
        maps[name] = np.abs(values).mean(axis=0)
        steps.update()
    return agnsal.reliance(models, X[~even], sample.labels[~even], masks[~even], random_state=SEED), maps


def draw_contributions(path: Path, table: QTable, groups: tuple[str, ...]) -> None:
    """Bars: mean contribution and mean occlusion of each group, a panel a class."""
    labels = list(dict.fromkeys(table["label"]))
    figure, axes = plt.subplots(1, len(labels), figsize=(9.0, 3.8), sharey=True, layout="constrained")
    for ax, label in zip(axes, labels, strict=True):
        rows = table[table["label"] == label]
        place = np.arange(len(groups))
        ax.barh(place - 0.2, rows["contribution"], 0.4, label="contribution (CD)", color="#0072B2")
        ax.barh(place + 0.2, rows["occlusion"], 0.4, label="occlusion", color="#E69F00")
        ax.axvline(0, color="0.3", linewidth=0.6)
        ax.set_yticks(place, [with_labels(group) for group in groups])
        ax.set_title(label, fontsize="medium")
        ax.set_xlabel("adds to the logit of its class")
    axes[0].invert_yaxis()
    axes[-1].legend(fontsize="small", loc="upper right", bbox_to_anchor=(1.0, 0.93))
    save(figure, path)


def draw_interactions(path: Path, matrix: NDArray[np.float64], names: list[str]) -> None:
    """Mean interactions of type 1 spectra; the diagonal, the contributions themselves, is left out."""
    shown = np.where(np.eye(len(names), dtype=bool), np.nan, matrix)
    end = float(np.nanmax(np.abs(shown)))
    figure, ax = plt.subplots(figsize=(6.2, 5.2), layout="constrained")
    image = ax.imshow(shown, cmap="RdBu", vmin=-end, vmax=end)
    names = [with_labels(name) for name in names]
    ax.set_xticks(range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(names)), names)
    figure.colorbar(image, ax=ax, label="Interaction, logit of type 1", pad=0.015, aspect=30)
    save(figure, path)


def draw_decoy(
    path: Path, sample: agnsal.SpectralSample, masks: NDArray[np.bool_], table: QTable, maps: dict[str, NDArray]
) -> None:
    """Accuracy with the decoy flipped and removed, and the mean map of a cheat and of a cured network."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.4), width_ratios=(1.0, 1.25), layout="constrained")
    place = np.arange(len(table))
    for k, (column, color) in enumerate((("as_is", "#56B4E9"), ("removed", "#E69F00"), ("flipped", "#D55E00"))):
        left.bar(place + 0.27 * (k - 1), table[column], 0.27, label=column.replace("_", " "), color=color)
    left.axhline(0.5, color="0.4", linewidth=0.6, linestyle="--")
    left.set_xticks(place, table["name"], rotation=25, ha="right", rotation_mode="anchor")
    left.set_ylim(0, 1.22)
    left.set_yticks(np.arange(0, 1.01, 0.2))
    left.set_ylabel("Accuracy on new spectra")
    left.legend(ncols=3, fontsize="small", loc="upper center", title="decoy", title_fontsize="small")
    center = sample.wavelength.value
    touched = center[masks.any(axis=0)]
    right.axvspan(touched[0], touched[-1], color="0.9", label="decoy")
    for name, color in ((NAMES["None"], "#D55E00"), (NAMES["occlusion"], "#0072B2")):
        right.plot(center, maps[name] / maps[name].sum(), color=color, linewidth=0.8, label=name)
    right.set_xlim(center[0], center[-1])
    right.set_xlabel("Rest wavelength [Å]")
    right.set_ylabel("Share of the mean absolute gradient")
    right.legend(fontsize="small", loc="upper left", framealpha=0.9)
    save(figure, path)


def summary(lines: QTable, pairs: QTable, report: QTable) -> str:
    """What was found, in Markdown."""
    text = [
        "# Reality checks",
        "",
        f"Accuracy on new spectra: {lines.meta['accuracy']:.3f}",
        "",
        "## What lines contribute to the logit of their class",
        "",
        "Contribution by contextual decomposition, and the change of the logit when the group is set to the mean.",
        "",
        "| class | group | contribution | occlusion |",
        "|---|---|---|---|",
        *(f"| {r['label']} | {r['group']} | {r['contribution']:.2f} | {r['occlusion']:.2f} |" for r in lines),
        "",
        "## Interactions of broad Hβ, type 1",
        "",
        "| with | interaction |",
        "|---|---|",
        *(f"| {row[0]} | {row[1]:.3f} |" for row in pairs),
        "",
        "## Decoys",
        "",
        "Accuracies on new spectra; a network that does not use the decoy keeps its accuracy when it is flipped.",
        "A small contribution beside a large occlusion is a decoy that hides from contextual decomposition.",
        "",
        "| decoy | penalty | as is | shuffled | flipped | removed | contribution | occlusion |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in report:
        numbers = [row[name] for name in ("as_is", "shuffled", "flipped", "removed", "contribution", "occlusion")]
        text.append(f"| {row['decoy']} | {row['name']} | {' | '.join(f'{number:.3f}' for number in numbers)} |")
    return "\n".join(text) + "\n"


def save(figure: Figure, path: Path) -> None:
    """Write a figure and let it go."""
    with replacing(path) as side:
        figure.savefig(side, dpi=150)
    plt.close(figure)


if __name__ == "__main__":
    try:
        main()
    except (agnsal.AgnsalError, OSError) as error:  # what is wrong with the input, in one sentence
        sys.exit(f"{error}")
