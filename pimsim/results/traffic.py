"""Traffic between tiers and kinds of tiles: from the Program alone, but for how busy links were."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pimsim.mapping.program import Program
from pimsim.mapping.timing import Timing
from pimsim.network.fabric import HOST, Fabric
from pimsim.results.counting import flits_of_trees
from pimsim.results.hot_links import hottest_links
from pimsim.results.sending import Sending, sending
from pimsim.results.traffic_record import CellBytes, Endpoints, Group, PhaseBytes, Traffic
from pimsim.results.training_record import PHASES

MOST_CELLS = 256  #: rows and columns of the matrix of tiles: what a picture can show, and 65,536 numbers at most


def traffic_of_run(program: Program, timing: Timing, run_ps: int) -> Traffic | None:
    """Bytes of one inference or iteration, and the links that were hottest; None: all tiles are of one kind and tier.

    Args:
        run_ps: length of the run, of which links are busy for a share.
    """
    of_tile, groups = groups_of_tiles(program)
    if len(groups) < 3:  # the host and one more
        return None
    sent = sending(program)
    source, target, count, phase = _deliveries(program, sent)
    row = np.where(source == HOST, 0, 1 + of_tile[source])
    counts = np.zeros((len(PHASES), len(groups), len(groups)), np.int64)
    np.add.at(counts, (phase, row, 1 + of_tile[target]), count)
    return Traffic(
        groups=groups,
        phases=tuple(
            PhaseBytes(name, tuple(map(tuple, each.tolist())))
            for name, each in zip(PHASES, counts, strict=True) if each.any()
        ),
        cells=_cells(of_tile, source, target, count),
        endpoints=tuple(_endpoints(program.on_gpu, source, target, count)),
        hottest=hottest_links(program, timing, sent, run_ps),
    )  # fmt: skip


def tiers_of_tiles(fabric: Fabric) -> np.ndarray:
    """(tiles,) int64: tier of the router at which each tile of the system hangs."""
    tiers: np.ndarray = fabric.tier[np.arange(fabric.n_tiles) % fabric.tiles // fabric.concentration]
    return tiers


def groups_of_tiles(program: Program) -> tuple[np.ndarray, tuple[Group, ...]]:
    """(tiles,) each tile's group, counted without the host; and all groups, the host first."""
    tier = tiers_of_tiles(program.fabric)
    found, of_tile, sizes = np.unique(2 * tier + program.on_gpu, return_inverse=True, return_counts=True)
    groups = [Group(("reram", "gpu")[key % 2], key // 2, size)
              for key, size in zip(found.tolist(), sizes.tolist(), strict=True)]  # fmt: skip
    return of_tile.astype(np.int64), (Group("host", -1, 0), *groups)


def _deliveries(program: Program, sent: Sending) -> tuple[np.ndarray, ...]:
    """What reaches another tile, one entry for each leaf: (n,) source tile, target tile, bytes, index of the phase."""
    leaves, nodes = program.leaves, program.dataflow.nodes
    of_layer = np.array([PHASES.index(node.phase) for node in nodes], np.int64)
    source = sent.tile[leaves.tree]
    flits = (flits_of_trees(program) * sent.uses)[leaves.tree]
    away = (source != leaves.tile) & (flits > 0)
    count = flits[away] * program.system.chip.noc.flit_bits // 8
    return source[away], leaves.tile[away], count, of_layer[sent.layer[leaves.tree[away]]]


def _cells(of_tile: np.ndarray, source: np.ndarray, target: np.ndarray, count: np.ndarray) -> CellBytes:
    """From cell to cell: tiles in the order of their groups, as many in one cell as it takes."""
    order = np.argsort(of_tile, kind="stable")
    sizes = np.bincount(of_tile)
    gathered = 1
    while np.sum(-(-sizes // gathered)) > max(MOST_CELLS, sizes.size):
        gathered *= 2
    cells = -(-sizes // gathered)
    first = np.cumsum(sizes) - sizes
    cell = np.empty_like(of_tile)
    cell[order] = ((np.cumsum(cells) - cells)[of_tile[order]]
                   + (np.arange(order.size) - first[of_tile[order]]) // gathered)  # fmt: skip
    from_tile = source != HOST
    n = int(cells.sum())
    matrix = np.zeros((n, n), np.int64)
    np.add.at(matrix, (cell[source[from_tile]], cell[target[from_tile]]), count[from_tile])
    row, column = np.nonzero(matrix)
    return CellBytes(
        tiles_of_cell=gathered,
        group=tuple(np.repeat(1 + np.arange(sizes.size), cells).tolist()),
        source=tuple(row.tolist()),
        target=tuple(column.tolist()),
        bytes=tuple(matrix[row, column].tolist()),
    )


def _endpoints(
    on_gpu: np.ndarray, source: np.ndarray, target: np.ndarray, count: np.ndarray
) -> Iterable[Endpoints]:
    handled = np.zeros(on_gpu.size, np.int64)
    np.add.at(handled, target, count)
    np.add.at(handled, source[source != HOST], count[source != HOST])
    for kind, own in (("reram", ~on_gpu), ("gpu", on_gpu)):
        if own.any():
            hottest = int(np.argmax(np.where(own, handled, -1)))
            ends = own[target] | ((source != HOST) & own[source])
            yield Endpoints(kind, int(own.sum()), int(count[ends].sum()), int(handled[own].sum()), hottest,
                            int(handled[hottest]))  # fmt: skip
