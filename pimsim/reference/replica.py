"""A replica at work: windows in order, from the input's places to the packet that leaves."""

from __future__ import annotations

import simpy
from simpy.events import ProcessGenerator

from pimsim.mapping.program import UNITS
from pimsim.reference.ports import serve
from pimsim.reference.turns import Kind
from pimsim.reference.world import World


class Replica:
    """Common to all: the order of windows, and when one may be issued."""

    def __init__(self, world: World, replica: int) -> None:
        program = world.program
        rows = program.replicas
        self.world, self.env, self.index = world, world.env, replica
        self.layer, self.tile = int(rows.layer[replica]), int(rows.tile[replica])
        self.windows = range(rows.window_first[replica], rows.window_first[replica + 1])
        self.buffers = range(rows.buffer_first[replica], rows.buffer_first[replica + 1])
        self.slices = range(rows.slice_first[replica], rows.slice_first[replica + 1])
        self.pace, self.pace_of_work, self.paced_by_bus = world.durations.pace(replica)
        self.waits_for = ""  #: in words, for a standstill
        self._sent = -1  #: the last window sent, counted over all images

    def work(self, batch: int) -> ProcessGenerator:
        """Process: issue all windows of all images, one after another."""
        started, due = None, 0
        for image in range(batch):
            for window in self.windows:
                transit = yield from self._wait_for_inputs(image, window)
                if started is not None:  # the pace, counted from the start of the window before
                    start = yield started
                    due = start + self.pace
                asked = self._grid(max(self.env.now, due))
                yield self.env.turn(Kind.ISSUE, self.index, asked)
                yield from self._wait_for_places(image, window)
                self.world.log.wait(self.index, due, asked, self.env.now, transit)
                started = self.env.process(self._issue(image, window))
        self.waits_for = ""

    def _grid(self, time: int) -> int:
        return self.world.slots.after(time)

    def _wait_for_inputs(self, image: int, window: int) -> ProcessGenerator:
        """Returns how long the last missing input was under way; 0 where none was missing."""
        last = 0
        for b in self.buffers:
            buffer = self.world.buffers[b]
            needed = image * buffer.positions + int(self.world.program.buffers.ready[b][window - self.windows.start])
            self.waits_for = f"inputs: {needed} positions in buffer {b}"
            transit = yield from buffer.filled(needed)
            last = last if transit is None else transit
        return last

    def _wait_for_places(self, image: int, window: int) -> ProcessGenerator:
        """All or none: every place where the window's output goes."""
        while (full := self._full_buffer(image, window)) is not None:
            self.waits_for = f"a place in buffer {full} of replica {self.world.program.buffers.replica[full]}"
            yield self.world.buffers[full].next_free()
            yield self.env.turn(Kind.ISSUE, self.index, self.env.now)

    def _full_buffer(self, image: int, window: int) -> int | None:
        """The first buffer without a place for the window's output."""
        for b, rank in self.world.entries(image, window):
            if not self.world.buffers[b].has_place(rank):
                return b
        return None

    def _issue(self, image: int, window: int) -> ProcessGenerator:
        """Process, ends at the start of the window; value: the time of the start."""
        raise NotImplementedError

    def _send(self, image: int, window: int, at: int) -> None:
        """The output leaves the replica at time ``at``."""
        number = image * len(self.windows) + window - self.windows.start
        assert number == self._sent + 1, "windows leave in order"
        self._sent = number
        self.world.log.sent(image, window, at)
        tree = self.world.tree_of_window[window]
        if tree >= 0:
            self.world.network.send(tree, at, lambda leaf: self.env.process(self.world.store(leaf, image, window)))


class HostReplica(Replica):
    """The host: one position of the input after another over its link."""

    def _grid(self, time: int) -> int:
        return time

    def _issue(self, image: int, window: int) -> ProcessGenerator:
        yield from serve(self.env, (self.world.ports.host[0], self.pace))
        start = self.env.now
        self.world.log.start(image, window, self.index, start, start, "edram")  # nobody's wait
        self._send(image, window, start + self.pace + self.world.host_latency)
        return start


