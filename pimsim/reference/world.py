"""What all replicas share: ports, buffers, arrays, the network, and the log."""

from __future__ import annotations

from typing import get_args

import numpy as np
from simpy.events import ProcessGenerator

from pimsim.config.records import StageName
from pimsim.mapping.program import Program
from pimsim.mapping.timing import PortCounts
from pimsim.reference.arrays import build_arrays
from pimsim.reference.buffers import build_buffers
from pimsim.reference.durations import Durations
from pimsim.reference.flits import FlitNetwork
from pimsim.reference.log import Log
from pimsim.reference.packets import Network
from pimsim.reference.ports import Port, Ports, serve
from pimsim.reference.turns import Kind, Turns
from pimsim.units import ns_to_ps


class World:
    """The system in which the replicas of a program work."""

    def __init__(self, program: Program, images: int) -> None:
        self.env = env = Turns(program)
        self.program, self.log = program, Log(program, images)
        self.durations = Durations(program)
        self.slots = self.durations.slots
        self.latency = {name: self.durations.stage(name) for name in get_args(StageName)}
        self.host_latency = ns_to_ps(program.system.host.latency_ns)
        self.ports = Ports(env, program)
        self.buffers = build_buffers(env, program)
        self.arrays = build_arrays(env, self.slots, program)
        kind = FlitNetwork if program.network == "flit" else Network
        self.network = kind(env, program, self.ports, self.durations)
        self.tree_of_window = program.windows.tree.tolist()
        self._messages = np.zeros(program.leaves.tree.size, dtype=np.int64)  # that have arrived at each leaf

    def counts(self) -> dict[str, PortCounts]:
        """Counters of every kind of port."""
        if isinstance(self.network, FlitNetwork):
            self.network.note_counts()
        return self.ports.counts()

    def dram_of(self, tile: int) -> Port:
        """DRAM of the chip on which the tile lies."""
        return self.ports.dram[tile // self.program.fabric.tiles]

    def entries(self, emission: int, window: int) -> list[tuple[int, int]]:
        """(buffer, rank over all emissions) of every place where the window's output goes."""
        program = self.program
        span = slice(program.windows.entry_first[window], program.windows.entry_first[window + 1])
        buffers, ranks = program.entry_buffer[span].tolist(), program.entry_rank[span].tolist()
        return [(b, self.buffers[b].rank(emission, rank)) for b, rank in zip(buffers, ranks, strict=True)]

    def store(self, leaf: int, emission: int, window: int, sent: int) -> ProcessGenerator:
        """Process: the window's output, ``sent`` at that time and complete at a leaf, is written and can then be
        read."""
        leaves = self.program.leaves
        end = yield from self._write(leaf)
        yield self.env.turn(Kind.ARRIVED, leaf, end)
        self._check_order(leaf, emission, window)
        entries = self.entries(emission, window)
        for k in leaves.entry[leaves.entry_first[leaf] : leaves.entry_first[leaf + 1]]:
            buffer, rank = entries[k]
            self.buffers[buffer].receive(rank, self.env.now - sent)
        self._note_result(leaf, emission, window)

    def _write(self, leaf: int) -> ProcessGenerator:
        """Process: what arrives at a leaf goes into the memory there; value: when it can be read."""
        leaves = self.program.leaves
        tile, values = int(leaves.tile[leaf]), int(leaves.write_values[leaf])
        if self.program.on_gpu[tile]:
            assert not leaves.spilled[leaf], "the memory of a GPU core does not spill"
            hold, latency = self.durations.gpu_memory(values)
            yield from serve(self.env, (self.ports.edram[tile], hold))
            return self.env.now + hold + latency
        if leaves.spilled[leaf]:
            port, hold, latency = self.dram_of(tile), self.durations.dram(values), self.durations.dram_latency()
        else:
            port, hold, latency = self.ports.edram[tile], self.durations.edram("edram_write", values), 0
        yield from serve(self.env, (port, hold))
        return self.slots.stage_end(self.env.now, hold + latency, self.latency["edram_write"])

    def _check_order(self, leaf: int, emission: int, window: int) -> None:
        """Packets of a tree do not overtake each other; the program lists their windows in this order."""
        program = self.program
        tree = program.leaves.tree[leaf]
        first, end = program.message_first[tree], program.message_first[tree + 1]
        expected, message = divmod(self._messages[leaf], end - first)
        assert (emission, window) == (expected, program.message[first + message]), "packets arrive in order"
        self._messages[leaf] += 1

    def _note_result(self, leaf: int, emission: int, window: int) -> None:
        """What a last layer keeps in its own tile is a result of the network."""
        replicas = self.program.replicas
        replica = int(np.searchsorted(replicas.window_first, window, side="right")) - 1
        layer = replicas.layer[replica]
        if self.program.leaves.tile[leaf] == replicas.tile[replica] and self.program.dataflow.nodes[layer].is_output:
            self.log.image_done[emission] = max(self.log.image_done[emission], self.env.now)
