"""Remake every figure and table of Peruzzi et al. 2021 (A&A 652, A19): why does a classifier call an AGN type 1?

    python examples/paper_figures.py --output output/paper
    python examples/paper_figures.py --spectra FOLDER --catalogue FILE --output output/files

Without --spectra the sample is simulated. The catalogue is ECSV or CSV with a row for each file: `file` (relative to
FOLDER), `label` ("type 1", "type 2" or "intermediate"; rows with other labels are left out), `redshift` (where it is
empty, the file's own is used) and, if you like, `object_id`, `frame` and `medium`; --label-column and the like take
columns of other names. Several folders and catalogues can be given: what an earlier catalogue says of a file counts,
later ones add columns and files. With several columns of labels the first is learnt, the others are scored beside it.
With at least --least-per-class objects in every class the classifiers learn from the files; with fewer they learn from
the simulation, and the files are tested and explained.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from astropy.table import QTable
from catalogue_files import CLASSES
from matplotlib.figure import Figure
from paper_data import SEED, Data, load
from paper_machines import KERNELS, SCALINGS, STATED, TASKS, fit, scores
from repeated_splits import draw, examined_by_splits, of_redshift, readable
from sklearn.metrics import accuracy_score
from tqdm import tqdm

import agnsal
from agnsal import figures
from agnsal.command_line.options import add_reading_options, run_script
from agnsal.display import markdown_text
from agnsal.store import replacing

PERPLEXITY = 50
PAGE, COLUMN = 180 / 25.4, 88 / 25.4  # widths of the journal in inches
PALE = {"type 1, simulated": "#BFDDEE", "type 2, simulated": "#F6D6BF", "intermediate, simulated": "#BFE7DC"}
STYLE = {"font.size": 7, "axes.linewidth": 0.6}


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    for folder in ("figures", "tables"):
        (options.output / folder).mkdir(parents=True, exist_ok=True)
    with plt.rc_context(STYLE), tqdm(total=2 + 3 * len(TASKS) * len(SCALINGS), disable=options.quiet) as progress:
        for done in run(options):
            progress.update()
            progress.set_description(done)
    print(f"Figures, tables and summary.md are in {options.output}")


def run(options: argparse.Namespace) -> Iterator[str]:
    """Do everything, saying after each step what is done."""
    data = load(options)
    save_table(options, "samples", sample_table(data))
    draw_examples(options, data)
    yield "spectra"
    tried, scored, notes = [], [], []
    for task, classes in TASKS.items():
        part = data.only(classes)
        embedding = agnsal.SpectralEmbedding(PERPLEXITY, random_state=SEED).fit(part.mapped)
        draw_map(options, f"{len(classes)}_tsne_{task}", embedding, part)  # the paper's items 2 and 3
        for scaling in SCALINGS:
            models = {kernel: fit(part.training, settings, scaling) for kernel, settings in KERNELS.items()}
            tried += [kernel_row(task, scaling, kernel, model, part.validation) for kernel, model in models.items()]
            for name, test in part.tested.items():
                scored += score_rows(task, scaling, name, models["linear"], test)
            yield f"{task}, {scaling}: classifiers"
            chosen = choose(part.explained, models["linear"], classes)
            if scaling == SCALINGS[0]:
                draw_chosen(options, task, embedding, part, chosen)
            draw_maps(options, task, scaling, models["linear"], part.explained, chosen)
            yield f"{task}, {scaling}: maps"
            notes.append(examine(options, task, scaling, models["linear"], part.explained))
            yield f"{task}, {scaling}: lines"
    save_table(options, "kernels", QTable(rows=tried))
    save_table(options, "metrics", QTable(rows=scored))
    splits = repeat(options, data) if data.conventions else ""
    write_summary(options, data, scored, notes, splits)
    yield "summary"


def repeat(options: argparse.Namespace, data: Data) -> str:
    """Repeat the split of files many times, with every convention of labels; returns the tables, in words."""
    n_splits = 5 if options.quick else 40
    scored, matched = examined_by_splits(data.conventions, n_splits)
    save_table(options, "repeated_splits", scored)
    save_table(options, "matched_in_redshift", matched)
    save_figure(options, "11_repeated_splits", draw(scored, matched, (PAGE, 4.2)))
    counts = "; ".join(
        f"`{name}`: " + ", ".join(f"{len(set(sample.ids[sample.labels == label]))} {label}" for label in CLASSES)
        for name, sample in data.conventions.items()
    )
    return f"""
