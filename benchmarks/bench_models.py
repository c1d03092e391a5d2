# ruff: noqa: ARG002 (every part takes the number of classes)
"""The hot paths of the models; run as a script it prints seconds, `peers.py` prints ratios against others."""

from __future__ import annotations

import itertools
import time

import numpy as np

import agnsal
from agnsal.models.machine.coupling import fit_sigmoid
from agnsal.models.machine.kernels import Kernel, KernelExpansion
from agnsal.models.machine.log_odds import class_log_odds, log_couple
from agnsal.models.machine.tuning import tune

SIZES = ((2141, 1000), (750, 3500))


def spectra(n: int, n_bins: int, seed: int = 0):
    """Standardised simulated spectra of three unbalanced classes, as many as asked for."""
    import astropy.units as u
    from sklearn.preprocessing import StandardScaler

    counts = np.array([0.2, 0.64, 0.16]) * n
    n_type1, n_intermediate = int(counts[0]), int(counts[2])
    grid = agnsal.WavelengthGrid.linear(3728.908 * u.AA, 5265.955 * u.AA, n_bins)
    sample = agnsal.simulate_agn(n_type1, n - n_type1 - n_intermediate, n_intermediate, grid=grid, seed=seed)
    return StandardScaler().fit_transform(sample.normalize().flux), sample.labels


def large_machine(n_support: int = 1500, n_bins: int = 3500, n: int = 64):
    """A machine of a given size, fitted small and given random support vectors, and spectra for it."""
    random = np.random.default_rng(0)
    small = agnsal.ProbabilisticSVC(random_state=0)
    machine = small.fit(random.normal(size=(30, n_bins)), np.repeat(["a", "b", "c"], 10))
    machine.pair_functions_ = KernelExpansion(
        Kernel("rbf", gamma=1.0 / n_bins),
        random.normal(size=(n_support, n_bins)),
        random.normal(size=(n_support, 3)) / np.sqrt(n_support),
        np.zeros(3),
    )
    return machine, random.normal(size=(n, n_bins))


class Fit:
    """Training at the sizes of Peruzzi et al. 2021 and of a small sample of whole optical spectra."""

    params = (SIZES, ("linear", "rbf"))
    param_names = ("size", "kernel")

    def setup(self, size, kernel):
        self.X, self.y = spectra(*size)
        self.machine = agnsal.ProbabilisticSVC(kernel=kernel, random_state=0)

    def time_fit(self, size, kernel):
        self.machine.fit(self.X, self.y)

    def peakmem_fit(self, size, kernel):
        self.machine.fit(self.X, self.y)


class Tune:
    """Twenty points of C and gamma."""

    def setup(self):
        self.X, self.y = spectra(600, 1000)

    def time_tune(self):
        tune(self.X, self.y, kernels="rbf", C=[0.1, 1, 10, 100], gamma=[1e-4, 3e-4, 1e-3, 3e-3, 1e-2], refit=False)


class Outputs:
    """Predictions and gradients of a machine of 1500 support vectors on 3500 bins, 64 spectra at once."""

    params = ("double", "single")
    param_names = ("precision",)

    def setup(self, precision):
        self.machine, self.X = large_machine()
        self.model = agnsal.as_differentiable(self.machine)
        self.model.gradient(self.X, "a", precision=precision)

    def time_probability(self, precision):
        self.model.outputs(self.X, precision=precision)

    def time_gradient_of_probability(self, precision):
        self.model.gradient(self.X, "a", precision=precision)

    def time_gradient_of_log_odds(self, precision):
        self.model.gradient(self.X, "a", "log_odds", precision=precision)

    def time_predict_proba(self, precision):
        self.machine.predict_proba(self.X)


class Memory:
    """Peak memory of gradients of many spectra: input and output, not the kernel matrix."""

    def setup(self):
        self.machine, X = large_machine()
        self.model, self.X = agnsal.as_differentiable(self.machine), np.tile(X, (40, 1))

    def peakmem_gradient(self):
        self.model.gradient(self.X, "a", max_memory=64.0)


class Parts:
    """The pieces by themselves."""

    params = (2, 3, 5)
    param_names = ("n_classes",)

    def setup(self, n_classes):
        random = np.random.default_rng(0)
        n_pairs = n_classes * (n_classes - 1) // 2
        self.g = random.normal(size=(1000, n_pairs))
        self.f = random.normal(size=2000)
        self.S = random.normal(size=(1500, 1000))

    def time_couple(self, n_classes):
        log_couple(self.g)

    def time_log_odds(self, n_classes):
        class_log_odds(self.g)

    def time_sigmoid(self, n_classes):
        fit_sigmoid(self.f, self.f > 0.3)

    def time_rbf_kernel(self, n_classes):
        Kernel("rbf", gamma=1e-3)(self.S[:64], self.S)


def main() -> None:
    """Time every suite once."""
    for suite in (Fit, Tune, Outputs, Parts):
        lists = getattr(suite, "params", ())
        lists = lists if len(getattr(suite, "param_names", ())) != 1 else (lists,)
        for values in itertools.product(*lists):
            made = suite()
            made.setup(*values)
            for name in (name for name in dir(made) if name.startswith("time_")):
                start = time.perf_counter()
                getattr(made, name)(*values)
                print(f"{suite.__name__}.{name[5:]}{values or ''}: {time.perf_counter() - start:.4f} s")


if __name__ == "__main__":
    main()
