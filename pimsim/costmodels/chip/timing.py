"""Times of images that follow each other on an empty system, where layers do not get into each other's way.

Replicas of one layer share the digital units of their tile, and all wait for places in eDRAM.  Ports, links, and units
that several layers use are free whenever they are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimsim.arch.ima import vector_timing
from pimsim.costmodels.chip.durations import Durations
from pimsim.costmodels.chip.gathering import Gathered, Paces, gather
from pimsim.costmodels.chip.layer import PlannedLayer
from pimsim.costmodels.chip.plan import Plan
from pimsim.costmodels.chip.windows import follow, leaving, waiting_positions
from pimsim.mapping.timing import Standstill
from pimsim.units import ns_to_ps

PASSES = 2  #: of one image, before the one that counts


@dataclass(frozen=True)
class LayerTimes:
    """One node; [ps]."""

    paces: Paces
    start_ps: np.ndarray  #: (windows,) in dealt order
    last_sent_ps: int


@dataclass(frozen=True)
class Schedule:
    """The first image, and when the results of those behind it are written."""

    layers: tuple[LayerTimes, ...]
    run_ps: int  #: until everything has ended
    image_done_ps: tuple[int, ...]  #: last result of each image written


def schedule(plan: Plan, images: int = 2) -> Schedule:
    """When everything happens; the second image shows how far images are behind each other."""
    return _Scheduler(plan).schedule(images)


class _Scheduler:
    """Durations first; then passes over all windows.  A pass knows how long outputs waited for digital units in the
    pass before; after two or three, that hardly moves the last result any more.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan, self.system, self.layers = plan, plan.system, plan.layers
        self.durations = Durations(plan.system)
        inputs = [layer.node.channels for layer in plan.layers if layer.node.kind == "input"]
        self.host_turn = sum(self.durations.host(channels) for channels in inputs)
        self.delivery: dict[tuple[int, int], np.ndarray] = {}
        self.paces = [
            self._host_paces(layer) if layer.node.kind == "input" else self._paces(layer) for layer in self.layers
        ]
        self.ways = {(i, e): self._deliveries(i, e)
                     for i, layer in enumerate(self.layers) for e in range(len(layer.node.edges))}  # fmt: skip
        self.turn = [self._turn(i) for i in range(len(self.layers))]

    def schedule(self, images: int) -> Schedule:
        net = gather(self.plan, self.paces, self.turn, self.ways, self.durations)
        latency = np.concatenate([np.repeat(paces.latency_ps, layer.windows_of_replica)
                                  for paces, layer in zip(self.paces, self.layers, strict=True)])  # fmt: skip
        after = latency[None, :]
        for _ in range(PASSES):
            start, _ = self._pass(net, after)
            after = self._leaving(net, start) - start
        after = np.tile(after, (images, 1))
        start, sent = self._pass(net, after)
        results = np.max([self._written(i, sent[:, net.positions_of(i)]) for i, layer in enumerate(self.layers)
                          if layer.node.is_output and layer.node.kind != "input"], axis=0).tolist()  # fmt: skip
        times = tuple(
            LayerTimes(self.paces[i], start[0, own], int((start + after)[0, own].max()))
            for i in range(len(self.layers))
            for own in [net.windows_of(i)]
        )
        end = max(results[0], *(time.last_sent_ps for time in times))
        return Schedule(times, end, tuple(results))

    def _pass(self, net: Gathered, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(images, windows) starts and (images, positions) when outputs leave."""
        images = after.shape[0]
        pending = np.zeros((images, net.tables.row.size), np.int64)
        waiting_positions(net.buffers, net.tables.positions, images, pending)
        start, sent = np.zeros_like(after), np.full_like(pending, -1)
        write = int(self.durations.whole_slots(np.array(self.durations.latency("edram_write"))))
        if not follow(net.replicas, net.buffers, net.tables, after, pending, self.durations.slot, write, start, sent):
            raise Standstill("standstill: buffers are too small for inputs and outputs that wait for each other; "
                             "a run with --fidelity engine names them")  # fmt: skip
        return start, sent

    def _leaving(self, net: Gathered, start: np.ndarray) -> np.ndarray:
        """(images, windows) when outputs leave, the replicas of a layer sharing the digital units of their tiles."""
        found = np.empty_like(start)
        stage = int(self.durations.whole_slots(np.array(self.durations.latency("activation"))))
        for i, (layer, paces) in enumerate(zip(self.layers, self.paces, strict=True)):
            own, of_host = net.windows_of(i), layer.node.kind == "input"
            times = np.empty_like(start[:, own])
            leaving(
                np.ascontiguousarray(start[:, own]), layer.window_first, *_sharing(layer), paces.before_ps,
                paces.unit_ps, 1 if of_host else self.durations.slot, 0 if of_host else stage, times,
            )  # fmt: skip
            found[:, own] = times
        return found

    def _turn(self, i: int) -> np.ndarray:
        """(V,) from one window to the next: of a recurrent layer not before its own output has come back."""
        turn = self.paces[i].interval_ps
        for e, edge in enumerate(self.layers[i].node.edges):
            if edge.source == i:
                turn = np.maximum(turn, self.paces[i].latency_ps + self.delivery[i, e])
        return turn

    def _host_paces(self, layer: PlannedLayer) -> Paces:
        """Positions over the host's link, those of several inputs in turn."""
        hold, latency = self.durations.host(layer.node.channels), ns_to_ps(self.system.host.latency_ns)
        turn = np.array([self.host_turn])
        return Paces(turn, turn, np.array([False]), np.array([hold]), np.array([hold + latency]),
                     np.array([0]), np.array([hold + latency]))  # fmt: skip

    def _paces(self, layer: PlannedLayer) -> Paces:
        times, cuts, copies = self.durations, layer.cuts, layer.copies
        first = layer.first_slice
        edram, bus_in = times.edram("input_read", cuts.read), times.bus("input_read", cuts.read)
        bus_out = times.bus("output_transfer", cuts.sent)
        longest_unit = times.units(layer.unit_values)
        vector = None
        if layer.tiling is not None:
            rows = int((layer.tiling.row_hi - layer.tiling.row_lo).max())
            vector = vector_timing(self.system, times.slot, rows)
        needed = np.maximum(longest_unit, vector.interval_ps if vector else 0)
        work = np.maximum(times.whole_slots(needed), times.slot)
        edram_of, bus_of = (np.maximum.reduceat(each, first) for each in (edram, np.maximum(bus_in, bus_out)))
        interval = np.maximum(work, times.whole_slots(np.maximum(edram_of, bus_of)))
        read = times.stage("input_read", np.maximum(edram, bus_in))
        activation = times.stage("activation", longest_unit)
        if vector is None and layer.slice_replica.size == copies:
            before = read
        else:
            compute = vector.latency_ps if vector else 0
            gathered = read + compute + times.stage("output_transfer", bus_out) + self._way_home(layer)
            before = times.whole_slots(np.maximum.reduceat(gathered, first))
        read = np.maximum.reduceat(read, first)
        return Paces(interval, work, bus_of > edram_of, read, before, longest_unit, before + activation)

    def _way_home(self, layer: PlannedLayer) -> np.ndarray:
        """(S,) from a slice's results in its tile until they are in the home tile."""
        home = layer.home[layer.slice_replica]
        away = layer.slice_tile != home
        time = np.zeros_like(home)
        if not away.any():
            return time
        results = layer.cuts.results[away]
        adding = self.durations.whole_slots(self.durations.unit("shift_add", layer.cuts.added[away]))
        way = np.zeros_like(results)
        for values in np.unique(results).tolist():
            own = results == values
            way[own] = self._message(layer.slice_tile[away][own], home[away][own], values)
        time[away] = adding + way
        return time

    def _deliveries(self, i: int, e: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Messages of one edge: times (tiles of the producer, columns), the row of each position, the column and the
        eDRAM time of each replica.

        Of several tiles that keep a replica's input, the last that has it counts.
        """
        layer, edge = self.plan.layers[i], self.plan.layers[i].node.edges[e]
        kept = layer.cuts.channels[:, e]
        hold = self.durations.edram("edram_write", kept)
        source, row = np.unique(self.plan.layers[edge.source].home, return_inverse=True)
        if layer.slice_replica.size == layer.copies:
            targets, column = np.unique(layer.slice_tile, return_inverse=True)
            message = self._message(source[:, None], targets[None, :], edge.channels)
        else:
            first = layer.first_slice
            message = self._message(source[:, None], layer.slice_tile[None, :], edge.channels)
            message = np.maximum.reduceat(message, first, axis=1)
            hold, column = np.maximum.reduceat(hold, first), np.arange(layer.copies)
        self.delivery[i, e] = self.durations.stage("edram_write", message.max(axis=0)[column] + hold)
        return message, row[self.layers[edge.source].owner], column, hold

    def _message(self, source: np.ndarray, target: np.ndarray, values: int) -> np.ndarray:
        noc = self.system.chip.noc
        flits = -(-values * self.system.mapping.input_bits // noc.flit_bits) + noc.header_flits
        return self.plan.distances.message_ps(source, target, flits, self.system)

    def _written(self, i: int, sent: np.ndarray) -> np.ndarray:
        """(images,) when the last result is in the tile that made it."""
        hold = self.durations.edram("edram_write", np.array([self.layers[i].node.channels]))
        written: np.ndarray = sent.max(axis=1) + self.durations.stage("edram_write", hold)[0]
        return written


def _sharing(layer: PlannedLayer) -> tuple[np.ndarray, np.ndarray]:
    """Replicas by home tile: (groups + 1,) first member of each group, and the members."""
    members = np.argsort(layer.home, kind="stable")
    first = np.flatnonzero(np.diff(layer.home[members], prepend=-2))
    return np.append(first, members.size), members
