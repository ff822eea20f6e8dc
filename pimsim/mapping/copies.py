"""How many copies of every node, and what follows from that: windows of each copy, and what each needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimsim.config.records import System
from pimsim.mapping.allocation import digital_copies
from pimsim.mapping.cores import cores_in_the_way
from pimsim.mapping.emissions import deal, with_places
from pimsim.mapping.kernels import kernel_copies
from pimsim.mapping.placement import STRATEGIES, Turns
from pimsim.mapping.placement.layout import start_of
from pimsim.mapping.replication import Replication
from pimsim.mapping.tiling import Tiling, read_across, tile_matrix
from pimsim.mapping.windows import Needs, find_needs
from pimsim.network.fabric import Fabric, build_fabric
from pimsim.workload.dataflow import Dataflow, Node


@dataclass(frozen=True)
class Copies:
    """A network in copies on so many chips; nothing has a tile yet."""

    dataflow: Dataflow
    system: System
    tilings: dict[int, Tiling]  #: node -> its crossbars, for every node that multiplies with a matrix in some
    replication: Replication
    fabric: Fabric
    number: list[int]  #: of copies of each node
    on_gpu: np.ndarray  #: (tiles,) bool: the tile is a GPU core
    cores: int  #: GPU cores for kernels that images wait for
    turns: Turns  #: matrices and ReRAM tiles in the order of placement
    dealt: list[tuple[np.ndarray, np.ndarray]]  #: of each node: first window of each copy, and windows, copy after copy
    needs: list[list[Needs]]  #: of each node and edge
    rep_base: np.ndarray  #: (nodes + 1,) first replica of each node
    win_base: np.ndarray  #: (nodes + 1,) first window of each node

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Of the dataflow."""
        return self.dataflow.nodes

    @property
    def layer(self) -> np.ndarray:
        """(V,) node of each replica."""
        return np.repeat(np.arange(len(self.nodes)), self.number)

    def replicas(self, node: int) -> slice:
        """Replicas of a node."""
        return slice(int(self.rep_base[node]), int(self.rep_base[node + 1]))


def find_tilings(dataflow: Dataflow, system: System) -> dict[int, Tiling]:
    """Node -> its crossbars, for every node that multiplies with a matrix in some."""
    nodes = dataflow.nodes
    tilings = {i: tile_matrix(node, system) for i, node in enumerate(nodes) if node.has_crossbars}
    across = {i: read_across(tilings[node.of]) for i, node in enumerate(nodes)
              if node.kind == "mvm" and not node.has_crossbars}  # fmt: skip
    return tilings | across


def make_copies(
    dataflow: Dataflow, system: System, tilings: dict[int, Tiling], reach: list[list[np.ndarray]],
    replication: Replication,
) -> Copies:  # fmt: skip
    """Copies of all nodes; ``reach`` is that of :func:`pimsim.mapping.joins.join_reach`."""
    nodes = dataflow.nodes
    fabric = build_fabric(system, replication.chips)
    on_gpu = np.tile(system.chip.on_gpu, fabric.chips)
    cores = cores_in_the_way(dataflow, int(on_gpu.sum()), system)
    number = _numbers(nodes, system, replication, cores)
    matrices = {i: number[i] for i in tilings if nodes[i].has_crossbars}
    turns, order = STRATEGIES[start_of(system.mapping)](matrices, fabric)
    dealt = [deal(node, n, system.mapping.windows) for node, n in zip(nodes, number, strict=True)]
    needs = [
        [
            with_places(node, edge, find_needs(
                edge, node.grid, nodes[edge.source].output_grid, dealt[i], reach[i][e],
            ), dealt[i][0])
            for e, edge in enumerate(node.edges)
        ]
        for i, node in enumerate(nodes)
    ]  # fmt: skip
    return Copies(
        dataflow, system, tilings, replication, fabric, number, on_gpu, cores, (turns, order[~on_gpu[order]]), dealt,
        needs,
        rep_base=np.concatenate([[0], np.cumsum(number)]).astype(np.int64),
        win_base=np.concatenate([[0], np.cumsum([order.size for _, order in dealt])]).astype(np.int64),
    )  # fmt: skip


def _numbers(nodes: tuple[Node, ...], system: System, replication: Replication, cores: int) -> list[int]:
    """Copies of each node; what reads or writes the crossbars of another has as many as that."""
    number: list[int] = []
    for i, node in enumerate(nodes):
        if node.kind == "gpu":
            number.append(kernel_copies(node, max(1, cores)))
        elif node.kind in ("mvm", "update"):
            number.append(replication.copies[node.of if node.of >= 0 else i])
        else:
            number.append(digital_copies(node, system, replication.interval_windows))
    return number
