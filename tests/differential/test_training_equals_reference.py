"""Training: the compiled engine and the SimPy reference give the same integers."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings

from pimsim.arch.run import run_compiled
from pimsim.mapping.program import Program
from pimsim.mapping.timing import Timing
from pimsim.reference import run_simpy
from tests.differential.comparison import differences
from tests.differential.test_engine_equals_reference import RANDOM
from tests.differential.training_cases import TrainingCase, training_cases

COMMON = ("several iterations", "BatchNorm", "sub-batches", "shared kernels", "kernels that queue", "results that wait",
          "several gradients of a layer", "outer products", "copies of a layer", "updates of several rows",
          "multi-tile layers", "shortcuts", "several GPU tiers", "gradients of several images",
          "arrays read from both sides", "turns at an array",
          "slotted", "dynamic", "ideal")  # fmt: skip


def features(case: TrainingCase, program: Program, timing: Timing) -> set[str]:
    """What a case has put to the test."""
    nodes, replicas = program.dataflow.nodes, program.replicas
    kinds = np.array([node.kind for node in nodes])[replicas.layer]
    gradients = Counter(node.name.split(":")[0] for node in nodes if node.phase == "gradient" and node.kind == "gpu")
    has = {
        "several iterations": case.iterations > 1,
        "BatchNorm": any(node.type == "BatchNormalization" for node in nodes),
        "sub-batches": case.sub_batch is not None and any(node.emits_every == case.sub_batch for node in nodes),
        "shared kernels": any(layer.replicas > 1 for layer, node in zip(program.layers, nodes, strict=True)
                              if node.kind == "gpu"),
        "kernels that queue": timing.lost_ps["core"].any(),
        "results that wait": timing.lost_ps["space"][kinds == "gpu"].any(),
        "several gradients of a layer": any(n > 1 for n in gradients.values()),
        "outer products": case.weight_gradient == "outer",
        "copies of a layer": any(layer.replicas > 1 for layer, node in zip(program.layers, nodes, strict=True)
                                 if node.kind == "mvm"),
        "updates of several rows": any(node.kind == "update" and node.windows > 1 for node in nodes),
        "multi-tile layers": (program.slices.tree >= 0).any(),
        "shortcuts": any(node.operation == "Add" for node in nodes),
        "several GPU tiers": sum(kind == "gpu" for kind in case.system.chip.tiers or ()) > 1,
        "gradients of several images": (program.buffers.gathers > 1).any(),
        "arrays read from both sides": (replicas.array >= 0).any(),
        "turns at an array": timing.lost_ps["array"].any(),
        "slotted": case.system.pipeline.schedule == "slotted",
        "dynamic": case.system.pipeline.schedule == "dynamic",
        "ideal": case.network == "ideal",
    }  # fmt: skip
    return {name for name, present in has.items() if present}


def test_random_training():
    """200 networks in training on as many chips of ReRAM tiles and GPU cores, in which every mechanism comes up."""
    seen: Counter[str] = Counter()

    @settings(RANDOM, max_examples=200)
    @given(training_cases())
    def equal(case: TrainingCase) -> None:
        program = case.program()
        images = case.batch * case.iterations
        reference = run_simpy(program, images, log=True)
        assert differences(run_compiled(program, images, log=True), reference) == []
        seen.update(features(case, program, reference) | {"examples"})

    equal()
    assert seen["examples"] >= 200
    assert all(seen[name] >= 5 for name in COMMON), seen