## What the numbers are worth

The split above is one of many. Here are mean and standard deviation over the tested fifths of {n_splits} splits by
object; the standard deviation is the error of a single split. Every column of labels that was given is a convention of
its own (objects: {counts}):

{markdown(readable(scored))}
### Redshift

Real objects of the classes do not lie at the same redshifts, so that what changes with redshift (noise, sky lines,
calibration, the luminosity of the host) can tell the class. *Matched*: equally many spectra of every class between any
two of z = 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, drawn anew for every split; *as many at random*: a subset of that size that is
not matched, for fewer spectra to learn from cost accuracy too; *redshift alone*: a small tree that sees no spectrum.
Unscaled linear machine:

{markdown(readable(matched, ("F", "balanced accuracy")))}
{chr(10).join(f"* {words}" for words in of_redshift(matched, n_splits))}
"""


# Classifiers and their scores


def kernel_row(task: str, scaling: str, kernel: str, model, validation: agnsal.SpectralSample) -> dict:
    """Settings of a kernel, and its scores on the validation set."""
    settings = ", ".join(f"{key} = {value}" for key, value in KERNELS[kernel].items() if key != "kernel")
    precision, recall, f, _ = scores(validation.labels, model.predict(validation.flux), "weighted")
    row = {"task": task, "features": scaling, "kernel": kernel, "settings": settings}
    return row | {"precision": precision, "recall": recall, "F": f}


def score_rows(task: str, scaling: str, name: str, model, test: agnsal.SpectralSample) -> list[dict]:
    """Scores on a test set, averaged over the classes in two ways, and of each class."""
    predicted = model.predict(test.flux)
    rows = []
    for average in ("weighted", "macro"):
        precision, recall, f, _ = scores(test.labels, predicted, average)
        rows.append((average, len(test), precision, recall, f, accuracy_score(test.labels, predicted)))
    present = [label for label in TASKS[task] if label in test.labels]
    for label, *each, n in zip(present, *scores(test.labels, predicted, None, present), strict=True):
        rows.append((label, n, *each, np.nan))
    columns = ("average or class", "N", "precision", "recall", "F", "accuracy")
    return [{"task": task, "features": scaling, "set": name, **dict(zip(columns, row, strict=True))} for row in rows]


def sample_table(data: Data) -> QTable:
    """How many spectra of each class there are in each part, and their redshifts."""
    rows = []
    for part, sample in {"training": data.training, "validation": data.validation, **data.tested}.items():
        for label in CLASSES:
            z = sample.redshift[sample.labels == label]
            low, middle, high = np.percentile(z, [0, 50, 100]) if len(z) else [np.nan] * 3
            row = {"part": part, "class": label, "N": len(z), "z min": low, "z median": middle, "z max": high}
            rows.append(row)
    return QTable(rows=rows)


# Explanations


def choose(test: agnsal.SpectralSample, model, classes: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Pick the typical correct spectrum of each class, and the surest example of the three most frequent errors.

    Typical is the one of median log-odds, which tell spectra apart where the probability is 1 to all digits.
    """
    sureness = agnsal.as_differentiable(model).outputs(test.flux, "log_odds").max(axis=1)
    predicted = model.predict(test.flux)
    correct, errors = [], []
    for true in classes:
        for said in classes:
            rows = np.flatnonzero((test.labels == true) & (predicted == said))
            rows = rows[np.argsort(sureness[rows])]
            if true == said and len(rows):
                correct.append(rows[len(rows) // 2])
            elif len(rows):
                errors.append((-len(rows), rows[-1]))
    return {
        "correct": np.array(correct, dtype=int),
        "wrong": np.array([row for _, row in sorted(errors)[:3]], dtype=int),
    }


def draw_maps(options, task: str, scaling: str, model, test: agnsal.SpectralSample, chosen: dict) -> None:
    """Draw saliency maps and class gradients of the chosen spectra, and sum them over lines."""
    name = f"{task}_{scaling}"
    correct, wrong = test[chosen["correct"]], test[chosen["wrong"]]
    lines = agnsal.saliency(model, test[np.concatenate(list(chosen.values()))]).by_line()
    save_table(options, f"lines_{name}", lines)
    titles = [f"{n}: true class {label}" for n, label in enumerate([*correct.labels, *wrong.labels], 1)]
    if len(correct):
        number = {"two classes": 5, "three classes": 6}[task]
        draw_saliency(options, f"{number}_saliency_{name}", model, correct, titles[: len(correct)])
        gradients = {label: agnsal.saliency(model, correct, target=label) for label in TASKS[task]}
        draw_gradients(options, f"8_class_gradients_{name}", gradients, titles)
    if len(wrong):
        draw_saliency(options, f"7_saliency_misclassified_{name}", model, wrong, titles[len(correct) :])


def examine(options, task: str, scaling: str, model, test: agnsal.SpectralSample) -> str:
    """Draw errors and lines over the whole test set; returns what is seen, in words."""
    name, predicted = f"{task}_{scaling}", model.predict(test.flux)
    labels = [label for label in TASKS[task] if label in set(test.labels) | set(predicted)]
    draw_confusion(options, f"9_confusion_{name}", test.labels, predicted, labels)
    right = {label: test[(predicted == label) & (test.labels == label)] for label in TASKS[task]}
    # log-odds: the gradient of a probability vanishes where it saturates, and few spectra would make the picture
    of_class = {
        label: agnsal.saliency(model, some, target=label, output="log_odds")
        for label, some in right.items()
        if len(some)
    }
    n_right = sum(map(len, right.values()))
    note = f"{task}, {scaling}: {n_right} of {len(test)} spectra classified correctly."
    if of_class:
        # of two classes one is the mirror image of the other
        shown = dict(list(of_class.items())[:1]) if len(TASKS[task]) == 2 else of_class
        draw_importance(options, f"10_line_importance_{name}", shown)
    if "type 1" in of_class:
        # log-odds: the gradient has the sign of that of the probability, but does not vanish where that saturates
        towards = agnsal.saliency(model, right["type 1"], target="type 1", output="log_odds")
        hbeta = towards.by_line(["Hbeta"])
        hbeta = hbeta[hbeta["line"] == "Hbeta"]
        note += (
            f" The gradient towards type 1, summed over the wings of Hβ, is positive in "
            f"{np.mean(hbeta['wings'] > 0):.0%} of the {len(hbeta)} of type 1; summed over its narrow core (within "
            f"{agnsal.find_line('Hbeta').core:.0f} km/s) it is negative in {np.mean(hbeta['core'] < 0):.0%}."
        )
    return note


# Figures


def draw_examples(options, data: Data) -> None:
    """Draw the spectrum of the highest signal-to-noise of each class."""
    sample = data.explained
    signal = np.zeros(len(sample)) if sample.ivar is None else np.median(sample.flux * np.sqrt(sample.ivar), axis=1)
    signal = np.nan_to_num(signal)  # of files without errors it is not known
    of_class = [np.flatnonzero(sample.labels == label) for label in CLASSES]
    shown = [rows[signal[rows].argmax()] for rows in of_class if len(rows)]
    # each on a scale of its own: the lines of one may be a hundred times those of another
    figure, axes = plt.subplots(
        len(shown), 1, figsize=(PAGE, 0.8 + 1.5 * len(shown)), sharex=True, squeeze=False, layout="constrained"
    )
    for row, ax in zip(shown, axes[:, 0], strict=True):
        figures.plot_spectra(sample, [row], ax=ax)
        ax.label_outer()
    save_figure(options, "1_example_spectra", figure)


def draw_chosen(options, task: str, embedding, data: Data, chosen: dict) -> None:
    """Draw the map with the explained spectra marked."""
    rows, labels = np.concatenate(list(chosen.values())), data.explained.labels
    names = [f"{labels[i]}, {'misclassified' if i in chosen['wrong'] else 'correct'}" for i in rows]
    draw_map(options, f"4_tsne_explained_{task}", embedding, data, rows, names)


def draw_map(options, name: str, embedding, data: Data, marked=None, names=None) -> None:
    """Draw the map by class; spectra that it was not made of are placed on it, over the others in pale colours."""
    _, ax = plt.subplots(figsize=(COLUMN, COLUMN + (0.3 if names is None else 0.9)), layout="constrained")
    if data.rows is None:
        figures.plot_embedding(embedding, [f"{label}, simulated" for label in data.mapped.labels], ax=ax, colors=PALE)
        points, labels = embedding.transform(data.explained), data.explained.labels
    else:
        points, labels = embedding.coordinates, data.mapped.labels
        marked = None if marked is None else data.rows[marked]
    figures.plot_embedding(points, labels, ax=ax, marked=marked, names=names)
    save_figure(options, name, ax.figure)


def draw_saliency(options, name: str, model, sample: agnsal.SpectralSample, titles: list[str]) -> None:
    """Draw maps above each other beside what the answer would be without each line, and in the published look."""
    attribution = agnsal.saliency(model, sample)
    # log-odds: a probability of 1 does not fall visibly
    ablation = agnsal.line_ablation(model, sample, output="log_odds")
    titles = [
        f"{title}; P({target}) = {explained:.4g}"
        for title, target, explained in zip(titles, attribution.target, attribution.explained, strict=True)
    ]
    figure, axes = panels(len(sample), 2.6, ablation=True)
    for i, (left, right) in enumerate(axes):
        figures.plot_saliency(attribution, i, ax=left, sample=sample, title=titles[i])
        figures.plot_line_ablation(ablation, i, ax=right)
    save_figure(options, name, figure)
    figure, axes = panels(len(sample), 2.6)
    for i, ax in enumerate(axes):
        figures.plot_saliency(attribution, i, ax=ax, style="published", title=titles[i])
    save_figure(options, f"{name}_published", figure)


def draw_gradients(options, name: str, gradients: dict[str, agnsal.Attribution], titles: list[str]) -> None:
    figure, axes = panels(len(next(iter(gradients.values()))), 2.4)
    for i, ax in enumerate(axes):
        figures.plot_class_gradients(gradients, i, ax=ax, title=titles[i])
    save_figure(options, name, figure)


def draw_confusion(options, name: str, true, predicted, labels: list[str]) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(PAGE, PAGE / 2), layout="constrained")
    for normalize, ax in zip((False, True), axes, strict=True):
        figures.plot_confusion(true, predicted, normalize=normalize, ax=ax, labels=labels)
    save_figure(options, name, figure)


def draw_importance(options, name: str, of_class: dict[str, agnsal.Attribution]) -> None:
    size = (COLUMN if len(of_class) == 1 else PAGE, 4.6)
    figure, axes = plt.subplots(1, len(of_class), figsize=size, layout="constrained", squeeze=False)
    for attribution, ax in zip(of_class.values(), axes[0], strict=True):
        figures.plot_line_importance(attribution, ax=ax)
        if ax is not axes[0, 0]:
            ax.get_legend().remove()
            ax.tick_params(labelleft=False)
    figures.share_limits(axes[0])
    save_figure(options, name, figure)


def panels(n: int, height: float, *, ablation: bool = False) -> tuple[Figure, np.ndarray]:
    """Panels above each other; with narrow ones beside them if there is an ablation to show."""
    ratios = (4, 1) if ablation else (1,)
    figure, axes = plt.subplots(
        n, len(ratios), figsize=(PAGE, height * n), layout="constrained", squeeze=False, width_ratios=ratios
    )
    for ax in axes[1:, 0]:
        ax.sharex(axes[0, 0])
    for ax in axes[:-1, 0]:
        ax.tick_params(labelbottom=False)
    return figure, axes if ablation else axes[:, 0]


def save_figure(options, name: str, figure: Figure) -> None:
    path = options.output / "figures" / name.replace(" ", "_")
    with replacing(path.with_suffix(".png")) as side:
        figure.savefig(side, dpi=200)
    if not options.quick:
        figure.set_layout_engine("none")  # the places found stay; no need to find them twice
        with replacing(path.with_suffix(".pdf")) as side:
            figure.savefig(side)
    plt.close(figure)


# Tables and summary


def save_table(options, name: str, table: QTable) -> None:
    path = options.output / "tables" / name.replace(" ", "_")
    with replacing(path.with_suffix(".ecsv")) as side:
        table.write(side)
    with replacing(path.with_suffix(".md")) as side:
        side.write_text(markdown(table), encoding="utf-8")


def markdown(table: QTable) -> str:
    def cell(value) -> str:
        value = getattr(value, "value", value)
        text = f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)
        return markdown_text(text)

    lines = [" | ".join(table.colnames), " | ".join("---" for _ in table.colnames)]
    lines += [" | ".join(cell(value) for value in row) for row in table.iterrows()]
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def write_summary(options, data: Data, scored: list[dict], notes: list[str], splits: str) -> None:
    """Put the numbers the paper states beside ours, and say what the maps show."""
    beside = []
    for row in (row for row in scored if row["average or class"] in ("weighted", "macro")):
        line = {key: row[key] for key in ("task", "features", "set", "average or class")}
        for key in ("F", "precision", "recall"):
            stated = STATED[row["task"]].get(key)
            line |= {key: f"{row[key]:.3f}", f"{key}, paper": "–" if stated is None else f"{stated:.3f}"}
        beside.append(line)
    text = f"""# Peruzzi et al. 2021, remade

{data.story}

Steps as in the paper: rest frame; flux on 1000 points from 3729 to 5266 Å, divided by that at the point nearest 5100 Å;
a linear machine with C = 0.07 and balanced class weights. What the paper states was found on its own test set, and it
does not state how it averages over the classes:

{markdown(QTable(rows=beside))}{splits}
## What the maps show

{chr(10).join(f"* {note}" for note in notes)}

All maps of a linear machine with two classes are one vector times a scalar (all of them, to the last digit), and with
three classes they lie in the span of three vectors: they tell of the classifier, not of the single spectrum. What sets
one spectrum apart is on the page of `examples/explain_my_spectrum.py`. Gradients are exact, per unit of flux relative
to that at 5100 Å; where a probability is near 0 or 1 its gradient is small, of the same shape.

Words used above and in the tables: *unscaled* machines see the flux over that at 5100 Å, *scaled* ones every bin less
its mean over its standard deviation in the training set, as the author's README has it. Maps of scaled machines are of
the flux too, the chain rule through the scaler included: they are largest where the spectra differ least, at 5030 to
5260 Å, because the flux is 1 at 5100 Å by construction. *Core* is within {agnsal.find_line("Hbeta").core:.0f} km/s of a
line, *wings* from there to 5000 km/s (permitted lines) or 1200 km/s, *continuum* beside them. Where the core of Hβ ends
is a choice: in the two-class task, trained on the simulation at the paper's size, the sign of that sum turns where the
core ends between 150 and 400 km/s from the line, in one sample here and in another there.

## What to doubt

{chr(10).join(f"* {word}" for word in doubts(data))}

The explained spectra are the correct one of median log-odds in each class, and the one the machine was surest of for
each of the three most frequent errors; their numbers on figure 4 are those of the unscaled machine.

Figures: 1 examples; 2, 3 t-SNE; 4 the explained spectra on it; 5, 6 saliency maps; 7 of misclassified spectra;
8 gradients of every class; 9 confusion matrices; 10 sums over lines (of two classes the first: the other has the same
with the other sign); 11 repeated splits, where files are learnt from. Grey bands about spectra are the standard errors
of the flux. The bars beside a map are an experiment, not a gradient: how far the log-odds fall when the line is
replaced by a straight continuum. Figures named `_published` are in the look of the paper, for comparison: colours end
at the least and the largest value, so that white is not zero. Made with agnsal {agnsal.__version__}.
"""
    with replacing(options.output / "summary.md") as side:
        side.write_text(text, encoding="utf-8")


