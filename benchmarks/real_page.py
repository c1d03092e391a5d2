"""The words around the tables of `real_results.py`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from astropy.table import QTable

from agnsal.display import markdown_text


def markdown(table: QTable) -> str:
    """A table in Markdown, strings made harmless."""

    def cell(value: object) -> str:
        return markdown_text(f"{value:.2f}" if isinstance(value, float | np.floating) else str(value))

    lines = [" | ".join(table.colnames), " | ".join("---" for _ in table.colnames)]
    lines += [" | ".join(cell(value) for value in row) for row in table.iterrows()]
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def in_short(found: Mapping[str, QTable]) -> str:
    """What the tables come to, a line each."""
    best, fitter = [], {row["labels"]: row for row in found["fitter"]}
    for labels in dict.fromkeys(found["folds"]["labels"]):
        rows = [row for row in found["folds"] if row["labels"] == labels]
        row = max(rows, key=lambda row: row["three classes"])
        best.append(
            f"By `{labels}`, tuned within the folds, the best of three classes is {row['kernel']}, flux {row['flux']}: "
            f"{row['type 1 or not']} (type 1 or not), {row['three classes']} (three classes); a line-fitter whose "
            f"borders are drawn by the same labels: {fitter[labels]['type 1 or not']}, "
            f"{fitter[labels]['three classes']}."
        )
    curve = {(row["learnt from"], row["real objects"]): row for row in found["curve"]}
    most = max(n for _, n in curve)
    scores = {key: f"{row['type 1 or not']} / {row['three classes']}" for key, row in curve.items()}
    cover = {(row["level"], row["calibrated on"]): row["all"] for row in found["coverage"]}
    hidden = {row["learnt from"]: row["right by `label`"] for row in found["subtypes"] if row["type"] == "1.9"}
    galaxies = {(row["kind"], row["learnt from"]): row["AUC against AGN"] for row in found["strangers"]}
    fourth = {(row["real"], row["learnt from"]): row["AUC of P(galaxy) against AGN"] for row in found["fourth"]}
    lines = [
        *best,
        f"The simulation alone: {scores['simulation', 0]}; with {most} real objects added: {scores['both', most]}; "
        f"these alone: {scores['real', most]} (the untuned machine, by `label`).",
        f"Prediction sets at 0.9 hold {cover[0.9, 'real']} of the labels when they are calibrated on real spectra, and "
        f"{cover[0.9, 'simulation']} when on simulated ones.",
        f"What limits three classes is type 1.9 against type 2: of type 1.9 {hidden['real']} are recognised by "
        f"machines that learnt from real spectra, and {hidden['simulation']} by that of the simulation.",
        f"Familiarity with the simulated AGN tells passive galaxies with an AUC of "
        f"{galaxies['passive', 'simulation']}, star-forming ones with {galaxies['star-forming', 'simulation']}; "
        f"with real AGN {galaxies['passive', 'real']} and {galaxies['star-forming', 'real']}. P(galaxy) of a machine "
        f"that learnt simulated galaxies does so with {fourth['passive', 'simulation']} and "
        f"{fourth['star-forming', 'simulation']}, of one that learnt real ones with {fourth['passive', 'real']} and "
        f"{fourth['star-forming', 'real']}.",
    ]
    return "\n".join(f"* {line}" for line in lines)


def page(found: Mapping[str, QTable | str], n_spectra: int, n_objects: int) -> str:
    """The page, in Markdown."""
    tables = {name: markdown(each) if isinstance(each, QTable) else each for name, each in found.items()}
    return f"""# Real spectra

{n_spectra} real spectra of {n_objects} AGN from public surveys on the paper's grid, none of which is in this
repository: machines that learn from them beside one that learns from the simulation. All of this page is made by
`benchmarks/real_results.py`. Folds, halves and splits are by object. Unless said otherwise the machine is the
paper's, linear with C = 0.07, flux over that at 5100 Å; "real" is what machines say of spectra of objects they have
not seen (mean probability over repeated folds), "simulation" what one machine says that has seen
`simulate_agn(seed=0)` alone.

Labels are of fits, not of nature. `label`: type 1 = 1.0 to 1.5, intermediate = 1.8 and 1.9. `label_peruzzi`, as the
paper's catalogues seem to draw them: type 1 = quasars and 1.0, intermediate = 1.2 to 1.9.

