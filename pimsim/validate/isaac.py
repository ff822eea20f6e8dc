"""ISAAC (ISCA 2016): its table, its densities, its pipeline's timing, the resolution of its converters."""

from __future__ import annotations

import numpy as np

from pimsim.arch.run import run_compiled
from pimsim.config import System, load_system
from pimsim.functional.crossbar import crossbar_matmul
from pimsim.mapping.arithmetic import Arithmetic
from pimsim.mapping.compile import map_network
from pimsim.technology import roll_up
from pimsim.validate.checks import Check
from pimsim.validate.published import ISAAC_CE, ISAAC_DEVIATING, compare
from pimsim.workload import Builder, Workload, lower

_TABLE, _TIMING, _ADC = "ISAAC: table and densities", "ISAAC: pipeline", "ISAAC: converters"
_RECALLED = "ISAAC, section 6; recalled, so that this defines the model"
SLOT_PS = 100_000


def table_checks(system: System) -> list[Check]:
    """Roll-up of power and area, arrays, peak, densities, ratios to DaDianNao."""
    return [
        Check(_TABLE, row.quantity, row.unit, row.ours, row.published, row.tolerance, row.source, row.kind, row.note,
              row.deviation)
        for row in compare((*ISAAC_CE, *ISAAC_DEVIATING), system)
    ]  # fmt: skip


def timing_checks(system: System) -> list[Check]:
    """One position of a convolution, and positions one after another, run on the engine."""
    alone, _ = _run(system, width=1)
    _, starts = _run(system, width=8)
    intervals = np.diff(starts[4:]) / SLOT_PS  # the first ones wait for the host
    return [
        Check(_TIMING, "one position of a convolution", "cycles", alone / SLOT_PS, 22, 0, _RECALLED, "definition",
              deviation="ISAAC: stage table"),
        Check(_TIMING, "from one vector to the next", "cycles", float(intervals.max()), 16, 0,
              "ISAAC: 16 input bits, one a cycle of 100 ns, as quoted in literature notes"),
    ]  # fmt: skip


def filled_chip_check() -> Check:
    """One layer that fills all crossbars of a chip: 1024 inputs and 192 outputs take a tile, 168 copies the chip.

    What is published is two figures between which any share of filling may lie; how many vectors a copy works through
    is not said, and is chosen here: nothing can be checked.
    """
    copies, windows_each = 168, 4
    keys = ["host.gb_per_s=1e3", f"mapping.layer_replication.map={copies}", "mapping.windows=interleaved"]
    system = load_system("isaac-ce", keys)
    network = _pointwise(1024, 192, windows_each, copies)
    program = map_network(lower(network), system, "ideal")
    timing = run_compiled(program, log=True)
    assert timing.window_start_ps is not None
    first_of_last = timing.window_start_ps[0, program.replicas.window_first[1:-1]].max()
    time_s = float(timing.image_done_ps[0] - first_of_last) / 1e12
    ce = 2 * network.macs / time_s / 1e9 / roll_up(system).chip.area_mm2
    return Check(_TIMING, "CE of a layer that fills the chip", "GOPS/(s mm2)", ce, None, None,
                 "a later paper on a polyhedral compiler: 352 measured, 483 busy", "not checkable",
                 f"ours is of {windows_each} vectors a copy, the filling of the pipeline included: a number that is "
                 "chosen here, and that brings ours near the one end or the other", interval=(352, 483))  # fmt: skip


def _pointwise(inputs: int, outputs: int, height: int, width: int) -> Workload:
    """A convolution of 1x1 windows."""
    build = Builder("pointwise")
    build.input("image", (1, inputs, height, width))
    build.constant("weight", (outputs, inputs, 1, 1))
    build.add("Conv", ["image", "weight"], ["map"], {"kernel_shape": [1, 1]})
    return build.build(["map"])


def _run(system: System, width: int) -> tuple[int, np.ndarray]:
    """From the first window's start to the end, and starts of all windows [ps]: a row of positions."""
    program = map_network(lower(_pointwise(8, 8, 1, width)), system, "ideal")
    timing = run_compiled(program, log=True)
    layer = next(at for at, node in enumerate(program.dataflow.nodes) if node.kind == "mvm")
    replica = int(np.flatnonzero(program.replicas.layer == layer)[0])
    first, end = program.replicas.window_first[replica : replica + 2]
    assert timing.window_start_ps is not None
    starts = timing.window_start_ps[0, first:end]
    return int(timing.image_done_ps[0] - starts[0]), starts


def converter_checks() -> list[Check]:
    """Narrowest ADC that never clips, found by multiplying the worst vectors."""
    source = "ISAAC, and CrossSim's ISAAC preset: 9 bits, 8 with flipped columns"
    return [
        Check(_ADC, f"resolution, {words}", "bit", narrowest_adc(encoding), bits, 0, source)
        for words, encoding, bits in (("columns as they are", "offset", 9), ("columns flipped", "flip", 8))
    ]


def narrowest_adc(encoding: str) -> int:
    """Bits of the narrowest ADC that clips none of the sums of 128 rows of 2-bit cells, one input bit at a time.

    Column j holds the largest weight in j rows and the smallest in the others, so that sums take every multiple of the
    highest level; -1 drives every row in every plane.
    """
    rows = 128
    largest = np.arange(rows)[:, None] < np.arange(rows + 1)[None, :]
    weights = np.where(largest, 2**15 - 1, -(2**15))
    vector = np.full((1, rows), -1)
    for bits in range(1, 16):
        product = crossbar_matmul(vector, weights, Arithmetic(adc_bits=bits, encoding=encoding))
        if product.clipped == 0 and (product.values == vector @ weights).all():
            return bits
    raise AssertionError("sums of 128 rows of 2-bit cells have no more than 9 bits")


def isaac_checks() -> list[Check]:
    """All of them."""
    fast_host = ["host.gb_per_s=1e6", "host.latency_ns=0", "mapping.replication=none"]
    return [
        *table_checks(load_system("isaac-ce")),
        *timing_checks(load_system("isaac-ce", fast_host)),
        filled_chip_check(),
        *converter_checks(),
    ]
