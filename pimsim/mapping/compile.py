"""Workload x System -> Program."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from pimsim.config.records import Noc, System
from pimsim.errors import InputError
from pimsim.mapping.allocation import (
    NoRoom,
    PlacedSlice,
    digital_copies,
    digital_slices,
    edge_channels,
    place_matrices,
    slices_across,
    unit_ns,
    unit_values,
)
from pimsim.mapping.buffers import BufferDemand, bytes_in_tiles, core_bytes, share_edram
from pimsim.mapping.cautions import cautions, notes_of
from pimsim.mapping.delivery import BufferTiles, Deliveries, Senders, plan_deliveries, sort_entries
from pimsim.mapping.emissions import deal, emissions_kept, with_places
from pimsim.mapping.joins import join_reach
from pimsim.mapping.kernels import (
    cores_in_the_way,
    kernel_copies,
    kernel_slice,
    onto_cores,
    onto_rows,
    place_kernels,
    update_slices,
)
from pimsim.mapping.placement import STRATEGIES
from pimsim.mapping.placement.layout import Layout, find_placement, start_of
from pimsim.mapping.placement.saved import Placement
from pimsim.mapping.placement.search import Progress
from pimsim.mapping.program import Buffers, Layer, Program, Replicas, Slices, Windows
from pimsim.mapping.replication import Replication, choose_replication, scale_down
from pimsim.mapping.tiling import Tiling, read_across, tile_matrix, weight_bits
from pimsim.mapping.windows import Needs, find_needs
from pimsim.network.deadlock import require_deadlock_free, require_forks_fit
from pimsim.network.fabric import HOST, Fabric, build_fabric
from pimsim.technology.components import vector_ns
from pimsim.workload.dataflow import Dataflow
from pimsim.workload.training.regions import values_read


def map_network(
    dataflow: Dataflow, system: System, network: str = "packet", progress: Progress | None = None
) -> Program:
    """Lay a network onto a system.

    ``network`` is ``packet``, ``flit`` or ``ideal``; ``progress`` is called with the moves done, and all moves, of a
    search for a placement.  Raises InputError where the network does not fit.
    """
    mapper = _Mapper(dataflow, system, network)
    mapper.place()
    if network == "flit":
        require_sound(system.chip.noc, mapper.fabric)
    return mapper.program(progress)


def require_sound(noc: Noc, fabric: Fabric) -> None:
    """Raises InputError where packets of a flit-level network could wait for each other for ever, or carry nothing."""
    if noc.longest_packet <= noc.header_flits:
        raise InputError(
            f"packets of {noc.longest_packet} flits have no room beside {noc.header_flits} of header",
            key="chip.noc.packet_flits", allowed=f"more than {noc.header_flits}",
        )  # fmt: skip
    require_forks_fit(noc)
    require_deadlock_free(fabric.topology, fabric.routing)


def _tilings(dataflow: Dataflow, system: System) -> dict[int, Tiling]:
    """Node -> its crossbars, for every node that multiplies with a matrix in some."""
    nodes = dataflow.nodes
    tilings = {i: tile_matrix(node, system) for i, node in enumerate(nodes) if node.has_crossbars}
    across = {i: read_across(tilings[node.of]) for i, node in enumerate(nodes)
              if node.kind == "mvm" and not node.has_crossbars}  # fmt: skip
    return tilings | across


@dataclass
class _Rows:
    """Buffers while they are collected: one entry of each list for each (node, edge, replica)."""

    replica: list[int] = field(default_factory=list)
    source: list[int] = field(default_factory=list)
    least: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    ready: list[np.ndarray] = field(default_factory=list)
    done: list[np.ndarray] = field(default_factory=list)
    edge: list[tuple[int, int]] = field(default_factory=list)
    shared: list[int] = field(default_factory=list)
    gathers: list[int] = field(default_factory=list)
    initial: list[int] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)  #: emissions for which there may be places


class _Mapper:
    """The steps of mapping, in order; each fills what the next ones need."""

    def __init__(self, dataflow: Dataflow, system: System, network: str) -> None:
        dataflow = onto_cores(dataflow, system)
        self.tilings = _tilings(dataflow, system)
        dataflow = onto_rows(dataflow, self.tilings)
        self.dataflow, self.system, self.network = dataflow, system, network
        self.nodes = self.dataflow.nodes
        self.reach = join_reach(dataflow)
        self._replicate(choose_replication(dataflow, self.tilings, system))

    def _replicate(self, replication: Replication) -> None:
        """Everything that follows from the number of copies."""
        self.replication, system = replication, self.system
        self.fabric: Fabric = build_fabric(system, replication.chips)
        self.copies = [
            replication.copies[node.of if node.of >= 0 else i]
            if node.kind == "mvm"
            else digital_copies(node, system, replication.interval_windows)
            for i, node in enumerate(self.nodes)
        ]
        self.on_gpu = np.tile(system.chip.on_gpu, self.fabric.chips)
        self.cores = cores_in_the_way(self.dataflow, int(self.on_gpu.sum()), system)
        for i, node in enumerate(self.nodes):
            if node.kind == "gpu":
                self.copies[i] = kernel_copies(node, max(1, self.cores))
            elif node.kind == "update":
                self.copies[i] = self.copies[node.of]
        matrices = {i: self.copies[i] for i in self.tilings if self.nodes[i].has_crossbars}
        turns, order = STRATEGIES[start_of(system.mapping)](matrices, self.fabric)
        self.order = order[~self.on_gpu[order]]
        self.turns = turns, self.order
        policy = system.mapping.windows
        self.dealt = [
            deal(node, copies, policy) for node, copies in zip(self.nodes, self.copies, strict=True)
        ]
        self.rep_base = np.concatenate([[0], np.cumsum(self.copies)]).astype(np.int64)
        self.win_base = np.concatenate([[0], np.cumsum([order.size for _, order in self.dealt])]).astype(np.int64)
        self._find_needs()

    def place(self) -> None:
        """Place everything; where eDRAM runs out, with fewer copies or more chips, up to twice as many."""
        most_chips = 2 * self.replication.chips
        while True:
            try:
                self.placed = self._place_matrices(watch_edram=True)
                self._place_digital(watch_edram=True)
                return
            except NoRoom:
                fewer = scale_down(self.replication, self.dataflow, self.tilings, self.system)
                if fewer is None or fewer.chips > most_chips:  # say which layer is too large, or spill
                    self.placed = self._place_matrices(watch_edram=False)
                    self._place_digital(watch_edram=False)
                    return
                self._replicate(fewer)

    def _place_matrices(self, watch_edram: bool) -> list[list[list[PlacedSlice]]]:
        least = [[need.least for need in needs] for needs in self.needs]
        placed = place_matrices(
            self.dataflow, self.tilings, least, self._values_beside(), self.turns, self.system, watch_edram
        )
        for i, tiling in self.tilings.items():
            node = self.nodes[i]
            if not node.has_crossbars:
                placed[i] = [slices_across(node, tiling, holder) for holder in placed[node.of]]
        return placed

    def _values_beside(self) -> dict[int, int]:
        """Matrix -> values that must find room where a replica lies: those of its updates, and of who reads it across."""
        beside: dict[int, int] = {}
        for i, node in enumerate(self.nodes):
            if node.of >= 0:
                least = sum(int(need.least.max()) * edge.channels
                            for need, edge in zip(self.needs[i], node.edges, strict=True))  # fmt: skip
                beside[node.of] = beside.get(node.of, 0) + least
        return beside

    def program(self, progress: Progress | None = None) -> Program:
        """What follows once everything has its tiles."""
        demand = self._demand()
        tiles = self.fabric.n_tiles
        room = np.where(self.on_gpu, core_bytes(self.system), self.system.chip.tile.edram.kib * 1024)
        kept = self._bytes_kept()
        room -= kept
        capacity, spilled = share_edram(demand, room, self.on_gpu, self.system.mapping.spill)
        packed = self._slices(spilled)
        layout = Layout(self.dataflow, self.system, self.fabric, self._replicas(packed), packed, self.tilings)
        placement = find_placement(
            layout, lambda: self._deliveries(demand, layout.replicas, packed, spilled, "ideal", "ideal"), progress
        )
        replicas, slices = layout.moved(placement)
        moved = replace(demand, tile=placement.place[demand.tile])
        multicast = self.system.chip.noc.multicast
        mode = "ideal" if self.network == "ideal" else multicast
        deliveries = self._deliveries(moved, replicas, slices, spilled, mode, multicast)
        slices = replace(slices, tree=deliveries.slice_tree)
        windows = Windows(self._window_positions(), deliveries.window_tree, deliveries.entry_first)
        rows = self.rows
        buffers = Buffers(
            replica=_ints(rows.replica), capacity=capacity, positions=_ints(rows.positions),
            copies=np.diff(demand.tile_first), source=_ints(rows.source), shared=_ints(rows.shared),
            gathers=_ints(rows.gathers), initial=_ints(rows.initial), ready=rows.ready, done=rows.done,
        )  # fmt: skip
        return Program(
            dataflow=self.dataflow, system=self.system, chips=self.replication.chips, network=self.network,
            fabric=self.fabric, layers=self._layers(), replicas=replicas, slices=slices, windows=windows,
            buffers=buffers, entry_buffer=deliveries.entry_buffer, entry_rank=deliveries.entry_rank,
            trees=deliveries.trees, priced_trees=deliveries.priced_trees, tree_flits=deliveries.tree_flits,
            message_first=deliveries.message_first, message=deliveries.message, leaves=deliveries.leaves,
            edram_bytes=bytes_in_tiles(moved, capacity, spilled, tiles) + self._moved(kept, placement),
            notes=self._notes(spilled, demand), placement=placement, on_gpu=self.on_gpu,
        )  # fmt: skip

    def _find_needs(self) -> None:
        """Need lists of all edges; buffers in the order of replicas, then edges."""
        self.needs: list[list[Needs]] = [
            [
                with_places(node, edge, find_needs(
                    edge, node.grid, self._positions_grid(edge.source), self.dealt[i], self.reach[i][e],
                ), self.dealt[i][0])
                for e, edge in enumerate(node.edges)
            ]
            for i, node in enumerate(self.nodes)
        ]  # fmt: skip
        self.rows = _Rows()
        buffer_first = [0]
        for i, node in enumerate(self.nodes):
            first_window = self.dealt[i][0]
            for v in range(self.copies[i]):
                window = slice(int(first_window[v]), int(first_window[v + 1]))
                for e, edge in enumerate(node.edges):
                    need = self.needs[i][e]
                    rows = self.rows
                    rows.replica.append(int(self.rep_base[i]) + v)
                    rows.source.append(edge.source)
                    rows.least.append(int(need.least[v]))
                    rows.positions.append(int(need.first[v + 1] - need.first[v]))
                    rows.sent.append(edge.channels)
                    rows.ready.append(need.ready[window])
                    rows.done.append(need.done[window])
                    rows.edge.append((i, e))
                    rows.shared.append(edge.shared)
                    rows.gathers.append(edge.gathers)
                    rows.initial.append(edge.initial)
                    rows.kept.append(emissions_kept(node, edge))
                buffer_first.append(len(self.rows.replica))
        self.buffer_first = _ints(buffer_first)

    def _positions_grid(self, node: int) -> tuple[int, int]:
        return (1, 1) if self.nodes[node].reduces else self.nodes[node].grid

    def _place_digital(self, watch_edram: bool) -> None:
        """Each digital replica goes to the tile of the replica that delivers its first input, or the nearest where
        eDRAM and the time of the digital units suffice.  Raises NoRoom where eDRAM suffices nowhere."""
        word = -(-self.system.mapping.input_bits // 8)
        tile_bytes = self.system.chip.tile.edram.kib * 1024
        room = np.full(self.fabric.n_tiles, tile_bytes, dtype=np.int64)
        free_ns = np.full(self.fabric.n_tiles, self.replication.interval_windows * float(vector_ns(self.system)))
        for i, node in enumerate(self.nodes):
            if node.kind == "update":
                self.placed[i] = [update_slices(node, target) for target in self.placed[node.of]]
            if node.kind in ("mvm", "update"):
                self._take_room(i, room)
        self.rank_of_tile = np.full(self.fabric.n_tiles, self.fabric.n_tiles)
        self.rank_of_tile[self.order] = np.arange(self.order.size)
        room[self.on_gpu] = 0
        self.owner = [self._owner_of_positions(i) for i in range(len(self.nodes))]
        for i, node in enumerate(self.nodes):
            if node.kind != "digital":
                continue
            busy_ns = unit_ns(node, self.system.chip.tile) * -(-node.windows // self.copies[i])
            for v in range(self.copies[i]):
                least = [int(need.least[v]) for need in self.needs[i]]
                tile = self._preferred_tile(i, v)
                placed: list[PlacedSlice] = []
                for part in digital_slices(node, least, tile_bytes // word):
                    channels = edge_channels(node, part)
                    needed = word * sum(n * c for n, c in zip(least, channels, strict=True))
                    fits = (room >= needed) & ((free_ns >= busy_ns) | bool(placed))
                    if watch_edram and needed <= tile_bytes and not (room >= needed).any():
                        raise NoRoom  # (what no tile can hold is not helped by more chips or fewer copies)
                    tile = self._nearest(tile, fits, room >= needed)
                    room[tile] -= needed
                    free_ns[tile] -= 0 if placed else busy_ns
                    placed.append(PlacedSlice(tile, part))
                self.placed[i].append(placed)
        for i, tiles in place_kernels(self.dataflow, self.copies, self.on_gpu, self.cores, self.system).items():
            self.placed[i] = [kernel_slice(self.nodes[i], tile) for tile in tiles]
        if watch_edram and (room[self.order] < 0).any():
            raise NoRoom  # fewer copies, and so fewer updates; or another chip, onto which some go

    def _take_room(self, node: int, room: np.ndarray) -> None:
        """Take from ``room`` (tiles,) the bytes without which the placed replicas of a node would stand still."""
        word = -(-self.system.mapping.input_bits // 8)
        for v, slices in enumerate(self.placed[node]):
            least = [int(need.least[v]) for need in self.needs[node]]
            for piece in slices:
                channels = edge_channels(self.nodes[node], piece.part)
                room[piece.tile] -= word * sum(n * c for n, c in zip(least, channels, strict=True))

    def _owner_of_positions(self, node: int) -> np.ndarray:
        """(positions,) replica, counted within the node, that delivers each output position."""
        first, windows = self.dealt[node]
        if self.nodes[node].reduces:
            return np.zeros(1, dtype=np.int64)
        owner = np.empty(windows.size, dtype=np.int64)
        owner[windows] = np.repeat(np.arange(self.copies[node]), np.diff(first))
        return owner

    def _preferred_tile(self, node: int, replica: int) -> int:
        for e, edge in enumerate(self.nodes[node].edges):
            need = self.needs[node][e]
            if self.nodes[edge.source].kind in ("mvm", "digital") and need.first[replica + 1] > need.first[replica]:
                position = need.positions[need.first[replica]]
                owner = int(self.owner[edge.source][position])
                if self.placed[edge.source]:
                    return self._home(edge.source, owner)
        return int(self.order[0])

    def _home(self, node: int, replica: int) -> int:
        """Home tile: the lowest-numbered tile of the replica."""
        return min(piece.tile for piece in self.placed[node][replica])

    def _nearest(self, tile: int, *wanted: np.ndarray) -> int:
        """The nearest tile along the placement that is among the first wanted ones, or else the next."""
        for fits in wanted:
            if fits[tile]:
                return tile
            fitting = self.order[fits[self.order]]
            if fitting.size:
                return int(fitting[np.argmin(np.abs(self.rank_of_tile[fitting] - self.rank_of_tile[tile]))])
        return tile  # too small everywhere: share_edram says so, or spills

    def _demand(self) -> BufferDemand:
        word = -(-self.system.mapping.input_bits // 8)
        tile_first, tiles, values = [0], list[int](), list[int]()
        for b, (i, e) in enumerate(self.rows.edge):
            v = self.rows.replica[b] - int(self.rep_base[i])
            kept: dict[int, int] = {}
            for piece in self.placed[i][v]:
                channels = edge_channels(self.nodes[i], piece.part)[e]
                if channels:
                    kept[piece.tile] = kept.get(piece.tile, 0) + channels
            if not kept:  # a layer whose rows end before this edge's channels: keep the order of arrival
                kept[self._home(i, v)] = self.nodes[i].edges[e].channels
            tiles.extend(kept)
            values.extend(kept.values())
            tile_first.append(len(tiles))
        self.buffer_values = _ints(values)
        least = _ints(self.rows.least)
        return BufferDemand(
            layer=[self.nodes[i].name for i, _ in self.rows.edge],
            least=least,
            most=np.maximum(least, _ints(self.rows.positions) * _ints(self.rows.kept)),
            tile_first=_ints(tile_first),
            tile=_ints(tiles),
            position_bytes=self.buffer_values * np.where(self.on_gpu[tiles], self._value_bytes(), word),
        )

    def _value_bytes(self) -> int:
        """Bytes of a value in the memory of a GPU core."""
        core = self.system.chip.gpu_core
        return core.value_bytes if core is not None else 0

    def _bytes_kept(self) -> np.ndarray:
        """(tiles,) bytes that stay in the memories of GPU cores from run to run; raises InputError for too many."""
        kept, core = np.zeros(self.fabric.n_tiles, np.int64), self.system.chip.gpu_core
        if core is None:
            return kept
        for node, placed in zip(self.nodes, self.placed, strict=True):
            if node.kept_values:
                np.add.at(kept, [pieces[0].tile for pieces in placed], node.kept_values * core.value_bytes)
        fullest = int(np.argmax(kept))
        if kept[fullest] > core_bytes(self.system):
            what = f"memory of GPU core {fullest} is too small: weights, sums of their gradients and momentum take "
            raise InputError(f"{what}{kept[fullest]:,} bytes there", key="chip.gpu_core.memory.mib",
                             allowed="a larger memory, or more GPU cores")  # fmt: skip
        return kept

    def _moved(self, of_tiles: np.ndarray, placement: Placement) -> np.ndarray:
        """(tiles,) what belonged to a tile where the placement has put it."""
        moved = np.zeros_like(of_tiles)
        moved[placement.place] = of_tiles
        return moved

    def _slices(self, spilled: np.ndarray) -> Slices:
        columns: dict[str, list[int]] = {name: [] for name in Slices.__dataclass_fields__}
        for i, node in enumerate(self.nodes):
            total = max(1, sum(edge.channels for edge in node.edges))
            for v, pieces in enumerate(self.placed[i]):
                replica = int(self.rep_base[i]) + v
                first = int(self.buffer_first[replica])
                in_dram = sum(edge.channels for e, edge in enumerate(node.edges) if spilled[first + e])
                for piece in pieces:
                    part = piece.part
                    from_dram = -(-part.inputs_read * in_dram // total)
                    row = (replica, piece.tile, part.ima_hi - part.ima_lo, part.crossbars,
                           part.inputs_read - from_dram, from_dram, part.outputs_sent, part.additions,
                           part.results, -1)  # fmt: skip
                    for name, value in zip(columns, row, strict=True):
                        columns[name].append(value)
        return Slices(**{name: _ints(column) for name, column in columns.items()})

    def _replicas(self, slices: Slices) -> Replicas:
        n = int(self.rep_base[-1])
        layer = np.repeat(np.arange(len(self.nodes)), self.copies)
        slice_first = np.zeros(n + 1, dtype=np.int64)
        np.cumsum(np.bincount(slices.replica, minlength=n), out=slice_first[1:])
        tile = np.full(n, HOST, dtype=np.int64)
        for i in range(len(self.nodes)):
            for v in range(len(self.placed[i])):
                tile[self.rep_base[i] + v] = self._home(i, v)
        values = _ints([unit_values(node) for node in self.nodes]).reshape(-1, 4)[layer]
        window_first = np.concatenate(
            [base + first[:-1] for base, (first, _) in zip(self.win_base, self.dealt, strict=False)]
            + [self.win_base[-1:]]
        )
        values = values.copy()
        values[:, 2] += self._home_additions(slices, tile)
        share = np.diff(window_first) / _ints([node.windows for node in self.nodes])[layer]
        return Replicas(
            layer, tile, slice_first, window_first.astype(np.int64), self.buffer_first, values,
            every=_ints([node.every for node in self.nodes])[layer],
            emits_every=_ints([node.emits_every for node in self.nodes])[layer],
            kernel_flops=np.ceil(_ints([node.flops for node in self.nodes])[layer] * share).astype(np.int64),
            kernel_values=np.ceil(self._values_moved(share)).astype(np.int64),
            written_rows=_ints([int(node.kind == "update") for node in self.nodes])[layer],
            array=self._arrays(),
        )  # fmt: skip

    def _values_moved(self, share: np.ndarray) -> np.ndarray:
        """(V,) values that a run of each kernel moves: its inputs, its share of all else, and what each core moves."""
        moved = np.zeros(share.size)
        for i, node in enumerate(self.nodes):
            if node.kind == "gpu":
                own = slice(int(self.rep_base[i]), int(self.rep_base[i + 1]))
                inputs = sum(np.diff(need.first) * edge.gathers * edge.channels
                             for edge, need in zip(node.edges, self.needs[i], strict=True))  # fmt: skip
                shared = node.memory_values - sum(values_read(edge) * edge.gathers for edge in node.edges)
                moved[own] = inputs + shared * share[own] + node.each_values
        return moved

    def _arrays(self) -> np.ndarray:
        """(V,) the replica whose crossbars are read from both sides; -1: from one."""
        array = np.full(int(self.rep_base[-1]), -1, np.int64)
        for i in self.tilings:
            node = self.nodes[i]
            if not node.has_crossbars:
                holders = np.arange(self.rep_base[node.of], self.rep_base[node.of + 1])
                array[self.rep_base[i] : self.rep_base[i + 1]] = array[holders] = holders
        return array

    def _home_additions(self, slices: Slices, tile: np.ndarray) -> np.ndarray:
        """(V,) additions of the home tile: of its own slice, and of the partial sums that arrive there."""
        own = slices.tile == tile[slices.replica]
        additions = np.bincount(slices.replica[own], weights=slices.added_values[own], minlength=tile.size)
        results = np.bincount(slices.replica, weights=slices.results, minlength=tile.size)
        outputs = np.array(
            [node.matrix.columns * node.matrix.groups if node.matrix else np.inf for node in self.nodes]
        )[np.repeat(np.arange(len(self.nodes)), self.copies)]  # digital operations gather values, they add none
        return (additions + np.maximum(results - outputs, 0)).astype(np.int64)

    def _window_positions(self) -> np.ndarray:
        return np.concatenate([windows for _, windows in self.dealt])

    def _deliveries(
        self, demand: BufferDemand, replicas: Replicas, slices: Slices, spilled: np.ndarray, mode: str, priced: str
    ) -> Deliveries:
        window_replica = np.repeat(np.arange(replicas.layer.size), np.diff(replicas.window_first))
        emits = np.ones(window_replica.size, dtype=bool)
        for i, node in enumerate(self.nodes):
            if node.reduces:
                emits[self.win_base[i] : self.win_base[i + 1]] = False
                emits[self.win_base[i] + self.dealt[i][0][1:] - 1] = True
        sink = np.array([node.is_output and node.kind != "input" for node in self.nodes])[replicas.layer]
        senders = Senders(
            window_replica=window_replica, emits=emits, replica_tile=replicas.tile, replica_sink=sink,
            replica_values=np.array([node.channels for node in self.nodes])[replicas.layer],
            slice_replica=slices.replica, slice_tile=slices.tile, slice_results=slices.results,
            window_first=replicas.window_first,
        )  # fmt: skip
        entries = sort_entries(*self._entries(), window_replica.size)
        noc = self.system.chip.noc
        tiles = BufferTiles(demand.tile_first, demand.tile, self.buffer_values, _ints(self.rows.sent))
        return plan_deliveries(
            senders, entries, tiles, spilled, self.fabric, mode, priced, self.system.mapping.input_bits,
            noc.flit_bits, noc.header_flits,
        )  # fmt: skip

    def _entries(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(entries,) window, buffer and rank of every delivery of one image."""
        window_of = [self._window_of_positions(i) for i in range(len(self.nodes))]
        windows, buffers, ranks = [], [], []
        for i, node in enumerate(self.nodes):
            for e, edge in enumerate(node.edges):
                need = self.needs[i][e]
                length = np.diff(need.first)
                replica = np.repeat(np.arange(length.size), length)
                if self.nodes[edge.source].kind == "update":  # of its own crossbars
                    last = self.win_base[edge.source] + self.dealt[edge.source][0][1:] - 1
                    windows.append(last[replica])
                else:
                    windows.append(window_of[edge.source][need.positions])
                buffers.append(self.buffer_first[self.rep_base[i] + replica] + e)
                ranks.append(np.arange(need.positions.size) - need.first[replica])
        none = [np.zeros(0, dtype=np.int64)]
        return np.concatenate(windows or none), np.concatenate(buffers or none), np.concatenate(ranks or none)

    def _window_of_positions(self, node: int) -> np.ndarray:
        """(positions,) window, in the order of work, that delivers each output position."""
        _, windows = self.dealt[node]
        if self.nodes[node].reduces:
            return self.win_base[node + 1 : node + 2] - 1
        window = np.empty(windows.size, dtype=np.int64)
        window[windows] = self.win_base[node] + np.arange(windows.size)
        return window

    def _layers(self) -> tuple[Layer, ...]:
        return tuple(
            Layer(
                name=node.name,
                replicas=self.copies[i],
                tiling=self.tilings.get(i),
                slices=tuple(piece.part for piece in self.placed[i][0]) if self.placed[i] else (),
                weight_bits=weight_bits(node, self.system) if node.has_crossbars else 0,
            )
            for i, node in enumerate(self.nodes)
        )

    def _notes(self, spilled: np.ndarray, demand: BufferDemand) -> tuple[str, ...]:
        notes = [*self.dataflow.notes, *cautions(self.system)]
        if self.network == "flit" and self.fabric.routing.adaptive is not None:
            notes.append("messages follow the escape paths of the adaptive routing, on its escape channels: "
                         "that they adapt is modelled for single packets alone")  # fmt: skip
        notes += notes_of(self.nodes)
        layers = sorted({demand.layer[b] for b in np.flatnonzero(spilled)})
        if layers:
            notes.append(f"eDRAM too small: inputs of {', '.join(layers)} are kept in DRAM (mapping.spill: dram)")
        return tuple(notes)


def _ints(values) -> np.ndarray:  # type: ignore[no-untyped-def]
    return np.asarray(values, dtype=np.int64)
