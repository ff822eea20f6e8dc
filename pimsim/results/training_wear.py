"""How training wears the cells, layer by layer, and how long they last.

An update of the weights writes every cell that holds a part of one, once an iteration; where only cells are written
whose level changes, a share of them (see :data:`pimsim.device.write_counter.POLICIES`).  Crossbars that hold
activations are written once for every image, whatever their levels.  A write is one cell brought to its level, however
many pulses that takes.
"""

from __future__ import annotations

from collections.abc import Iterable

from pimsim.device.endurance import RERAM_ENDURANCE
from pimsim.errors import InputError, shown
from pimsim.mapping.program import Program
from pimsim.results.record import Programming, Wear
from pimsim.results.training_record import LayerWrites, TrainingWear
from pimsim.results.wear import SOURCE, reram_lifetimes, update_life, write_energy_pj


def wear_of_training(program: Program, iteration_ps: float, share_written: float = 1.0) -> TrainingWear:
    """Writes of one iteration, and lifetimes at both ends of the range of ReRAM.

    Args:
        iteration_ps: mean time of an iteration.
        share_written: of the cells that hold weights, in one update.

    Raises:
        InputError: a share that is not from 0 to 1.
    """
    if not 0 <= share_written <= 1:
        raise InputError(f"is {shown(share_written)}", key="share_written", allowed="0 to 1")
    layers = tuple(_writes(program, share_written))
    low, high = RERAM_ENDURANCE
    lives = tuple(
        update_life(layers, endurance, f"{which} of ReRAM: {SOURCE}", iteration_ps)
        for endurance, which in ((low, "lowest"), (high, "highest"))
    )
    return TrainingWear(share_written, layers, lives)


def _writes(program: Program, share_written: float) -> Iterable[LayerWrites]:
    array = program.system.chip.tile.ima.crossbar
    for node in program.dataflow.nodes:
        if node.kind != "update":
            continue
        layer = program.layers[node.of]
        assert layer.tiling is not None
        activations, runs = node.phase == "gradient", program.batch // node.every
        cells = layer.replicas * layer.tiling.used_cells
        each = runs * (1.0 if activations else share_written)
        yield LayerWrites(
            name=layer.name,
            activations=activations,
            crossbars=layer.replicas * layer.tiling.crossbars,
            cells=cells,
            cell_writes=each,
            row_writes=runs * layer.replicas * int((layer.tiling.row_hi - layer.tiling.row_lo).sum()),
            energy_pj=each * write_energy_pj(cells, array),
        )


def wear_of_iterations(programming: Programming, wear: TrainingWear, iterations: int) -> Wear:
    """Writes of a whole run of training, the first programming of the weights included."""
    updated = sum(each.cells * each.cell_writes for each in wear.layers)
    writes = programming.cells + round(iterations * updated)
    cells = programming.cells + sum(each.cells for each in wear.layers if each.activations)
    most = max(
        (int(not each.activations) + iterations * each.cell_writes for each in wear.layers),
        default=float(programming.cells > 0),
    )
    return Wear(
        writes=writes,
        cells_written=cells,
        rows_written=programming.rows + iterations * sum(each.row_writes for each in wear.layers),
        mean_writes=writes / cells if cells else 0.0,
        max_writes=round(most),
        lifetimes=reram_lifetimes(round(most)),
    )
