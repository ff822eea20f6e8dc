"""What kernels move between core and memory, and what stays there, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pimsim.config import load_system
from pimsim.errors import InputError
from pimsim.mapping.compile import map_network
from pimsim.mapping.program import Program
from pimsim.report.show import describe_mapping
from pimsim.simulation import map_workload, training_options
from pimsim.validate.pipelayer import equal_layers
from pimsim.workload import Builder, expand_training, training_dataflow
from tests.networks import Network


def values(program: Program, name: str) -> np.ndarray:
    """Values that a run of each replica of a node moves."""
    (layer,) = [i for i, node in enumerate(program.dataflow.nodes) if node.name == name]
    return program.replicas.kernel_values[program.replicas.layer == layer]


def normalised(norm: str) -> Program:
    """8 x 8 positions of 16 channels, normalised, on four cores."""
    build = Builder("normalised")
    x = build.input("image", (1, 4, 8, 8))
    build.add("Conv", [x, build.constant("w", (16, 4, 3, 3))], ["conv"], {"pads": [1, 1, 1, 1]})
    statistics = [build.constant(f"s{k}", (16,)) for k in range(4)]
    build.add("BatchNormalization", ["conv", *statistics], ["norm"])
    build.add("Conv", ["norm", build.constant("v", (4, 16, 1, 1))], ["out"])
    system = load_system("hetero-3d", [f"training.norm={norm}"])
    return map_network(training_dataflow(build.build(["out"]), training_options(system, 4)), system)


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_a_core_that_takes_the_statistics_of_an_image_reads_all_of_it(norm: str) -> None:
    moved = values(normalised(norm), "norm")
    assert moved.size > 1
    for each, rows in zip(moved, np.diff(np.arange(moved.size + 1) * 8 // moved.size), strict=True):
        assert each == 8 * 8 * 16 + rows * 8 * 16  # the whole map in, its own rows out


def test_a_core_that_normalises_with_the_statistics_of_a_batch_reads_its_own_rows_and_them() -> None:
    moved = values(normalised("batch"), "norm")
    for each, rows in zip(moved, np.diff(np.arange(moved.size + 1) * 8 // moved.size), strict=True):
        assert each == 2 * rows * 8 * 16 + 2 * 16  # in and out; mean and 1/sigma


def fully_connected(system: str, *overrides: str, width: int = 64) -> Program:
    net = Network()
    net.fc(net.fc(net.input(1, 1, width), width), width)
    chosen = load_system(system, overrides)
    return map_network(expand_training(net.finish(), training_options(chosen, 2)), chosen)


def test_memory_of_cores_holds_sums_momentum_and_values_in_their_format() -> None:
    program = fully_connected("hetero-3d")
    nodes, buffers = program.dataflow.nodes, program.buffers
    kept = sum(node.kept_values * layer.replicas for node, layer in zip(nodes, program.layers, strict=True))
    assert kept == 2 * (2 * 64 * 64)  # a sum and a momentum for each of 2 x 64 x 64 weights
    held = 0
    for b, v in enumerate(buffers.replica):
        if program.on_gpu[program.replicas.tile[v]]:
            edge = nodes[program.replicas.layer[v]].edges[b - program.replicas.buffer_first[v]]
            held += int(buffers.capacity[b]) * edge.channels
    assert program.edram_bytes[program.on_gpu].sum() == 4 * (kept + held)


def test_cores_too_small_for_momentum_are_refused() -> None:
    with pytest.raises(InputError, match=r"GPU core \d+ is too small: weights, sums of their gradients and momentum"):
        fully_connected("hetero-3d", "chip.gpu_core.memory.mib=1", width=2048)  # 64 MiB on 32 cores of 1 MiB


def test_on_gpu_cores_alone_weights_have_one_update_and_reach_every_core_that_multiplies() -> None:
    program = fully_connected("gpu-only-3d")
    nodes = program.dataflow.nodes
    updates = [i for i, node in enumerate(nodes) if node.type == "Update"]
    assert len(updates) == 2
    for i in updates:
        assert nodes[i].positions * nodes[i].channels == 64 * 64
    forward = next(node for node in nodes if node.operation == "Gemm")
    image = 64
    assert values(program, forward.name).tolist() == [image + 64 * 64 + image] * 2  # and all weights in


def test_free_chips_are_added_until_the_memories_suffice() -> None:
    """Sums and momentum of 2 x 1,536 x 1,536 weights take 36 MiB; a chip has 32 cores of 1 MiB."""
    program = map_workload(equal_layers(2, 1536), "hetero-3d", mode="train", batch=2,
                           overrides=["chip.gpu_core.memory.mib=1", "chips=auto"])  # fmt: skip
    assert program.chips > 1
    assert program.edram_bytes[program.on_gpu].max() <= 2**20


def test_show_counts_crossbars_of_reram_tiles_alone() -> None:
    facts = describe_mapping(fully_connected("hetero-3d"))
    assert (facts["tiles"], facts["crossbars"]) == (32, 92_160)
