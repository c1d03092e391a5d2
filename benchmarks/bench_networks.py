"""Networks: one hierarchy, one training, one batch of decompositions; `python benchmarks/bench_networks.py` prints."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from agnsal.attribution.networks.decomposition import contextual_decomposition
from agnsal.attribution.networks.hierarchy import agglomerate
from agnsal.attribution.networks.relevance import layerwise_relevance
from agnsal.models.networks.network import Network
from agnsal.training.perceptron import ExplanationRegularizedMLP


class Networks:
    """A perceptron 1000-100-50-3 with 200 units of 5 bins, and a training of 4000 spectra of 100 bins."""

    def setup(self) -> None:
        rng = np.random.default_rng(0)
        sizes = (1000, 100, 50, 3)
        weights = [rng.normal(size=(b, a)) / np.sqrt(a) for a, b in pairwise(sizes)]
        self.network = Network.dense(weights, [rng.normal(size=b) for b in sizes[1:]])
        self.X = rng.normal(size=(64, 1000))
        self.units = np.arange(1000) // 5
        self.masks = np.arange(20)[:, None] == np.arange(1000) // 50
        self.y = rng.integers(2, size=4000)
        self.spectra = rng.normal(size=(4000, 100))
        self.spectra[:, 70:75] += 1.5 * (2 * self.y[:, None] - 1)
        self.sky = (np.arange(100) >= 70) & (np.arange(100) < 75)

    def time_agglomerate_200_units(self):
        return agglomerate(self.network, self.X[0], 0, self.units)

    def time_decompose_20_groups_of_64_spectra(self):
        return contextual_decomposition(self.network, self.X, self.masks)

    def time_relevance_of_64_spectra(self):
        return layerwise_relevance(self.network, self.X, "alpha1beta0")

    def time_train(self):
        return self._train(None)

    def time_train_cdep(self):
        return self._train("cdep_l1")

    def time_train_rrr(self):
        return self._train("rrr")

    def time_train_occlusion(self):
        return self._train("occlusion")

    def _train(self, penalty):
        model = ExplanationRegularizedMLP((32, 16), penalty=penalty, max_epochs=40, random_state=0)
        return model.fit(self.spectra, self.y, self.sky if penalty else None)


def best_time(work: Callable[[], object], repeats: int) -> float:
    """Shortest of several runs, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    bench = Networks()
    bench.setup()
    for label, work, repeats, bound in (
        ("hierarchy, 200 units, perceptron 1000-100-50-3", bench.time_agglomerate_200_units, 3, 2.0),
        ("CD, 20 groups of 64 spectra", bench.time_decompose_20_groups_of_64_spectra, 3, None),
        ("LRP alpha1beta0, 64 spectra", bench.time_relevance_of_64_spectra, 3, None),
        ("training 4000 x 100, 40 epochs, no penalty", bench.time_train, 1, None),
        ("training 4000 x 100, 40 epochs, CDEP", bench.time_train_cdep, 1, 20.0),
        ("training 4000 x 100, 40 epochs, RRR", bench.time_train_rrr, 1, None),
        ("training 4000 x 100, 40 epochs, occlusion", bench.time_train_occlusion, 1, None),
    ):
        seconds = best_time(work, repeats)
        print(f"{label:50}{seconds:8.3f} s" + (f"   (bound {bound:.0f} s)" if bound else ""))


if __name__ == "__main__":
    main()
