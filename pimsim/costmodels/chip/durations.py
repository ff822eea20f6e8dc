"""How long the stages of a window take on a system, for arrays of sizes; the model of :mod:`pimsim.arch`."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from pimsim.config.records import DigitalUnit, System
from pimsim.mapping.program import UNITS
from pimsim.units import cycles_to_ps, ns_to_ps, stream_ps, transfer_ps


class Durations:
    """Times of one system [ps]; arrays of values in, int64 arrays of the same shape out."""

    def __init__(self, system: System) -> None:
        pipeline = system.pipeline
        self.system, self.tile, self.bits = system, system.chip.tile, system.mapping.input_bits
        self.slot = ns_to_ps(pipeline.slot_ns) if pipeline.slot_ns is not None else 1
        self._stage: dict[str, tuple[int, tuple[str, ...]]] = {
            stage.stage: (ns_to_ps(stage.latency_ns), stage.resource) for stage in pipeline.stages
        }
        self._known: dict[tuple[str, str, int], int] = {}

    def latency(self, stage: str) -> int:
        """Latency of a stage."""
        return self._stage[stage][0]

    def whole_slots(self, time: np.ndarray) -> np.ndarray:
        """The times, rounded up to slots."""
        rounded: np.ndarray = -(-np.asarray(time) // self.slot) * self.slot
        return rounded

    def stage(self, name: str, occupied: np.ndarray) -> np.ndarray:
        """A stage that begins on a slot and finds its resources free."""
        return self.whole_slots(np.maximum(occupied, self.latency(name)))

    def edram(self, stage: str, values: np.ndarray) -> np.ndarray:
        """Values through one of a tile's two eDRAM ports; more than two banks make each wider."""
        edram = self.tile.edram
        width = max(edram.width_bits, edram.width_bits * edram.banks // 2)
        return self._each(stage, "edram", values, lambda n: transfer_ps(n * self.bits, width, edram.clock_ghz))

    def bus(self, stage: str, values: np.ndarray) -> np.ndarray:
        """Values over a tile's bus."""
        bus = self.tile.bus
        return self._each(stage, "bus", values, lambda n: transfer_ps(n * self.bits, bus.wires, bus.clock_ghz))

    def unit(self, name: str, values: np.ndarray) -> np.ndarray:
        """Values through all digital units of one kind of a tile."""
        unit: DigitalUnit = getattr(self.tile, name)
        rate = unit.count * Fraction(str(unit.values_per_clock))
        resource = "tile_shift_add" if name == "shift_add" else "digital"

        def time(n: int) -> int:
            return cycles_to_ps(math.ceil(n / rate), unit.clock_ghz)

        return self._each("activation", resource, values, time, name)

    def units(self, values: np.ndarray) -> np.ndarray:
        """(V, 4) values through each of UNITS -> (V,) the longest."""
        longest: np.ndarray = np.max([self.unit(name, values[:, u]) for u, name in enumerate(UNITS)], axis=0)
        return longest

    def host(self, channels: int) -> int:
        """A position of the input over the host's link."""
        return stream_ps(channels * self.bits / 8, self.system.host.gb_per_s)

    def _each(
        self, stage: str, resource: str, values: np.ndarray, time: Callable[[int], int], name: str = ""
    ) -> np.ndarray:
        """``time`` of every value, computed once for each; 0 where the stage does not occupy the resource."""
        if resource not in self._stage[stage][1]:
            return np.zeros_like(values)
        distinct, inverse = np.unique(values, return_inverse=True)
        found = np.zeros(distinct.size, np.int64)
        for k, n in enumerate(distinct.tolist()):
            key = name or resource, resource, n
            if key not in self._known:
                self._known[key] = time(n)
            found[k] = self._known[key]
        return found[inverse].reshape(values.shape)
