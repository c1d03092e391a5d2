"""The benchmark of Mamalakis et al. 2022 at full size: 460 features, a million inputs, a network of 410,000 weights.

    pip install -e ".[torch]"
    python benchmarks/piecewise_full_size.py      # needs 4 GB; uses a GPU if there is one
    python benchmarks/piecewise_full_size.py --correlation correlation.npy    # of real fields, shape (d, d)
    python benchmarks/piecewise_full_size.py --samples 20000 --features 40 --epochs 3 --explained 20    # to try it

The published run used the correlation of sea-surface temperature anomalies (458 ocean cells), stochastic gradient
descent and 50 epochs; here Adam with one cycle of the learning rate takes 6 epochs to the same error. Expect R2 of the
network near 0.99 and mean correlations with the truth near 0.04 (gradient), 0.8 (input x gradient, occlusion) and 0.85
(integrated gradients) for fields with long correlations; shorter ones, as the default, are easier.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

import agnsal

HIDDEN = (512, 256, 128, 64, 32, 16)
CHUNK = 100_000


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    correlation = None if options.correlation is None else np.load(options.correlation, allow_pickle=False)
    benchmark = agnsal.PiecewiseLinearBenchmark(
        options.features, correlation=correlation, n_samples=min(options.samples, CHUNK), random_state=options.seed
    )
    module, scale = train(benchmark, options)
    weights = [layer.weight.detach().double().numpy() for layer in module if isinstance(layer, torch.nn.Linear)]
    biases = [
        None if layer.bias is None else layer.bias.detach().double().numpy()
        for layer in module
        if isinstance(layer, torch.nn.Linear)
    ]
    weights[-1] = scale * weights[-1]
    network = agnsal.Network.dense(weights, biases)
    scores = benchmark.score(network, n_explained=options.explained, seed=options.seed)
    table = scores.table()
    table.write(options.output / "scores.ecsv", overwrite=True)
    for name in table.colnames[4:]:
        table[name].info.format = ".3f"
    print(network, scores.facts)
    table[table["statistic"] == "pearson"].pprint_all()


def train(benchmark: agnsal.PiecewiseLinearBenchmark, options: argparse.Namespace) -> tuple[torch.nn.Sequential, float]:
    """Train on inputs drawn anew, and on no test input: the network, and the factor to the unit of y."""
    torch.manual_seed(options.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    X, y = inputs(benchmark, options)
    scale = float(y.std())
    module = network_of(benchmark.n_features).to(device)
    optimizer = torch.optim.Adam(module.parameters())
    steps = options.epochs * -(-len(X) // options.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, total_steps=steps)
    with tqdm(total=steps, desc=f"training on {device}", disable=options.quiet) as bar:
        for _ in range(options.epochs):
            for rows in torch.randperm(len(X)).split(options.batch):
                loss = ((module(X[rows].to(device))[:, 0] - (y[rows] / scale).to(device)) ** 2).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                bar.update()
    return module.cpu(), scale


def inputs(
    benchmark: agnsal.PiecewiseLinearBenchmark, options: argparse.Namespace
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw inputs and their targets in single precision, chunk by chunk."""
    X = torch.empty((options.samples, benchmark.n_features))
    y = torch.empty(options.samples)
    for start in range(0, options.samples, CHUNK):
        stop = min(start + CHUNK, options.samples)
        drawn = benchmark.draw(stop - start, [options.seed, 1 + start])
        X[start:stop], y[start:stop] = torch.from_numpy(drawn), torch.from_numpy(benchmark.predict(drawn))
    return X, y


def network_of(n_features: int) -> torch.nn.Sequential:
    """Make the published network: ReLU throughout, no bias on top, first layer with variance 1/d, the others He's."""
    widths = (n_features, *HIDDEN)
    layers: list[torch.nn.Module] = []
    for number, (before, after) in enumerate(pairwise(widths)):
        layer = torch.nn.Linear(before, after)
        torch.nn.init.normal_(layer.weight, std=np.sqrt((1 if number == 0 else 2) / before))
        torch.nn.init.zeros_(layer.bias)
        layers += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(HIDDEN[-1], 1, bias=False))


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, default=460)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--correlation", type=Path, help="npy file of a correlation matrix")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--explained", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("output/piecewise_full_size"))
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