class TileReplica(Replica):
    """In tiles: every slice reads its share of the inputs; the home tile activates and sends."""

    def _issue(self, image: int, window: int) -> ProcessGenerator:
        issued = self.env.now
        reads = [self.env.process(self._read(s)) for s in self.slices]
        self._compute(image, window, reads)
        values = yield self.env.all_of(reads)
        begins, ends, ports = zip(*values.values(), strict=True)
        start = max(issued, *begins)
        port = ports[begins.index(max(begins))]
        self.world.log.start(image, window, self.index, issued, start, port)
        self.env.process(self._free(image, window, max(ends)))
        return start

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

    def _free(self, image: int, window: int, at: int) -> ProcessGenerator:
        """Process: what this window was the last to read makes place."""
        yield self.env.turn(Kind.FREE, self.index, at)
        for b in self.buffers:
            buffer = self.world.buffers[b]
            done = int(self.world.program.buffers.done[b][window - self.windows.start])
            buffer.free(image * buffer.positions + done)

    def _compute(self, image: int, window: int, reads: list[simpy.Process]) -> None:
        """What happens to the inputs, which ``reads`` bring into the slices."""
        raise NotImplementedError

    def _activate(self, image: int, window: int, at: int) -> ProcessGenerator:
        """Process: through the digital units of the home tile, all at once, and out."""
        world = self.world
        yield self.env.turn(Kind.ACTIVATE, self.index, at)
        holds = world.durations.units(self.index)
        jobs = [(world.ports.units[u][self.tile], holds[u]) for u in range(len(UNITS)) if holds[u] > 0]
        yield from serve(self.env, *jobs)
        end = world.slots.stage_end(self.env.now, max(holds), world.latency["activation"])
        self._send(image, window, end)


class DigitalReplica(TileReplica):
    """A digital operation in one tile: what has been read goes straight into the digital units."""

    def _compute(self, image: int, window: int, reads: list[simpy.Process]) -> None:
        (read,) = reads
        self.env.process(self._operate(image, window, read))

    def _operate(self, image: int, window: int, read: simpy.Process) -> ProcessGenerator:
        _, end, _ = yield read
        yield from self._activate(image, window, end)


class GatheringReplica(TileReplica):
    """Slices whose results come together at the home tile.

    A matrix in crossbars, each slice with its share of the sums; or a digital operation whose inputs lie in
    several tiles, which takes no time in crossbars.
    """

    def __init__(self, world: World, replica: int) -> None:
        super().__init__(world, replica)
        in_crossbars = world.program.layers[self.layer].tiling is not None
        self.vector_latency = world.durations.vector(self.layer)[1] if in_crossbars else 0

    def _compute(self, image: int, window: int, reads: list[simpy.Process]) -> None:
        parts = [self.env.process(self._deliver_part(s, read)) for s, read in zip(self.slices, reads, strict=True)]
        self.env.process(self._sum_up(image, window, parts))

    def _sum_up(self, image: int, window: int, parts: list[simpy.Process]) -> ProcessGenerator:
        """Process: when every slice has delivered, the home tile adds and activates."""
        yield self.env.all_of(parts)
        yield from self._activate(image, window, self.world.slots.after(self.env.now))

    def _deliver_part(self, s: int, read: simpy.Process) -> ProcessGenerator:
        """Process, ends when the home tile has the slice's results: vector, output transfer, merge, packet."""
        world = self.world
        durations, slots, slices = world.durations, world.slots, world.program.slices
        tile, sent, added = int(slices.tile[s]), int(slices.sent_values[s]), int(slices.added_values[s])
        _, end, _ = yield read
        yield self.env.turn(Kind.OUTPUT, s, end + self.vector_latency)
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


def build_replica(world: World, replica: int) -> Replica:
    """The replica of the kind that the program says."""
    replicas = world.program.replicas
    if replicas.tile[replica] < 0:
        return HostReplica(world, replica)
    in_crossbars = world.program.layers[replicas.layer[replica]].tiling is not None
    slices = replicas.slice_first[replica + 1] - replicas.slice_first[replica]
    return GatheringReplica(world, replica) if in_crossbars or slices > 1 else DigitalReplica(world, replica)
