"""What a reader must know of an explained spectrum, in plain sentences: each says one thing, of what it is given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from agnsal.attribution.answer.line_sums import ELSEWHERE
from agnsal.attribution.counterfactual.multiples import LARGEST
from agnsal.attribution.counterfactual.result import Counterfactuals
from agnsal.display import factor_text
from agnsal.models.machine.svc import ProbabilisticSVC

#: What the name of the fourth class means.
GALAXY = " (without an active nucleus)"
#: How the sentence begins that must be read first.
CARE = "This spectrum is unlike the training sample"
#: As far from the others as this share of the training spectra: the class is not to be believed; to be doubted.
STRANGER, DOUBTFUL = 0.01, 0.05


def of_a_stranger(p_value: float, distance: float, unlike: QTable) -> str:
    """That the class is not to be believed."""
    return (
        f"{CARE} (p = {p_value:.2g}, distance {distance:.1f}, most of it by {_strangest(unlike)}): do not "
        "believe the class. Everything below says how the classifier came to its answer, not what the object is."
    )


def of_the_class(probabilities: QTable, predicted: str, rival: str, *, drawn: bool = False) -> str:
    """The most probable class with its errors, and the next; whether gaps were drawn for the errors of the flux."""
    flux = "the flux errors" + (" and what was not observed" if drawn else "")
    rows = {str(row["class"]): row for row in probabilities}
    own, next_one = rows[predicted], rows[rival]
    errors = [
        f"{value:.2g} from {source}"
        for value, source in ((own["error_flux"], flux), (own["error_refits"], "refits of the classifier"))
        if np.isfinite(value)
    ]
    meaning = GALAXY if predicted == "galaxy" else ""
    return (
        f"Classified as {predicted}{meaning}, {_probability(own['probability'])}"
        + (f" (standard error {', '.join(errors)})" if errors else "")
        + f"; next {rival}, {_probability(next_one['probability'])}."
    )


def of_the_classifier(description: str, classes: Sequence[str]) -> str:
    """What it knows, and that it knows nothing else."""
    described = f" ({description})" if description else ""
    return (
        f"The classifier{described} knows {', '.join(classes)} and nothing else: "
        + ("" if "galaxy" in classes else "a galaxy without an active nucleus, ")
        + "a composite or a star gets one of these names too."
    )


def of_one_hardly_alike(p_value: float, distance: float, unlike: QTable) -> str:
    """That the class is to be doubted."""
    return (
        f"Hardly like the training sample: only {p_value:.1%} of it is as far from the rest (distance "
        f"{distance:.1f}, most of it by {_strangest(unlike)}). Doubt the class unless something else tells that "
        "it is one of these."
    )


def of_one_alike(p_value: float, distance: float) -> str:
    """That nothing speaks against the class."""
    return f"Not unlike the training sample (p = {p_value:.2g}, distance {distance:.1f})."


def of_the_unobserved(lines: QTable, filled: QTable, predicted: str, observed: float) -> str:
    """What the bins that were not observed may have done to the answer."""
    lost = [str(row["region"]) for row in lines if row["bad_fraction"] == 1.0 and row["region"] != ELSEWHERE]
    names = [name for name in filled.colnames if name != "filled_with"]
    winners = {names[int(np.argmax([row[name] for name in names]))] for row in filled}
    missing = f"{1 - observed:.1%} of the grid was not observed" + (f" (nothing of {', '.join(lost)})" if lost else "")
    values = filled[predicted]
    if len(winners) > 1:
        return (
            f"{missing}, and the class depends on it: filled from what was observed, with straight lines or with the "
            f"means of the classes, P({predicted}) is {_between(values)}."
        )
    return (
        f"{missing}; no credit is given there, and the class does not depend on it: P({predicted}) is "
        f"{_between(values)} however it is filled."
    )


def of_the_shares(lines: QTable, rival: str, log_odds: float, log_odds_rival: float, agreement: float) -> str:
    """Which regions set it apart from the next class, and that experiments agree."""
    known = [row for row in lines if np.isfinite(row["share"])]
    strongest = sorted(known, key=lambda row: -abs(float(row["share"])))[:4]
    parts = ", ".join(f"{row['called']} {float(row['share']):+.2g}" for row in strongest)
    continuum = any(row["called"] != row["region"] for row in strongest)
    return (
        f"What sets it apart from a mean {rival} (log-odds {log_odds_rival:+.2g} to {log_odds:+.2g}): "
        f"{parts}. "
        + ("Where it says continuum, the line itself does less than half of that. " if continuum else "")
        + f"Replacing each region by that of the mean {rival} gives this ranking with a rank correlation "
        f"of {agreement:.2f}."
    )


def of_one_line(changes: QTable, strongest: float) -> str:
    """How strong which line would have to be for another class."""
    if not len(changes):
        return f"No single line between none and {strongest:g} times its strength would change the class."
    row = changes[0]
    part = {"all": "", "core": "the core of ", "wings": "the wings of "}[str(row["part"])]
    turned = "falls" if row["factor"] < 1 else "rises"
    turned = turned[:-1] if row["part"] == "wings" else turned
    factor = factor_text(float(row["factor"]), ".2f")
    return (
        f"The class would turn to {row['becomes']} where {part}{row['line']} {turned} to {factor} times the present "
        "strength."
    )


def of_the_least_change(least: Counterfactuals, rival: str, refits: Sequence[ProbabilisticSVC] = ()) -> str:
    """What would make it the next class, and how much of that it would take for refits."""
    unseen = f" (not observed, so left alone: {', '.join(least.unseen(0))})" if least.unseen(0) else ""
    if not least.flipped[0]:
        return f"No change of lines, continuum and host within physical bounds would make it {rival}{unseen}."
    usual = "then like" if least.familiarity is not None and least.familiarity[0] > STRANGER else "then unlike"
    return (
        f"The least change of lines, continuum and host together that would make it {rival}: {least.words(0, 3)}, "
        f"{least.size[0]:.2g} times the scatter of the training sample; it is {usual} the training sample{unseen}."
        + _needed(least, rival, refits)
    )


def of_the_training(decided: QTable) -> str:
    """The training spectra that decided."""
    named = [f"{row['training_id']} ({row['label']}, {row['influence']:+.3g})" for row in decided[:3]]
    without = ""
    if "left_out" in decided.colnames:
        without = f"; trained without the first the log-odds would change by {decided['left_out'][0]:+.2g}"
    return f"The training spectra that speak loudest, for it or against: {', '.join(named)}{without}."


def _needed(least: Counterfactuals, rival: str, refits: Sequence[ProbabilisticSVC]) -> str:
    """Whether the change holds for other training sets."""
    if not refits:
        return ""
    factors = least.needed_by(refits)[:, 0]
    already, never = int((factors == 0).sum()), int(np.isinf(factors).sum())
    some = factors[(factors > 0) & np.isfinite(factors)]
    said = [f"{already} have it as {rival} already"] if already else []
    if some.size:
        said.append(f"{some.size} need {some.min():.2f} to {some.max():.2f} times this change")
    if never:
        said.append(f"{never} more than {LARGEST:g} times")
    return f" Of {len(factors)} refits of the classifier {', '.join(said)}."


def _strangest(unlike: QTable) -> str:
    """The lines that make up most of the distance from the training sample."""
    until = int(np.searchsorted(np.cumsum(unlike["share"]), 0.5)) + 1
    return ", ".join(map(str, unlike["line"][: min(until, 3)]))


def _between(values: NDArray[np.float64]) -> str:
    """A range of probabilities, without more digits than it has."""
    low, high = float(np.min(values)), float(np.max(values))
    if low > 1 - 5e-5:
        return "above 0.9999"
    return "below 0.0001" if high < 5e-5 else f"{low:.4f} to {high:.4f}"


def _probability(value: float) -> str:
    if value > 1 - 5e-5:
        return "P > 0.9999"
    return "P < 0.0001" if value < 5e-5 else f"P = {value:.4f}"
