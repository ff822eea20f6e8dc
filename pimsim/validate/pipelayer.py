"""PipeLayer (HPCA 2017): its formulas against its pipeline walked cycle by cycle, its two worked examples, and a run
of the shipped system against its schedule."""

from __future__ import annotations

from pimsim.costmodels.pipelayer import crossbars, layer_cycles, testing_cycles, training_cycles
from pimsim.simulation import simulate
from pimsim.validate.checks import TOLERANCE, Check
from pimsim.workload import Builder, Workload

GROUP = "PipeLayer: cycles"
_RECALLED = "PipeLayer's formula, recalled: a definition of the model, no evidence"
LAYERS, BATCH, IMAGES = 8, 64, 640  #: of the example that is walked
EQUAL_LAYERS, WIDTH = 3, 128  #: of the network that is run


def pipelayer_checks() -> list[Check]:
    """Ours is the pipeline, walked or run; theirs the closed form."""
    quoted = "PipeLayer's example, as quoted in literature notes"
    return [
        Check(GROUP, "crossbars of a 1152 x 256 matrix", "", crossbars(1152, 256), 18, 0, quoted),
        Check(GROUP, "cycles of 112 x 112 outputs, one copy", "", layer_cycles(112 * 112), 12_544, 0, quoted),
        Check(GROUP, "training, pipelined", "cycles", walked_training(LAYERS, BATCH, IMAGES, True),
              training_cycles(LAYERS, BATCH, IMAGES), 0, _RECALLED, "definition", "(N / B)(2L + B + 1)"),
        Check(GROUP, "training, not pipelined", "cycles", walked_training(LAYERS, BATCH, IMAGES, False),
              training_cycles(LAYERS, BATCH, IMAGES, pipelined=False), 0, _RECALLED, "definition", "(2L + 1)N + N / B"),
        Check(GROUP, "testing, pipelined", "cycles", walk(LAYERS, IMAGES, True), testing_cycles(LAYERS, IMAGES), 0,
              _RECALLED, "definition", "N + L - 1"),
        Check(GROUP, f"training on the engine, {EQUAL_LAYERS} equal layers", "cycles/batch",
              cycles_of_run(EQUAL_LAYERS, BATCH), training_cycles(EQUAL_LAYERS, BATCH, BATCH), TOLERANCE, _RECALLED,
              "definition", "2L + B + 1; a cycle: from one image to the next; shorter stages shorten fill and drain"),
    ]  # fmt: skip


def cycles_of_run(layers: int, batch: int, width: int = WIDTH) -> float:
    """An iteration of so many fully connected layers on the shipped system, in its own logical cycles: the time that
    one more image takes.  The network is ideal: PipeLayer counts no transfers."""
    whole, half = (
        simulate(equal_layers(layers, width), "pipelayer", mode="train", batch=images, noc="ideal",
                 overrides=["chips=auto"]).times.run_ps
        for images in (batch, batch // 2)
    )  # fmt: skip
    return whole * (batch - batch // 2) / (whole - half)


def equal_layers(layers: int, width: int) -> Workload:
    """A chain of square matrices."""
    build = Builder(f"{layers} equal layers")
    last = build.input("input", (1, width))
    for layer in range(1, layers + 1):
        weights = build.constant(f"weights{layer}", (width, width))
        build.add("Gemm", [last, weights], [f"layer{layer}"])
        last = f"layer{layer}"
    return build.build([last])


def walked_training(layers: int, batch: int, images: int, pipelined: bool) -> int:
    """Each image goes through L layers forward, the loss, and L layers backward; each batch ends with an update."""
    return sum(walk(2 * layers + 1, batch, pipelined) + 1 for _ in range(images // batch))


def walk(stages: int, images: int, pipelined: bool) -> int:
    """Cycles until the last image has left: it moves by one stage a cycle; the next enters when the first stage is
    free, or, without a pipeline, when all are."""
    inside: list[int] = []  # stage of each image
    waiting, cycles = images, 0
    while waiting or inside:
        inside = [stage + 1 for stage in inside if stage + 1 < stages]
        if waiting and (0 not in inside if pipelined else not inside):
            inside.append(0)
            waiting -= 1
        cycles += bool(inside)
    return cycles