def doubts(data: Data) -> list[str]:
    """What in the training sample tells the class besides the spectrum, and what the spectrum does not tell."""
    hidden = "On this grid, without Hα, nothing broad tells a type 1.9 from a type 2. "
    if data.conventions:
        hidden += "Where the labels of the files know Hα, they rest on more than the classifiers see."
    else:
        hidden += (
            "A simulated intermediate without a visible broad Hβ differs from a type 2 by somewhat more nuclear light "
            "alone, so many are called type 2, as real ones are."
        )
    try:
        table = agnsal.check_confounds(data.training, n_shuffles=1, random_state=SEED).table
    except agnsal.AgnsalError as error:
        return [f"Confounds of the training sample are not known: {error}", hidden]
    return [*(f"In the training sample {row['words']}." for row in table), hidden]


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("output/paper"))
    parser.add_argument("--spectra", type=Path, nargs="+", help="folders of files that agnsal.read_spectra reads")
    parser.add_argument("--catalogue", type=Path, nargs="+", help="ECSV or CSV with file, label, redshift, object_id")
    for name, default in (("file", "file"), ("redshift", "redshift"), ("id", "object_id")):
        parser.add_argument(f"--{name}-column", default=default, metavar="NAME", help=f"by default {default!r}")
    parser.add_argument("--label-column", nargs="+", default=["label"], metavar="NAME", help="by default 'label'")
    parser.add_argument(
        "--least-per-class", type=int, default=75, metavar="N", help="objects of every class to learn from files (75)"
    )
    add_reading_options(parser, redshift=False)
    parser.add_argument("--quick", action="store_true", help="a small simulated sample and no PDF, in seconds")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(arguments)
    if (options.spectra is None) != (options.catalogue is None):
        parser.error("--spectra and --catalogue go together")
    return options


if __name__ == "__main__":
    run_script(main, parse)
