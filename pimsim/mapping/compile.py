"""Workload x System -> Program."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pimsim.config.records import Noc, System
from pimsim.errors import InputError
from pimsim.mapping.allocation import NoRoom
from pimsim.mapping.buffers import BufferDemand, bytes_in_tiles, core_bytes, share_edram
from pimsim.mapping.cautions import cautions, notes_of
from pimsim.mapping.copies import Copies, find_tilings, make_copies
from pimsim.mapping.delivery import BufferTiles, Deliveries, Senders, plan_deliveries, sort_entries
from pimsim.mapping.joins import join_reach
from pimsim.mapping.kernels import onto_cores, onto_rows
from pimsim.mapping.placement.layout import Layout, find_placement
from pimsim.mapping.placement.search import Progress
from pimsim.mapping.placing import Placed, place_copies
from pimsim.mapping.program import Layer, Program, Replicas, Slices, Windows
from pimsim.mapping.replicas import make_replicas, make_slices
from pimsim.mapping.replication import choose_replication, scale_down
from pimsim.mapping.rooms import Rows, buffer_rows, bytes_kept, cores_are_too_small, find_demand, make_buffers
from pimsim.mapping.tiling import weight_bits
from pimsim.network.deadlock import require_deadlock_free, require_forks_fit
from pimsim.network.fabric import Fabric
from pimsim.workload.dataflow import Dataflow

MORE_CHIPS = 6  #: that are tried beyond twice those which hold the weights


def map_network(
    dataflow: Dataflow, system: System, network: str = "packet", progress: Progress | None = None
) -> Program:
    """Lay a network onto a system.

    ``network`` is ``packet``, ``flit`` or ``ideal``; ``progress`` is called with the moves done, and all moves, of a
    search for a placement.  Raises InputError where the network does not fit.
    """
    copies, placed, rows, demand = _copies_and_tiles(dataflow, system)
    if network == "flit":
        require_sound(system.chip.noc, copies.fabric)
    return _Assembly(copies, placed, rows, demand, network).program(progress)


def require_sound(noc: Noc, fabric: Fabric) -> None:
    """Raises InputError where packets of a flit-level network could wait for each other for ever, or carry nothing."""
    if noc.longest_packet <= noc.header_flits:
        raise InputError(
            f"packets of {noc.longest_packet} flits have no room beside {noc.header_flits} of header",
            key="chip.noc.packet_flits", allowed=f"more than {noc.header_flits}",
        )  # fmt: skip
    require_forks_fit(noc)
    require_deadlock_free(fabric.topology, fabric.routing)


def _copies_and_tiles(dataflow: Dataflow, system: System) -> tuple[Copies, Placed, Rows, BufferDemand]:
    """Copies with their tiles, and their buffers; where eDRAM runs out, fewer copies or, if their number is free, more
    chips; more chips also where memories of GPU cores are too small."""
    dataflow = onto_cores(dataflow, system)
    tilings = find_tilings(dataflow, system)
    dataflow = onto_rows(dataflow, tilings)
    reach, replication = join_reach(dataflow), choose_replication(dataflow, tilings, system)
    most_chips = 2 * replication.chips + MORE_CHIPS
    while True:
        copies = make_copies(dataflow, system, tilings, reach, replication)
        try:
            placed = place_copies(copies, watch_edram=True)
            rows = buffer_rows(copies)
            demand = find_demand(copies, rows, placed)
            if system.chips == "auto" and cores_are_too_small(copies, placed, demand):
                raise NoRoom  # (fewer copies of matrices would not help)
            return copies, placed, rows, demand
        except NoRoom:
            fewer = scale_down(replication, dataflow, tilings, system)
            if fewer is None or fewer.chips > most_chips:  # share_edram says which layer is too large, or spills
                placed, rows = place_copies(copies, watch_edram=False), buffer_rows(copies)
                return copies, placed, rows, find_demand(copies, rows, placed)
            replication = fewer


@dataclass
class _Assembly:
    """From copies that have their tiles to the Program."""

    copies: Copies
    placed: Placed
    rows: Rows
    demand: BufferDemand
    network: str

    def program(self, progress: Progress | None) -> Program:
        copies, system, rows, demand = self.copies, self.copies.system, self.rows, self.demand
        kept = bytes_kept(copies, self.placed)
        room = np.where(copies.on_gpu, core_bytes(system), system.chip.tile.edram.kib * 1024) - kept
        capacity, spilled = share_edram(demand, room, copies.on_gpu, system.mapping.spill)
        packed = make_slices(copies, rows, self.placed, spilled)
        layout = Layout(copies.dataflow, system, copies.fabric, make_replicas(copies, rows, self.placed, packed),
                        packed, copies.tilings)  # fmt: skip
        placement = find_placement(
            layout, lambda: self._deliveries(demand, layout.replicas, packed, spilled, "ideal", "ideal"), progress
        )
        replicas, slices = layout.moved(placement)
        moved, kept_there = replace(demand, tile=placement.place[demand.tile]), np.zeros_like(kept)
        kept_there[placement.place] = kept
        multicast = system.chip.noc.multicast
        mode = "ideal" if self.network == "ideal" else multicast
        deliveries = self._deliveries(moved, replicas, slices, spilled, mode, multicast)
        positions = np.concatenate([windows for _, windows in copies.dealt])
        return Program(
            dataflow=copies.dataflow, system=system, chips=copies.replication.chips, network=self.network,
            fabric=copies.fabric, layers=self._layers(), replicas=replicas,
            slices=replace(slices, tree=deliveries.slice_tree),
            windows=Windows(positions, deliveries.window_tree, deliveries.entry_first),
            buffers=make_buffers(copies, rows, demand, capacity),
            entry_buffer=deliveries.entry_buffer, entry_rank=deliveries.entry_rank,
            trees=deliveries.trees, priced_trees=deliveries.priced_trees, tree_flits=deliveries.tree_flits,
            message_first=deliveries.message_first, message=deliveries.message, leaves=deliveries.leaves,
            edram_bytes=bytes_in_tiles(moved, capacity, spilled, copies.fabric.n_tiles) + kept_there,
            notes=self._notes(spilled, demand), placement=placement, on_gpu=copies.on_gpu,
        )  # fmt: skip

    def _deliveries(
        self, demand: BufferDemand, replicas: Replicas, slices: Slices, spilled: np.ndarray, mode: str, priced: str
    ) -> Deliveries:
        copies, nodes = self.copies, self.copies.nodes
        window_replica = np.repeat(np.arange(replicas.layer.size), np.diff(replicas.window_first))
        emits = np.ones(window_replica.size, dtype=bool)
        for i, node in enumerate(nodes):
            if node.reduces:
                emits[copies.win_base[i] : copies.win_base[i + 1]] = False
                emits[copies.win_base[i] + copies.dealt[i][0][1:] - 1] = True
        sink = np.array([node.is_output and node.kind != "input" for node in nodes])[replicas.layer]
        senders = Senders(
            window_replica=window_replica, emits=emits, replica_tile=replicas.tile, replica_sink=sink,
            replica_values=np.array([node.channels for node in nodes])[replicas.layer],
            slice_replica=slices.replica, slice_tile=slices.tile, slice_results=slices.results,
            window_first=replicas.window_first,
        )  # fmt: skip
        entries = sort_entries(*self._entries(), window_replica.size)
        noc = copies.system.chip.noc
        tiles = BufferTiles(demand.tile_first, demand.tile, demand.values,
                            np.array([nodes[i].edges[e].channels for i, e in self.rows.edge], np.int64))  # fmt: skip
        return plan_deliveries(
            senders, entries, tiles, spilled, copies.fabric, mode, priced, copies.system.mapping.input_bits,
            noc.flit_bits, noc.header_flits,
        )  # fmt: skip

    def _entries(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(entries,) window, buffer and rank of every delivery of one image."""
        copies, nodes, first = self.copies, self.copies.nodes, np.array(self.rows.first, np.int64)
        window_of = [self._window_of_positions(i) for i in range(len(nodes))]
        windows, buffers, ranks = [], [], []
        for i, node in enumerate(nodes):
            for e, edge in enumerate(node.edges):
                need = copies.needs[i][e]
                length = np.diff(need.first)
                replica = np.repeat(np.arange(length.size), length)
                if nodes[edge.source].kind == "update":  # of its own crossbars
                    last = copies.win_base[edge.source] + copies.dealt[edge.source][0][1:] - 1
                    windows.append(last[replica])
                else:
                    windows.append(window_of[edge.source][need.positions])
                buffers.append(first[copies.rep_base[i] + replica] + e)
                ranks.append(np.arange(need.positions.size) - need.first[replica])
        none = [np.zeros(0, dtype=np.int64)]
        return np.concatenate(windows or none), np.concatenate(buffers or none), np.concatenate(ranks or none)

    def _window_of_positions(self, node: int) -> np.ndarray:
        """(positions,) window, in the order of work, that delivers each output position."""
        _, windows = self.copies.dealt[node]
        if self.copies.nodes[node].reduces:
            return self.copies.win_base[node + 1 : node + 2] - 1
        window = np.empty(windows.size, dtype=np.int64)
        window[windows] = self.copies.win_base[node] + np.arange(windows.size)
        return window

    def _layers(self) -> tuple[Layer, ...]:
        return tuple(
            Layer(
                name=node.name,
                replicas=self.copies.number[i],
                tiling=self.copies.tilings.get(i),
                slices=tuple(piece.part for piece in self.placed[i][0]) if self.placed[i] else (),
                weight_bits=weight_bits(node, self.copies.system) if node.has_crossbars else 0,
            )
            for i, node in enumerate(self.copies.nodes)
        )

    def _notes(self, spilled: np.ndarray, demand: BufferDemand) -> tuple[str, ...]:
        notes = [*self.copies.dataflow.notes, *cautions(self.copies.system)]
        if self.network == "flit" and self.copies.fabric.routing.adaptive is not None:
            notes.append("messages follow the escape paths of the adaptive routing, on its escape channels: "
                         "that they adapt is modelled for single packets alone")  # fmt: skip
        notes += notes_of(self.copies.nodes)
        layers = sorted({demand.layer[b] for b in np.flatnonzero(spilled)})
        if layers:
            notes.append(f"eDRAM too small: inputs of {', '.join(layers)} are kept in DRAM (mapping.spill: dram)")
        return tuple(notes)
