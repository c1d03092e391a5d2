"""How large the page of `agnsal.write_explorer` is, and how long a browser takes to open it.

    python benchmarks/explorer_page.py 3346 20000 --browser /usr/bin/chromium

Simulated spectra of 1,000 bins in the proportions of the paper, and its rbf machine (C 34, gamma 0.003) trained on its
3,346. The map is one of two principal components; how it was made does not change the page. Prints, for each number of
spectra, MB, seconds to write, seconds until the page says that it is ready, and what stands at its foot. Needs
playwright and a Chromium.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

from playwright.sync_api import sync_playwright
from sklearn.decomposition import PCA

import agnsal

BLOCK = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("n_spectra", type=int, nargs="+")
    parser.add_argument("--browser", default="/usr/bin/chromium")
    parser.add_argument("--output", type=Path, help="folder that keeps pages and screenshots")
    options = parser.parse_args()
    folder = options.output or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    training = agnsal.simulate_agn(seed=0).normalize()
    machine = agnsal.ProbabilisticSVC("rbf", C=34.0, gamma=0.003, class_weight="balanced", random_state=0).fit(training)
    for n in options.n_spectra:
        spectra = sample(n)
        flat = SimpleNamespace(coordinates=PCA(2, random_state=0).fit_transform(spectra.flux))
        start = time.perf_counter()
        page = agnsal.write_explorer(folder / f"{n}.html", spectra, machine, flat, title=f"{n} simulated AGN")
        written = time.perf_counter() - start
        seconds, foot = opened(page, options.browser)
        print(
            f"{n} spectra: {page.stat().st_size / 1e6:.1f} MB, written in {written:.0f} s, ready after {seconds:.1f} s"
        )
        print(" ".join(foot.split()))


def sample(n: int) -> agnsal.SpectralSample:
    """Spectra in the proportions of the paper, made in blocks without what the simulation knows."""
    blocks = []
    for seed, start in enumerate(range(0, n, BLOCK)):
        size = min(BLOCK, n - start)
        one, intermediate = round(0.2 * size), round(0.16 * size)
        block = agnsal.simulate_agn(one, size - one - intermediate, intermediate, seed=seed + 1).normalize()
        blocks.append(block.with_flux(block.flux))
    return agnsal.concatenate(blocks)


def opened(page: Path, browser: str) -> tuple[float, str]:
    """Seconds until the page is ready, and what stands at its foot."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        tab = chromium.new_page(viewport={"width": 1400, "height": 900})
        start = time.perf_counter()
        tab.goto(page.resolve().as_uri())
        tab.wait_for_selector("body[data-ready=yes]", timeout=120_000)
        seconds = time.perf_counter() - start
        tab.screenshot(path=page.with_suffix(".png"))
        foot = tab.inner_text("footer")
        chromium.close()
    return seconds, foot


if __name__ == "__main__":
    main()
