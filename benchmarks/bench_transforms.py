"""Attribution in transformed spaces against the same attribution over pixels; run as a script it prints the ratios."""

from __future__ import annotations

import time

import agnsal

N_EXPLAINED = 32


class Transforms:
    """Integrated gradients of a Gaussian machine on the grid of the paper, in every kind of basis."""

    def setup(self) -> None:
        sample = agnsal.simulate_agn(150, 300, 150, seed=0).normalize()
        self.model = agnsal.ProbabilisticSVC(random_state=0).fit(sample.flux, sample.labels)
        self.some = sample[:N_EXPLAINED]
        self.components = agnsal.PCABasis(10).fit(sample)
        self.dictionary = agnsal.LineDictionary().fit(sample)
        self.nonnegative = agnsal.LineDictionary(nonnegative=True).fit(sample)

    def time_pixels(self):
        return agnsal.integrated_gradients(self.model, self.some, output="log_odds")

    def time_fourier_bands(self):
        return agnsal.transformed(self.model, self.some, agnsal.FourierBands(), output="log_odds")

    def time_wavelet(self):
        return agnsal.transformed(self.model, self.some, agnsal.Wavelet(), output="log_odds")

    def time_components(self):
        return agnsal.transformed(self.model, self.some, self.components, output="log_odds")

    def time_lines(self):
        return agnsal.transformed(self.model, self.some, self.dictionary, output="log_odds")

    def time_fit_of_lines(self):
        return self.dictionary.forward(self.some)

    def time_nonnegative_fit_of_lines(self):
        return self.nonnegative.forward(self.some)


def main() -> None:
    suite = Transforms()
    suite.setup()
    taken = {}
    for name in [name for name in dir(suite) if name.startswith("time_")]:
        run = getattr(suite, name)
        run()
        start = time.perf_counter()
        run()
        taken[name.removeprefix("time_")] = time.perf_counter() - start
    print(f"{N_EXPLAINED} spectra of {suite.some.flux.shape[1]} bins")
    for name, seconds in sorted(taken.items(), key=lambda item: item[1]):
        print(f"{name:24} {1e3 * seconds:8.1f} ms {seconds / taken['pixels']:6.2f} x pixels")


if __name__ == "__main__":
    main()
