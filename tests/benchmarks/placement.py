"""Placements that are searched for, against the snake: medians of 5 seeds.  Printed, never passed or failed on.

    python -m tests.benchmarks.placement           everything (about half an hour)
    python -m tests.benchmarks.placement few       only what is named: few cores vgg run heat

``few``, ``cores`` and ``vgg`` print the stated objective: the weighted mean of the objectives, those of the snake
being 1.  ``run`` prints what it does for the packet network, ``heat`` what weighing temperature does for the hottest
tile of a chip of two kinds of tiles.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np

import pimsim
from pimsim.config import load_system
from pimsim.config.placement import Amosa, Annealing
from pimsim.heat import temperatures
from pimsim.mapping.compile import map_network
from pimsim.mapping.placement import snake
from pimsim.mapping.placement.amosa import amosa
from pimsim.mapping.placement.annealing import anneal, weights_of
from pimsim.mapping.placement.layout import problem_of
from pimsim.mapping.placement.objectives import Objectives, measure, weighted
from pimsim.mapping.placement.search import Found
from pimsim.mapping.placement.traffic import Traffic, traffic_of_matrix
from pimsim.mapping.placement.ways import Ways, fabric_of, ways_of_topology
from pimsim.network.routing import dimension_order
from pimsim.network.topology import mesh_topology
from pimsim.workload import load_workload, lower

SEEDS = range(5)
OF_AMOSA = Objectives(latency=1.0, mean=0.0, spread=1.0, energy=1.0, peak=0.0)


def compare(name: str, traffic: Traffic, ways: Ways, reference: Objectives) -> None:
    """Both searches from the placement in which the traffic's tiles have the system's numbers."""
    searches: dict[str, tuple[Callable[[int], Found], Objectives]] = {
        "annealing": (lambda seed: anneal(traffic, ways, Annealing(seed=seed)), weights_of(Annealing())),
        "amosa": (lambda seed: amosa(traffic, ways, Amosa(seed=seed)), OF_AMOSA),
    }
    print(f"{name}: snake {_shown(reference)}")
    for search, (find, weights) in searches.items():
        begin = time.process_time()
        found = [find(seed).objectives for seed in SEEDS]
        seconds = (time.process_time() - begin) / len(found)
        means = [weighted(each, reference, weights) for each in found]
        middle = Objectives(*(statistics.median(values) for values in zip(*found, strict=True)))
        print(f"  {search:10} {statistics.median(means):.3f} of the snake ({min(means):.3f} to {max(means):.3f}), "
              f"{seconds:.1f} CPU s a seed; {_shown(middle)}")  # fmt: skip


def _shown(objectives: Objectives) -> str:
    units = ("ns", "us", "us", "uJ", "us", "K")
    words = zip(objectives._fields, objectives, units, strict=True)
    return ", ".join(f"{name} {value:.4g} {unit}" for name, value, unit in words)


def _on_a_grid(name: str, shape: tuple[int, ...], f: np.ndarray) -> None:
    """Traffic f of which tile k lies on the k-th place of the snake."""
    topology = mesh_topology(shape)
    routing = dimension_order(topology)
    order = snake.tiles(fabric_of(topology, routing))
    lying = np.zeros_like(f)
    lying[np.ix_(order, order)] = f
    traffic, ways = traffic_of_matrix(lying), ways_of_topology(topology, routing)
    compare(name, traffic, ways, measure(traffic, ways, np.arange(traffic.tiles)))


def few() -> None:
    """Many to few, as the V tiles of ReGraphX send to few E tiles: 60 tiles send 50 to 150 flits to each of 4."""
    rng = np.random.default_rng(1)
    f = np.zeros((64, 64), np.int64)
    f[:60, 60:] = rng.integers(50, 150, (60, 4))
    for shape in ((8, 8), (4, 4, 4)):
        _on_a_grid(f"60 to 4, {'x'.join(map(str, shape))}", shape, f)


def cores() -> None:
    """A many-core of 8 CPUs, 16 caches and 40 GPUs: requests of a flit, replies of 5; GPUs ask 4 times as often."""
    rng = np.random.default_rng(1)
    f = np.zeros((64, 64), np.int64)
    caches, askers = slice(8, 24), np.r_[0:8, 24:64]
    rate = rng.integers(10, 30, (askers.size, 16)) * np.where(askers < 8, 1, 4)[:, None]
    f[askers, caches] = rate
    f[caches, askers] = 5 * rate.T
    f[:8, :8] = 20  # coherence among the CPUs
    _on_a_grid("8 CPUs, 16 caches, 40 GPUs, 4x4x4", (4, 4, 4), f)


def vgg() -> None:
    """VGG-16 on isaac-ce-16, all chips filled."""
    dataflow = lower(load_workload("vgg16"))
    reference = None
    for order in ("snake", "bands"):
        traffic, ways = problem_of(map_network(dataflow, load_system("isaac-ce-16", [f"mapping.placement={order}"])))
        start = measure(traffic, ways, np.arange(traffic.tiles))
        if reference is None:
            reference = start
        print(f"packed along {order}: {_shown(start)}")
        compare(f"VGG-16, isaac-ce-16, from {order}", traffic, ways, reference)


def run() -> None:
    """Batch of 48 on the packet network: time between images in steady state, and the first image alone."""
    for network in ("vgg16", "resnet18"):
        for placement in ("snake", "bands", "annealing", "amosa"):
            keys = [f"mapping.placement={placement}"]
            many = pimsim.simulate(network, "isaac-ce-16", overrides=keys, batch=48).times
            one = pimsim.simulate(network, "isaac-ce-16", overrides=keys).times
            interval = many.output_interval_ps
            every = f"an image every {interval / 1e6:.0f} us" if interval else "no steady state"
            print(f"{network:10}{placement:10}{every}, the first after {one.latency_ps / 1e6:.0f} us")


def heat() -> None:
    """Hottest tile by `pimsim thermal` and time of a run, without and with temperature among the objectives."""
    searches = {
        "annealing": ["mapping.placement=annealing"],
        "annealing, temperature 4": ["mapping.placement=annealing", "mapping.annealing.temperature=4"],
        "annealing, temperature 20": ["mapping.placement=annealing", "mapping.annealing.temperature=20"],
        "amosa": ["mapping.placement=amosa"],
        "amosa with temperature": ["mapping.placement=amosa",
                                   "mapping.amosa.objectives=[latency, spread, energy, temperature]"],
    }  # fmt: skip
    for network, mode, batch in (("resnet18-cifar", "train", 8), ("resnet18-cifar", "infer", 64)):
        snake = pimsim.simulate(network, "hetero-3d", mode=mode, batch=batch)  # type: ignore[arg-type]
        interval_us = snake.times.run_ps / 1e6 / (1 if mode == "train" else batch)
        print(f"{network}, {mode}, batch {batch}, on hetero-3d: snake {_heat_of(snake)}")
        for name, keys in searches.items():
            key = f"mapping.{keys[0].rpartition('=')[2]}"
            known = [f"{key}.interval_us={interval_us}"] if "temperature" in name else []
            for more in ([], known) if known else ([],):
                runs = [
                    _heat_of(pimsim.simulate(network, "hetero-3d", mode=mode, batch=batch,  # type: ignore[arg-type]
                                             overrides=[*keys, *more, f"{key}.seed={seed}"]))
                    for seed in range(3)
                ]  # fmt: skip
                print(f"  {name + (', time known' if more else ''):38}{'; '.join(runs)}")


def _heat_of(result: pimsim.Result) -> str:
    found = temperatures(result)
    rise = found.temperature_k.max() - found.hottest.ambient_k
    return f"{rise:.2f} K in {result.times.run_ps / 1e9:.3f} ms"


if __name__ == "__main__":
    for name in sys.argv[1:] or ("few", "cores", "vgg", "run", "heat"):
        globals()[name]()
