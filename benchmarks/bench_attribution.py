"""Attribution of kernel machines against the work it cannot avoid; run as a script it prints the ratios.

Gaussian kernel, 3 classes, 1500 support vectors, 3500 bins: a survey's worth of training on whole optical spectra.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

import agnsal
from agnsal.models.machine.kernels import Kernel, KernelExpansion

N_SUPPORT, N_BINS, BATCH = 1500, 3500, 64


def machine(n_support: int = N_SUPPORT, n_bins: int = N_BINS) -> agnsal.ProbabilisticSVC:
    """A fitted machine of a given size: three small classes are trained, then its expansion is replaced."""
    random = np.random.default_rng(0)
    classes = np.repeat(["type 1", "type 2", "intermediate"], 10)
    model = agnsal.ProbabilisticSVC(random_state=0).fit(random.normal(size=(30, n_bins)), classes)
    model.pair_functions_ = KernelExpansion(
        Kernel("rbf", gamma=1.0 / n_bins),
        random.normal(size=(n_support, n_bins)),
        random.normal(size=(n_support, 3)) / np.sqrt(n_support),
        np.zeros(3),
    )
    return model


class Attributions:
    """Every method on the same machine."""

    def setup(self) -> None:
        self.model = machine()
        self.X = np.random.default_rng(1).normal(size=(BATCH, N_BINS))
        self.weights = np.random.default_rng(2).normal(size=(BATCH, N_SUPPORT))
        self.differentiable = agnsal.as_differentiable(self.model)
        self.labels = self.model.predict(self.X)

    def time_two_matrix_products(self):
        S = self.model.support_vectors_
        return self.X @ S.T, self.weights @ S

    def time_gradient(self):
        return self.differentiable.gradient(self.X, self.labels)

    def time_saliency(self):
        return agnsal.saliency(self.differentiable, self.X)

    def time_integrated_gradients(self):
        return agnsal.integrated_gradients(self.model, self.X[:8], self.labels[:8], baseline="zero", n_steps=32)

    def time_shapley(self):
        return agnsal.shapley(self.model, self.X[:1], self.labels[:1], "decision", baseline="zero")

    def time_shapley_of_probability(self):
        return agnsal.shapley(self.model, self.X[:1], self.labels[:1], "probability", baseline="zero")

    def time_500_samples(self):
        """What any explainer that samples 500 coalitions must evaluate at the least."""
        return self.model.decision_function(np.repeat(self.X[:1], 500, axis=0))

    def time_occlusion_of_70_windows(self):
        return agnsal.occlusion(self.model, self.X[:8], self.labels[:8], baseline="zero", window=50)


def best_times(works: list[Callable[[], object]], rounds: int = 7) -> list[float]:
    """Shortest of several runs of each, in seconds; the rounds take turns, so that a busy machine treats all alike."""
    times = np.full((rounds, len(works)), np.inf)
    for i in range(rounds):
        for j, work in enumerate(works):
            start = time.perf_counter()
            work()
            times[i, j] = time.perf_counter() - start
    return times.min(axis=0).tolist()


def main() -> None:
    bench = Attributions()
    bench.setup()
    rows = (
        (f"two matrix products, batch {BATCH}", bench.time_two_matrix_products, BATCH),
        (f"gradient of the probability, batch {BATCH}", bench.time_gradient, BATCH),
        (f"saliency: class, probability, gradient, batch {BATCH}", bench.time_saliency, BATCH),
        ("integrated gradients, 32 nodes", bench.time_integrated_gradients, 8),
        ("occlusion, 70 windows of 50 bins", bench.time_occlusion_of_70_windows, 8),
        ("exact Shapley values of a decision value", bench.time_shapley, 1),
        ("Owen's integral of a probability", bench.time_shapley_of_probability, 1),
        ("evaluating 500 coalitions, no more", bench.time_500_samples, 1),
    )
    times = best_times([work for _, work, _ in rows])
    print(f"{N_SUPPORT} support vectors, {N_BINS} bins, 3 classes; unit: the two matrix products of a gradient\n")
    print(f"{'':52}{'ms/spectrum':>12}{'/ products':>12}")
    for (label, _, n_spectra), seconds in zip(rows, times, strict=True):
        print(f"{label:52}{1e3 * seconds / n_spectra:12.2f}{seconds / n_spectra / (times[0] / BATCH):12.2f}")


if __name__ == "__main__":
    main()
