"""Small runs of training that the tests of results share."""

from __future__ import annotations

from functools import cache

from pimsim.arch.run import run_compiled
from pimsim.config import load_system
from pimsim.mapping.compile import map_network
from pimsim.mapping.program import Program
from pimsim.mapping.timing import Timing
from pimsim.results import Result, build_result
from pimsim.workload.dataflow import Dataflow
from pimsim.workload.training import Training, expand_training
from tests.networks import Network

BATCH, ITERATIONS = 2, 3
STATIC = ("chip.tile.ima.adc.cost.static_fraction=0.25", "chip.tile.edram.cost.static_fraction=0.5",
          "mapping.replication=none")  # fmt: skip


def two_layers() -> Dataflow:
    """4x4x4 inputs, a convolution of 3x3 to 8 channels, ReLU, and 3 outputs."""
    net = Network()
    net.fc(net.conv(net.input(4, 4, 4), 8), 3)
    return net.finish()


def with_norm() -> Dataflow:
    """A BatchNorm beside a shortcut."""
    net = Network()
    x = net.conv(net.input(4, 4, 4), 8)
    x = net.add(net.batch_norm(net.conv(x, 8, relu=False)), x)
    net.fc(net.mean(x), 3)
    return net.finish()


@cache
def trained(
    network: str = "two", *overrides: str, noc: str = "packet", gradient: str = "gpu", batch: int = BATCH,
    iterations: int = ITERATIONS,
) -> tuple[Program, Timing, Result]:  # fmt: skip
    program, timing = mapped(network, overrides, gradient, noc, batch, iterations)
    return program, timing, build_result(program, timing, batch * iterations, "compiled")


def mapped(
    network: str, overrides: tuple[str, ...], gradient: str, noc: str = "packet", batch: int = BATCH,
    iterations: int = ITERATIONS,
) -> tuple[Program, Timing]:  # fmt: skip
    system = load_system("hetero-3d", ["mapping.replication=none", *overrides])
    dataflow = {"two": two_layers, "norm": with_norm}[network]()
    options = Training(batch=batch, rows=128, cores=32, weight_gradient=gradient)  # type: ignore[arg-type]
    program = map_network(expand_training(dataflow, options), system, noc)
    return program, run_compiled(program, batch * iterations)


def counts(name: str, *arguments: str, **given: str) -> dict[str, int]:
    return trained(*arguments, **given)[2].layer(name).counts  # type: ignore[arg-type]


def beside_the_tiles(run: Result) -> float:
    """Energy of the run [pJ] that belongs to no tile: links between chips, and DRAM."""
    costs, apart = run.costs, ("chip.link", "chip.dram")
    return run.units * sum(costs.dynamic_pj.get(name, 0.0) + costs.static_pj.get(name, 0.0) for name in apart)
