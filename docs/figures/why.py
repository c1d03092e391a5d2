"""The figure of the README: `python docs/figures/why.py` makes why.png."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

import agnsal
from agnsal import figures

training = agnsal.simulate_agn(seed=0).normalize()
model = agnsal.ProbabilisticSVC(kernel="linear", C=0.07, class_weight="balanced", random_state=0)
model.fit(training)

new = agnsal.simulate_agn(40, 0, 0, seed=3).normalize()
saliency = agnsal.saliency(model, new, target="type 1", output="log_odds")
change = agnsal.integrated_gradients(model, new, "type 1", "log_odds", baseline=agnsal.continuum(new))
chosen = int(np.linalg.norm(new.flux - np.median(new.flux, axis=0), axis=1).argmin())  # the most usual one

figure, (top, bottom) = plt.subplots(
    2, 1, figsize=(7.4, 6.2), layout="constrained", gridspec_kw={"height_ratios": [3, 2]}
)
figures.plot_saliency(
    saliency, chosen, ax=top, title="Simulated type 1 AGN: what more flux would do to the log-odds of type 1"
)
lines = ["[O II] 3727", "[Ne III] 3869", "Hdelta", "Hgamma", "He II 4686", "Hbeta", "[O III] 5007"]
figures.plot_line_importance(change[chosen].by_line(lines), ax=bottom)
bottom.set_xlabel("What each line adds to the log-odds of type 1, against the continuum without it")
figure.savefig(Path(__file__).with_suffix(".png"), dpi=130)
