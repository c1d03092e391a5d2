"""agnsal against its peers in one run: one Markdown table of ratios, with quality beside time.

    python benchmarks/peers.py [--quick] [--output TABLE.md]

Peers that are not installed are left out and named (``pip install -e '.[bench]'`` for all). Every ratio is the
peer's shortest time over agnsal's, measured in turn: processor time of one BLAS thread each, which knows nothing of
other work on the machine.
"""

from __future__ import annotations

import argparse
import platform
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata, util
from pathlib import Path
from time import process_time

import numpy as np
from bench_models import large_machine, spectra
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

import agnsal
from agnsal.models.machine.tuning import tune

BATCH = 64


@dataclass
class Table:
    """Rows of the table, and what was left out."""

    rows: list[tuple[str, str, str, str]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def add(self, work: str, peer: str, ratio: float, note: str = "") -> None:
        self.rows.append((work, peer, f"{ratio:.3g}", note))
        print(f"{work} | {peer} | {ratio:.3g} | {note}", flush=True)

    def has(self, *packages: str) -> bool:
        absent = [package for package in packages if util.find_spec(package) is None]
        self.missing += [package for package in absent if package not in self.missing]
        return not absent

    def markdown(self) -> str:
        lines = ["| work | peer | peer's time / agnsal's | beside it |", "|---|---|---|---|"]
        lines += [f"| {' | '.join(row)} |" for row in self.rows]
        found = [name for name in PACKAGES if util.find_spec(IMPORT.get(name, name))]
        versions = ", ".join(f"{name} {metadata.version(name)}" for name in found)
        lines += ["", f"Machine: {platform.machine()}, Python {platform.python_version()}; {versions}."]
        if self.missing:
            lines += ["", f"Not installed, and so left out: {', '.join(self.missing)}."]
        return "\n".join(lines) + "\n"


PACKAGES = ("numpy", "scikit-learn", "autograd", "torch", "captum", "shap", "specutils")
IMPORT = {"scikit-learn": "sklearn"}


def shortest(*works: Callable[[], object], rounds: int = 5) -> list[float]:
    """Shortest processor time of each work, the works taking turns."""
    times = np.empty((rounds, len(works)))
    for row in times:
        for column, work in enumerate(works):
            start = process_time()
            work()
            row[column] = process_time() - start
    return times.min(axis=0).tolist()


def legacy(**options) -> SVC:
    """The deprecated machine with probabilities."""
    return SVC(probability=True, random_state=0, **options)


def largest_jump(probability: Callable, X: np.ndarray, n_lines: int = 6, n_points: int = 2001) -> float:
    """Largest change of any class probability between neighbouring points of straight lines between spectra."""
    random = np.random.default_rng(0)
    steps = []
    for _ in range(n_lines):
        first, last = X[random.choice(len(X), 2, replace=False)]
        path = first + np.linspace(0, 1, n_points)[:, None] * (last - first)
        steps.append(np.abs(np.diff(probability(path), axis=0)).max())
    return max(steps)


def fits(table: Table, sizes: list[tuple[int, int]], rounds: int) -> None:
    """Training, its log loss and its largest jump."""
    for size in sizes:
        X, y = spectra(*size)
        train, test, y_train, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
        for kernel in ("linear", "rbf"):
            ours, theirs = agnsal.ProbabilisticSVC(kernel=kernel, random_state=0), legacy(kernel=kernel)
            calibrated = CalibratedClassifierCV(SVC(kernel=kernel), ensemble=False)
            seconds = shortest(*(partial(m.fit, X, y) for m in (ours, theirs, calibrated)), rounds=rounds)
            quality = []
            for machine in (ours, theirs, calibrated):
                p = machine.fit(train, y_train).predict_proba
                quality.append(f"log loss {log_loss(y_test, p(test)):.4f}, largest jump {largest_jump(p, test):.2g}")
            where = f"fit {kernel}, {size[0]} x {size[1]}"
            table.add(where, "SVC(probability=True)", seconds[1] / seconds[0], f"{quality[1]}; agnsal: {quality[0]}")
            table.add(where, "CalibratedClassifierCV(SVC)", seconds[2] / seconds[0], quality[2])


def predictions(table: Table, rounds: int) -> None:
    """Probabilities of a batch."""
    X, y = spectra(1900, 3500)
    ours, theirs = agnsal.ProbabilisticSVC(C=10.0, random_state=0).fit(X, y), legacy(C=10.0).fit(X, y)
    seconds = shortest(lambda: ours.predict_proba(X[:BATCH]), lambda: theirs.predict_proba(X[:BATCH]), rounds=rounds)
    note = f"{len(ours.support_)} and {len(theirs.support_)} support vectors"
    table.add(f"predict_proba rbf, batch {BATCH}, 3500 bins", "SVC(probability=True)", seconds[1] / seconds[0], note)


def searches(table: Table, size: tuple[int, int]) -> None:
    """Tuning on the same grid and folds."""
    X, y = spectra(*size)
    grid = {"C": [1.0, 10.0, 100.0, 1000.0], "gamma": [1e-5, 1e-4, 3e-4, 1e-3, 1e-2]}
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    search = GridSearchCV(legacy(), grid, scoring="neg_log_loss", cv=folds)
    seconds = shortest(lambda: tune(X, y, kernels="rbf", cv=folds, **grid), lambda: search.fit(X, y), rounds=1)
    best = tune(X, y, kernels="rbf", cv=folds, refit=False, **grid).best_parameters
    same = all(best[name] == search.best_params_[name] for name in grid)
    note = "same best point" if same else f"best points {best} and {search.best_params_}"
    table.add(f"tuning 20 points, {size[0]} x {size[1]}", "GridSearchCV", seconds[1] / seconds[0], note)


def gradients(table: Table, rounds: int) -> None:
    """Saliency of a large machine against what it cannot avoid, and against other routes to the same gradient."""
    machine, X = large_machine(n=BATCH)
    model, S = agnsal.as_differentiable(machine), machine.support_vectors_
    K = np.random.default_rng(0).normal(size=(BATCH, len(S)))
    model.gradient(X, "a")

    def products() -> None:
        X @ S.T
        K @ S

    def ours() -> None:
        model.gradient(X, "a")

    def single() -> None:
        model.gradient(X, "a", precision="single")

    work = f"gradient of P, {len(S)} support vectors x {X.shape[1]} bins, batch {BATCH}"
    single()
    seconds = shortest(ours, products, single, rounds=rounds)
    table.add(work, "the two matrix products alone", seconds[1] / seconds[0])
    exact = model.gradient(X, "a")
    error = np.abs(model.gradient(X, "a", precision="single") - exact).max() / np.abs(exact).max()
    table.add(work, "agnsal in single precision", seconds[2] / seconds[0], f"relative error {error:.1g}")
    one = X[:1]
    seconds = shortest(lambda: model.gradient(one, "a"), lambda: differences(machine, one), rounds=1)
    table.add("gradient of P, one spectrum", "central differences of predict_proba", seconds[1] / seconds[0])
    if table.has("torch", "captum"):
        captum_row(table, work, machine, X, ours, rounds)
    if table.has("shap"):
        shap_rows(table, machine, one)


def differences(machine: agnsal.ProbabilisticSVC, X: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Central differences in batches: two predictions per bin."""
    shifts = step * np.eye(X.shape[1])
    up, down = machine.predict_proba(X + shifts)[:, 0], machine.predict_proba(X - shifts)[:, 0]
    return (up - down) / (2 * step)


def captum_row(table, work, machine, X, ours, rounds) -> None:
    """captum's Saliency on an equal module of torch in float64."""
    import torch
    from captum.attr import Saliency

    torch.set_num_threads(1)
    S, C = (torch.as_tensor(a) for a in (machine.support_vectors_, machine.pair_coefficients_))
    a, b = torch.as_tensor(machine.sigmoid_a_), torch.as_tensor(machine.sigmoid_b_)
    first, second = np.triu_indices(3, 1)
    gamma, squares = machine.kernel_.gamma, (S**2).sum(dim=1)

    def forward(x):
        K = torch.exp(-gamma * ((x**2).sum(dim=1, keepdim=True) + squares - 2 * x @ S.T).clamp(min=0))
        r = torch.sigmoid(-(K @ C * a + b)).clamp(1e-7, 1 - 1e-7)
        R = torch.zeros(len(x), 3, 3, dtype=x.dtype)
        R[:, first, second], R[:, second, first] = r, 1 - r
        Q = torch.diag_embed((R**2).sum(dim=1)) - R * R.transpose(1, 2)
        system = torch.ones(len(x), 4, 4, dtype=x.dtype)
        system[:, :3, :3], system[:, 3, 3] = Q, 0
        return torch.linalg.solve(system, torch.eye(4, dtype=x.dtype)[3].expand(len(x), 4))[:, :3]

    x = torch.as_tensor(X)
    saliency = Saliency(forward)

    def theirs():
        return saliency.attribute(x.clone().requires_grad_(), target=0, abs=False)

    ours_again = agnsal.as_differentiable(machine).gradient(X, "a")
    difference = np.abs(theirs().numpy() - ours_again).max() / np.abs(ours_again).max()
    seconds = shortest(ours, theirs, rounds=rounds)
    table.add(work, "captum Saliency, equal torch module", seconds[1] / seconds[0], f"they differ by {difference:.1g}")


def shap_rows(table: Table, machine: agnsal.ProbabilisticSVC, one: np.ndarray) -> None:
    """Shapley values: ours are exact, of a decision value; theirs sample the probability."""
    import shap

    background = np.zeros_like(one)

    def kernel():
        explainer = shap.KernelExplainer(machine.predict_proba, background)
        return explainer.shap_values(one, nsamples=500, silent=True, l1_reg=False)

    def permutation():
        explainer = shap.PermutationExplainer(machine.predict_proba, background)
        return explainer(one, max_evals=2 * one.shape[1] + 1, silent=True)

    def ours():
        return agnsal.shapley(machine, one, "a", "decision", baseline="zero")

    seconds = shortest(ours, kernel, permutation, rounds=1)
    work = f"Shapley values, one spectrum, {one.shape[1]} bins"
    table.add(work, "shap Kernel, 500 samples", seconds[1] / seconds[0], "theirs sampled, ours exact")
    table.add(work, "shap Permutation, one permutation", seconds[2] / seconds[0], "theirs sampled, ours exact")


def resampling(table: Table, rounds: int) -> None:
    """3800 pixels to 3000 bins, with errors."""
    from bench_resampling import Resampling

    bench = Resampling()
    bench.setup()
    seconds = shortest(bench.time_resample, bench.time_specutils, rounds=rounds)
    table.add("resampling 3800 to 3000 with errors", "specutils FluxConservingResampler", seconds[1] / seconds[0])


def main() -> None:
    """Run everything that can run and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, one round")
    parser.add_argument("--output", type=Path, help="write the table here too")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    table, rounds = Table(), 1 if options.quick else 3
    with threadpool_limits(1):
        fits(table, [(300, 200)] if options.quick else [(2141, 1000), (750, 3500)], rounds)
        searches(table, (200, 200) if options.quick else (600, 1000))
        if not options.quick:
            predictions(table, 10 * rounds)
            gradients(table, 6 * rounds)
        resampling(table, 2 * rounds)
    print("\n" + table.markdown())
    if options.output:
        options.output.write_text(table.markdown(), encoding="utf-8")


if __name__ == "__main__":
    main()
