"""PipeLayer (HPCA 2017): its formulas against its pipeline walked cycle by cycle, and its two worked examples."""

from __future__ import annotations

from pimsim.costmodels.pipelayer import crossbars, layer_cycles, testing_cycles, training_cycles
from pimsim.validate.checks import Check

GROUP = "PipeLayer: cycles"
_RECALLED = "PipeLayer's formula, recalled: a definition of the model, no evidence"
LAYERS, BATCH, IMAGES = 8, 64, 640  #: of the example that is walked


def pipelayer_checks() -> list[Check]:
    """Ours is the pipeline, walked; theirs the closed form."""
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
    ]  # fmt: skip


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
