"""How long everything takes, from the system's own numbers; integer picoseconds."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

from pimsim.config.records import DigitalUnit
from pimsim.mapping.program import UNITS, Program
from pimsim.network.fabric import CHIP, INJECT
from pimsim.units import PS_PER_NS, cycles_to_ps, ns_to_ps, stream_ps, transfer_ps


class Slots:
    """The grid of the schedule: stages start on slots, or anywhere where the schedule is dynamic."""

    def __init__(self, program: Program) -> None:
        pipeline = program.system.pipeline
        self.slot = ns_to_ps(pipeline.slot_ns) if pipeline.slot_ns is not None else 1
        self.dynamic = pipeline.schedule == "dynamic"

    def after(self, time: int) -> int:
        """First slot at or after ``time``."""
        return -(-time // self.slot) * self.slot

    def stage_end(self, start: int, occupied: int, latency: int) -> int:
        """When the result of a stage is taken over; the latency counts from the slot in which it begins."""
        if self.dynamic:
            return start + max(occupied, latency)
        return max(self.after(start + occupied), start // self.slot * self.slot + self.after(latency))

    def stage_length(self, occupied: int, latency: int) -> int:
        """From begin to end of a stage that begins on a slot and finds its resources free."""
        return self.after(max(occupied, latency))


class Durations:
    """Durations of one program on its system [ps]."""

    def __init__(self, program: Program) -> None:
        self.program, self.system, self.slots = program, program.system, Slots(program)
        self.tile = program.system.chip.tile
        self.bits = program.system.mapping.input_bits
        self.kinds = program.fabric.link_kinds().tolist()

    def stage(self, name: str) -> int:
        """Latency of a stage of the pipeline."""
        return ns_to_ps(self.system.pipeline.latency_ns(name))

    def occupied(self, stage: str, resource: str, duration: int) -> int:
        """The duration, or nothing where the table of stages does not name the resource."""
        row = next(row for row in self.system.pipeline.stages if row.stage == stage)
        return duration if resource in row.resource else 0

    def edram(self, stage: str, values: int) -> int:
        """Values through one of a tile's two eDRAM ports; more than two banks make each wider."""
        edram = self.tile.edram
        width = max(edram.width_bits, edram.width_bits * edram.banks // 2)
        time = transfer_ps(values * self.bits, width, edram.clock_ghz)
        return self.occupied(stage, "edram", time)

    def bus(self, stage: str, values: int) -> int:
        """Values over a tile's bus."""
        time = transfer_ps(values * self.bits, self.tile.bus.wires, self.tile.bus.clock_ghz)
        return self.occupied(stage, "bus", time)

    def dram(self, values: int) -> int:
        """Values out of or into a chip's DRAM."""
        dram = self.system.chip.dram
        if values == 0 or dram is None:
            return 0
        return stream_ps(values * self.bits / 8, dram.gb_per_s)

    def dram_latency(self) -> int:
        """From the request to a chip's DRAM until data flows."""
        dram = self.system.chip.dram
        return 0 if dram is None else ns_to_ps(dram.latency_ns)

    def unit(self, name: str, values: int) -> int:
        """Values through all digital units of one kind of a tile."""
        unit: DigitalUnit = getattr(self.tile, name)
        rate = unit.count * Fraction(str(unit.values_per_clock))
        resource = "tile_shift_add" if name == "shift_add" else "digital"
        return self.occupied("activation", resource, cycles_to_ps(ceil(values / rate), unit.clock_ghz))

    def units(self, replica: int) -> list[int]:
        """A window of the replica in each of UNITS at its home tile."""
        values = self.program.replicas.unit_values[replica]
        return [self.unit(name, int(n)) for name, n in zip(UNITS, values, strict=True)]

    def host(self, replica: int) -> int:
        """A position of the input over the host's link."""
        layer = int(self.program.replicas.layer[replica])
        channels = self.program.dataflow.nodes[layer].channels
        return stream_ps(channels * self.bits / 8, self.system.host.gb_per_s)

    def vector(self, layer: int) -> tuple[int, int]:
        """(interval, latency) of vectors in the crossbars of a layer, from input register to S&A.

        Every beat drives some wordlines with some bits of the input; conversion and shift-and-add follow
        one beat behind each other.  From the other side bitlines are driven, the cells of a weight in as many passes.
        """
        ima, tiling = self.tile.ima, self.program.layers[layer].tiling
        assert tiling is not None
        rows = int((tiling.row_hi - tiling.row_lo).max())
        groups = ceil(Fraction(rows, ima.crossbar.wordlines))
        reads = ceil(Fraction(self.bits, ima.dac.bits)) * groups * tiling.passes
        samples = max(ima.adc.columns, ceil(Fraction(ima.crossbars * ima.crossbar.columns, ima.adc.count)))
        read = max(ns_to_ps(ima.crossbar.read_ns), self.stage("crossbar_read"))
        sampling = self.occupied("conversion", "adc", cycles_to_ps(samples, ima.adc.sample_rate_gsps))
        convert = max(sampling, self.stage("conversion"))
        add = self.stage("shift_add")
        beat = self.slots.after(max(read, convert, add))
        return reads * beat, reads * beat + self.slots.after(convert) + self.slots.after(add)

    def write(self, replica: int) -> int:
        """Rows of weights that a window of an update writes, one after another: each is read, and then programmed
        with so many pulses."""
        crossbar = self.tile.ima.crossbar
        row = ns_to_ps(crossbar.read_ns) + crossbar.write_pulses * ns_to_ps(crossbar.write_row_ns)
        return self.slots.after(int(self.program.replicas.written_rows[replica]) * row)

    def kernel(self, replica: int) -> tuple[int, int]:
        """(launch, one window) of the kernel that is a run of the replica; its windows share its time alike.

        A kernel takes as long as its operations at the core's peak or its values through the core's memory,
        whichever is longer; it reaches a share of both.  (The roofline of Williams, Waterman and Patterson, 2009.)
        """
        core, replicas = self.system.chip.gpu_core, self.program.replicas
        assert core is not None, "a kernel needs a GPU core"
        flops, values = int(replicas.kernel_flops[replica]), int(replicas.kernel_values[replica])
        flops_per_ns = core.multiprocessors * Fraction(str(core.flops_per_clock)) * Fraction(str(core.clock_ghz))
        bytes_per_ns = Fraction(str(core.memory.gb_per_s))
        longer = max(flops / flops_per_ns, values * core.value_bytes / bytes_per_ns)
        whole = ceil(longer / Fraction(str(core.occupancy)) * PS_PER_NS)
        windows = replicas.window_first[replica + 1] - replicas.window_first[replica]
        return ns_to_ps(core.launch_ns), ceil(Fraction(whole, int(windows)))

    def gpu_memory(self, values: int) -> tuple[int, int]:
        """(time that they occupy it, latency) of values into a GPU core's memory."""
        core = self.system.chip.gpu_core
        assert core is not None, "a tile on a GPU tier needs a GPU core"
        return stream_ps(values * core.value_bytes, core.memory.gb_per_s), ns_to_ps(core.memory.latency_ns)

    def pace(self, replica: int) -> tuple[int, int, bool]:
        """Shortest time from the start of one window of the replica to that of the next; of it, the time of
        crossbars and digital units; and whether the bus stretches it, rather than the eDRAM.

        (The first window of a kernel takes its launch beside that.)
        """
        replicas, slices = self.program.replicas, self.program.slices
        if replicas.tile[replica] < 0:
            return self.host(replica), self.host(replica), False
        layer = int(replicas.layer[replica])
        if self.program.dataflow.nodes[layer].kind == "gpu":
            return self.kernel(replica)[1], self.kernel(replica)[1], False
        work = [self.slots.slot, *self.units(replica)]
        if self.program.layers[layer].tiling is not None:
            work.append(self.vector(layer)[0])
        if self.program.dataflow.nodes[layer].kind == "update":
            work.append(self.write(replica))
        edram, bus = [0], [0]
        for s in range(replicas.slice_first[replica], replicas.slice_first[replica + 1]):
            read, sent = int(slices.read_values[s]), int(slices.sent_values[s])
            edram.append(self.edram("input_read", read))
            bus += [self.bus("input_read", read), self.bus("output_transfer", sent)]
        return self.slots.after(max(work + edram + bus)), self.slots.after(max(work)), max(bus) > max(edram)

    def hold(self, link: int, flits: int) -> int:
        """A packet occupies a link."""
        noc, links = self.system.chip.noc, self.system.chip.links
        if self.kinds[link] == CHIP:
            return stream_ps(flits * noc.flit_bits / 8, links.gb_per_s)
        return cycles_to_ps(flits * self.flit_cycles(link), noc.clock_ghz)

    def head(self, link: int, flits: int) -> int:
        """The head flit from the start of a link to where it asks for the next; a chip's link takes in all first."""
        noc = self.system.chip.noc
        if self.kinds[link] == CHIP:
            return ns_to_ps(self.system.chip.links.latency_ns) + self.hold(link, flits)
        if self.kinds[link] == INJECT:
            return cycles_to_ps(1 + noc.router.inject_latency, noc.clock_ghz)
        if (channel := self.program.fabric.channel_of(link)) is None:
            leaving = noc.router.eject_latency
        else:
            leaving = int(self.program.fabric.topology.latency[channel[1]]) + self.flit_cycles(link) - 1
        return cycles_to_ps(noc.router.pipeline_cycles + leaving, noc.clock_ghz)

    def flit_cycles(self, link: int) -> int:
        """Cycles for which a flit occupies a link; only channels between routers may be narrower than a flit."""
        channel = self.program.fabric.channel_of(link)
        return 1 if channel is None else int(self.program.fabric.topology.flit_cycles[channel[1]])

    def flit_pace(self, link: int, before: int) -> int:
        """Cycles from one flit of a packet to the next behind a link, from those before it."""
        return 1 if self.kinds[link] == CHIP else max(before, self.flit_cycles(link))

    def tail(self, flits: int, pace: int) -> int:
        """From the arrival of the head flit to that of the last."""
        return cycles_to_ps((flits - 1) * pace, self.system.chip.noc.clock_ghz)
