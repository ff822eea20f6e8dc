"""A replica at work: windows in order, from the input's places to the packet that leaves."""

from __future__ import annotations

import simpy
from simpy.events import ProcessGenerator

from pimsim.mapping.program import UNITS
from pimsim.reference.arrays import Array
from pimsim.reference.ports import serve
from pimsim.reference.turns import Kind
from pimsim.reference.world import World


class Replica:
    """Common to all: the order of windows, and when one may be issued."""

    def __init__(self, world: World, replica: int, images: int) -> None:
        program = world.program
        rows = program.replicas
        self.world, self.env, self.index = world, world.env, replica
        self.layer, self.tile = int(rows.layer[replica]), int(rows.tile[replica])
        self.runs, self.emits_every = images // int(rows.every[replica]), int(rows.emits_every[replica])
        self.windows = range(rows.window_first[replica], rows.window_first[replica + 1])
        self.buffers = range(rows.buffer_first[replica], rows.buffer_first[replica + 1])
        self.slices = range(rows.slice_first[replica], rows.slice_first[replica + 1])
        self.array = world.arrays.get(int(rows.array[replica]))  #: crossbars that it shares
        self.pace, self.pace_of_work, self.paced_by_bus = world.durations.pace(replica)
        self.waits_for = ""  #: in words, for a standstill
        self._sent = -1  #: the last window sent, counted over all runs

    def work(self) -> ProcessGenerator:
        """Process: issue all windows of all runs, one after another."""
        started, due = None, 0
        for run in range(self.runs):
            for window in self.windows:
                transit = yield from self._wait_for_inputs(run, window)
                if started is not None:  # the pace, counted from the start of the window before
                    due = yield started
                asked = self._grid(max(self.env.now, due))
                yield self.env.turn(Kind.ISSUE, self.index, asked)
                if self._emits(run):
                    yield from self._wait_for_places(run // self.emits_every, window)
                self.world.log.wait(self.index, due, asked, self.env.now, transit)
                if self.array:
                    yield from self._wait_for_array(self.array)
                started = self.env.process(self._issue(run, window))
        self.waits_for = ""

    def _emits(self, run: int) -> bool:
        """Whether what a run makes is sent; if not, it stays for later runs to add to."""
        return (run + 1) % self.emits_every == 0

    def _grid(self, time: int) -> int:
        return self.world.slots.after(time)

    def _wait_for_inputs(self, run: int, window: int) -> ProcessGenerator:
        """Returns how long the last missing input was under way; 0 where none was missing."""
        last = 0
        for b in self.buffers:
            buffer = self.world.buffers[b]
            needed = buffer.needed(run, int(self.world.program.buffers.ready[b][window - self.windows.start]))
            self.waits_for = f"inputs: {needed} positions in buffer {b}"
            transit = yield from buffer.filled(needed)
            last = last if transit is None else transit
        return last

    def _wait_for_places(self, emission: int, window: int) -> ProcessGenerator:
        """All or none: every place where the window's output goes."""
        while (full := self._full_buffer(emission, window)) is not None:
            self.waits_for = f"a place in buffer {full} of replica {self.world.program.buffers.replica[full]}"
            yield self.world.buffers[full].next_free()
            yield self.env.turn(Kind.ISSUE, self.index, self._grid(self.env.now))

    def _full_buffer(self, emission: int, window: int) -> int | None:
        """The first buffer without a place for the window's output."""
        for b, rank in self.world.entries(emission, window):
            if not self.world.buffers[b].has_place(rank):
                return b
        return None

    def _wait_for_array(self, array: Array) -> ProcessGenerator:
        found = self.env.now
        yield from array.take(self.index)
        self.world.log.array(self.index, found, self.env.now)

    def _issue(self, run: int, window: int) -> ProcessGenerator:
        """Process, ends at the start of the window; value: the earliest start of the next."""
        raise NotImplementedError

    def _free(self, run: int, window: int, at: int) -> ProcessGenerator:
        """Process: what this window was the last to read makes place."""
        yield self.env.turn(Kind.FREE, self.index, at)
        for b in self.buffers:
            buffer = self.world.buffers[b]
            done = int(self.world.program.buffers.done[b][window - self.windows.start])
            buffer.free(buffer.read(run, done))

    def _send(self, run: int, window: int, at: int) -> None:
        """The output leaves the replica at time ``at``, if the run emits it."""
        number = run * len(self.windows) + window - self.windows.start
        assert number == self._sent + 1, "windows leave in order"
        self._sent = number
        self.world.log.sent(run, window, at)
        tree = self.world.tree_of_window[window]
        if tree >= 0 and self._emits(run):
            store, emission = self.world.store, run // self.emits_every
            self.world.network.send(tree, at, lambda leaf: self.env.process(store(leaf, emission, window, at)))


class HostReplica(Replica):
    """The host: one position of the input after another over its link."""

    def _grid(self, time: int) -> int:
        return time

    def _issue(self, run: int, window: int) -> ProcessGenerator:
        yield from serve(self.env, (self.world.ports.host[0], self.pace))
        start = self.env.now
        self.world.log.start(run, window, self.index, start, start, "edram")  # nobody's wait
        self._send(run, window, start + self.pace + self.world.host_latency)
        return start + self.pace


class KernelReplica(Replica):
    """On a GPU core, where a run is one kernel: its windows follow each other without asking for the core again."""

    def __init__(self, world: World, replica: int, images: int) -> None:
        super().__init__(world, replica, images)
        self.launch, _ = world.durations.kernel(replica)

    def _grid(self, time: int) -> int:
        return time

    def _issue(self, run: int, window: int) -> ProcessGenerator:
        issued, launch = self.env.now, 0
        if window == self.windows.start:
            launch = self.launch
            yield from serve(self.env, (self.world.ports.core[self.tile], launch + len(self.windows) * self.pace))
        start = self.env.now
        self.world.log.start(run, window, self.index, issued, start, "core")
        end = start + launch + self.pace
        self.env.process(self._free(run, window, end))
        self.env.process(self._leave(run, window, end))
        return end

    def _leave(self, run: int, window: int, at: int) -> ProcessGenerator:
        """Process: what the window makes needs no digital units."""
        yield self.env.turn(Kind.ACTIVATE, self.index, at)
        self._send(run, window, at)


class TileReplica(Replica):
    """In tiles: every slice reads its share of the inputs; the home tile activates and sends."""

    def _issue(self, run: int, window: int) -> ProcessGenerator:
        issued = self.env.now
        reads = [self.env.process(self._read(s)) for s in self.slices]
        self._compute(run, window, reads)
        values = yield self.env.all_of(reads)
        begins, ends, ports = zip(*values.values(), strict=True)
        start = max(issued, *begins)
        port = ports[begins.index(max(begins))]
        self.world.log.start(run, window, self.index, issued, start, port)
        if self.array:
            self.env.process(self.array.keep(start + self.pace))
        self.env.process(self._free(run, window, self._used_until(run, window, max(ends))))
        return start + self.pace

    def _used_until(self, run: int, window: int, read: int) -> int:
        """When nothing of the window's inputs is needed any more, all of which has been read at time ``read``."""
        return read

    def _read(self, s: int) -> ProcessGenerator:
        """Process, ends at the start of the reading: eDRAM, bus and DRAM together.

        Value: when the stage begins, when all is read, and which of eDRAM (or DRAM) and bus was waited for
        longer.  A transfer may share its slot with others: what counts as the begin is that of a stage with the
        same end which had found everything free.
        """
        world = self.world
        durations, ports, slices = world.durations, world.ports, world.program.slices
        tile, read, spilled = int(slices.tile[s]), int(slices.read_values[s]), int(slices.spilled_values[s])
        jobs = [
            (ports.edram[tile], durations.edram("input_read", read)),
            (ports.bus[tile], durations.bus("input_read", read + spilled)),
        ]
        if spilled > 0:
            jobs.append((world.dram_of(tile), durations.dram(spilled)))
        free = yield from serve(self.env, *jobs)
        longest, latency = max(hold for _, hold in jobs), world.latency["input_read"]
        if spilled > 0:
            longest = max(longest, durations.dram(spilled) + durations.dram_latency())
        end = world.slots.stage_end(self.env.now, longest, latency)
        begin = end - world.slots.stage_length(longest, latency)
        return begin, end, "bus" if free[1] == max(free) else "edram"

    def _compute(self, run: int, window: int, reads: list[simpy.Process]) -> None:
        """What happens to the inputs, which ``reads`` bring into the slices."""
        raise NotImplementedError

    def _activate(self, run: int, window: int, at: int) -> ProcessGenerator:
        """Process: through the digital units of the home tile, all at once, and out."""
        world = self.world
        yield self.env.turn(Kind.ACTIVATE, self.index, at)
        holds = world.durations.units(self.index)
        jobs = [(world.ports.units[u][self.tile], holds[u]) for u in range(len(UNITS)) if holds[u] > 0]
        yield from serve(self.env, *jobs)
        end = world.slots.stage_end(self.env.now, max(holds), world.latency["activation"])
        self._send(run, window, end)


class DigitalReplica(TileReplica):
    """A digital operation in one tile: what has been read goes straight into the digital units."""

    def _compute(self, run: int, window: int, reads: list[simpy.Process]) -> None:
        (read,) = reads
        self.env.process(self._operate(run, window, read))

    def _operate(self, run: int, window: int, read: simpy.Process) -> ProcessGenerator:
        _, end, _ = yield read
        yield from self._activate(run, window, end)


class GatheringReplica(TileReplica):
    """Slices whose results come together at the home tile.

    A matrix in crossbars, each slice with its share of the sums; or a digital operation whose inputs lie in
    several tiles, which takes no time in crossbars.
    """

    def __init__(self, world: World, replica: int, images: int) -> None:
        super().__init__(world, replica, images)
        self.crossbar_latency = self._in_crossbars()

    def _in_crossbars(self) -> int:
        """How long a window is in the crossbars [ps]."""
        in_crossbars = self.world.program.layers[self.layer].tiling is not None
        return self.world.durations.vector(self.layer)[1] if in_crossbars else 0

    def _used_until(self, run: int, window: int, read: int) -> int:
        """Weights are in use until the last window before their update has left the crossbars."""
        weights = [self.world.buffers[b] for b in self.buffers if self.world.buffers[b].initial > 0]
        last = window == self.windows[-1] and any((run + 1) % buffer.shared == 0 for buffer in weights)
        return read + self.crossbar_latency if last else read

    def _compute(self, run: int, window: int, reads: list[simpy.Process]) -> None:
        parts = [self.env.process(self._deliver_part(s, read)) for s, read in zip(self.slices, reads, strict=True)]
        self.env.process(self._sum_up(run, window, parts))

    def _sum_up(self, run: int, window: int, parts: list[simpy.Process]) -> ProcessGenerator:
        """Process: when every slice has delivered, the home tile adds and activates."""
        yield self.env.all_of(parts)
        yield from self._activate(run, window, self.world.slots.after(self.env.now))

    def _deliver_part(self, s: int, read: simpy.Process) -> ProcessGenerator:
        """Process, ends when the home tile has the slice's results: vector, output transfer, merge, packet."""
        world = self.world
        durations, slots, slices = world.durations, world.slots, world.program.slices
        tile, sent, added = int(slices.tile[s]), int(slices.sent_values[s]), int(slices.added_values[s])
        _, end, _ = yield read
        yield self.env.turn(Kind.OUTPUT, s, end + self.crossbar_latency)
        transfer = durations.bus("output_transfer", sent)
        yield from serve(self.env, (world.ports.bus[tile], transfer))
        in_tile = slots.stage_end(self.env.now, transfer, world.latency["output_transfer"])
        yield self.env.turn(Kind.MERGE, s, in_tile)
        tree = int(slices.tree[s])
        if tree < 0:
            return
        adding = durations.unit("shift_add", added)
        yield from serve(self.env, (world.ports.units[UNITS.index("shift_add")][tile], adding))
        delivered = self.env.event()
        world.network.send(tree, slots.after(self.env.now + adding), lambda leaf: delivered.succeed())
        yield delivered


class UpdateReplica(GatheringReplica):
    """Writes the crossbars of another replica, some rows a window: slices read their share of what to add, and write.

    Whoever uses the weights has places for nothing but them: a place for the next weights means that the old ones
    are no longer in use.
    """

    def _in_crossbars(self) -> int:
        return self.world.durations.write(self.index)

    def _full_buffer(self, emission: int, window: int) -> int | None:
        """No row is written before the last may be."""
        return super()._full_buffer(emission, self.windows[-1])


def build_replica(world: World, replica: int, images: int) -> Replica:
    """The replica of the kind that the program says."""
    replicas = world.program.replicas
    if replicas.tile[replica] < 0:
        return HostReplica(world, replica, images)
    layer = replicas.layer[replica]
    kind = world.program.dataflow.nodes[layer].kind
    if kind == "gpu":
        return KernelReplica(world, replica, images)
    if kind == "update":
        return UpdateReplica(world, replica, images)
    in_crossbars = world.program.layers[layer].tiling is not None
    slices = replicas.slice_first[replica + 1] - replicas.slice_first[replica]
    gathers = in_crossbars or slices > 1
    return GatheringReplica(world, replica, images) if gathers else DigitalReplica(world, replica, images)