{in_short({name: each for name, each in found.items() if isinstance(each, QTable)})}

{tables["counts"]}
## How well real spectra teach

Repeats of five folds, three kernels, tuned within the folds (`benchmarks/real_folds.py` has the grids). Balanced
accuracy, mean and standard deviation over the repeats:

{tables["folds"]}
Beside them a line-fitter that sees only this grid (starlight, power laws, Fe II, narrow and broad lines, fitted to each
spectrum), whose borders between the classes are drawn by the same labels in the same kind of folds. Three classes are
told hardly better by any machine here:

{tables["fitter"]}
## The paper's table, and redshift

Trained as in the paper (64 % of the objects, C = 0.07) and tested on a fifth, beside what the paper states of its own
sample: mean and standard deviation over 40 splits by object. The main job, `examples/paper_figures.py --spectra`
(README), writes this table for your files, and draws every figure of the paper.

{tables["splits"]}
Real objects of the classes do not lie at the same redshifts. *Matched*: equally many spectra of every class between any
two of z = 0.05, 0.1, 0.2, 0.3, 0.4, 0.5; *as many at random*: a subset of that size that is not matched; *redshift
alone*: a small tree that sees no spectrum.

{tables["matched"]}
{tables["redshift"]}

## How many real spectra are needed

Learning curve: balanced accuracy on objects that were not learnt from, by number of real objects; mean and standard
deviation over four repeats of five folds, of the simulation alone over four of its seeds. Real spectra that are added
to the simulation weigh, class by class, as much as it does.

![Balanced accuracy by number of real objects; calibration of the probabilities](figures/real_scores.png)

{tables["curve"]}
Some telescopes saw one class only, so their calibration could tell it; without them:

{tables["surveys"]}
## Are the probabilities right?

Of spectra whose likeliest class has a probability within a bin (mean: `stated`), the share of which that class is the
label:

{tables["calibration"]}
Prediction sets by class: how often they hold the label (exact 68 per cent intervals). Calibrated on real objects that
were held out, then tested on others; and calibrated on simulated spectra, whose promise is one about simulated
spectra:

{tables["coverage"]}
## By subtype

{tables["subtypes"]}
Type 1.9 has broad Hα and no broad Hβ, and Hα is outside this grid: what a machine makes of it rests on the share of
nuclear light and on the label's own errors.

## Do both read the wings of Hβ?

Gradient of the log-odds of type 1, mean over the real spectra of type 1 (blue speaks for type 1), above the machine
of one real fold, below the one of the simulation:

![Mean gradient towards type 1, real-trained and simulation-trained](figures/real_maps.png)

Its sums over core (300 km/s) and wings, median over these spectra; of the real-trained machines mean and standard
deviation over five folds:

{tables["maps"]}
## What is no AGN

Familiarity fitted to simulated AGN, and to random halves of the real ones (mean of five): the area under the curve
that tells each kind from real AGN that were not learnt from, the share flagged at a level of 0.01, and what the
machines, who know three classes only, call them:

{tables["strangers"]}
### Machines that know galaxies

With a fourth answer, "galaxy": learnt from 900 simulated galaxies beside the simulated AGN, and from the real
passive and star-forming ones (out of fold, by object; composites and LINERs were never learnt from). What each calls
real spectra, and how well P(galaxy) tells each kind from all AGN. Unobserved bins are bridged by straight lines here,
which half of the passive ones suffer from; filled from what was observed, as the page for one spectrum does, they are
told better ([simulation](simulation.md)):

{tables["fourth"]}
## Label noise

How often the machines (out of fold) call a spectrum otherwise, by the confidence of the fit that gave its label:

{tables["noise"]}
Labels that are hardest to believe for machines that have not seen the object, the part of a line that speaks most
against them (`continuum`: the stretch under the line and not the line), and the training spectra that contradict them
(`suspicious_labels`). Look at these first:

{tables["suspicious"]}
Redshifts that the [O III] doublet contradicts: its lines stand more than 900 km/s from where the catalogue puts them;
these were left as they are:

{tables["displaced"]}
## From the simulation to the sky, measured

`check_transfer(model, simulation, real)`:

```text
{tables["transfer"]}
```

"""
