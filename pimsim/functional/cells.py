"""Cells of a layer as they are after programming: what each adds to its bitline, and how noisy a read is.

The order is that of the physics: target level, conductance, differences between cells and writes, relaxation, cells
that are stuck, line resistance, off current; then the noise of a read, which depends on what the conductance is now.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from pimsim.config.device import Device, Drift, Retention, Spread, Variation
from pimsim.device.conductance import absolute_sigma, conductance_of, level_step
from pimsim.device.drift import drift_exponents, drifted
from pimsim.device.endurance import endurance_of_cells, stuck_cells
from pimsim.device.fault_maps import load_fault_map
from pimsim.device.faults import SOUND, STUCK_AT_0, clustered_faults, uniform_faults
from pimsim.device.in_field import disturbed, failed, flip_moments
from pimsim.device.programming import programmed
from pimsim.device.random_telegraph import telegraph_moments, telegraph_step
from pimsim.device.read_noise import shot_variance, thermal_variance
from pimsim.device.retention import arrhenius_tau, relaxed
from pimsim.device.streams import stream
from pimsim.device.variation import cycle_to_cycle, device_to_device
from pimsim.errors import InputError, shown

MICRO, MEGA = 1e-6, 1e6


WithWires = Callable[[np.ndarray], np.ndarray]
"""Line resistance: (..., rows, columns) conductances [S] in, what they seem to be behind their wires [S] out."""


@dataclass(frozen=True)
class Cells:
    """Cells of a layer, ready to be read.  A level is (g_max - g_min) / (2^cell_bits - 1) in these figures."""

    level: np.ndarray
    #: float32 (where there is no device: the targets), shape of the targets: mean of what a driven cell adds to the sum
    #: of its bitline [levels]
    variance: np.ndarray | None  #: float32, same shape: of one read of a driven cell [levels^2]; None: no noise
    ideal: bool  #: every level equals its target exactly
    variance_by_level: np.ndarray | None
    #: (2^cell_bits,) float32: where the variance depends on the target alone; None elsewhere
    stuck: np.ndarray | None  #: bool, same shape: cells that no write changes; None: no part can leave any
    inert: tuple[str, ...]  #: ``key: why`` of parts that are configured and change nothing in these cells
    transient_flip: float = 0.0
    #: probability that a read of a driven cell goes wrong, where that is not in ``level`` and ``variance``


@dataclass(frozen=True)
class _Scale:
    """Conductances of the levels [S]; without ``cell`` in units of a level, with an infinite on/off ratio."""

    g_min: float
    g_max: float
    step: float
    baseline: float  #: what remains of the off current in a sum

    def end(self, word: str) -> float:
        return {"low": self.g_min, "middle": (self.g_min + self.g_max) / 2, "high": self.g_max}[word]


@dataclass(frozen=True)
class _Life:
    """Who the cells are, and what they have been through."""

    seed: int
    layer: str
    write_number: int
    reads: float
    writes: np.ndarray | float

    def of_cells(self, purpose: str) -> np.random.Generator:
        return stream(self.seed, self.layer, purpose)

    def of_write(self, purpose: str) -> np.random.Generator:
        return stream(self.seed, self.layer, purpose, self.write_number)


@dataclass(frozen=True)
class _Stuck:
    """Cells that no write changes, because of one part."""

    key: str  #: of the device's part
    which: np.ndarray  #: bool, shape of the cells
    conductance: np.ndarray | float  #: of those that are stuck


@dataclass(frozen=True)
class _Stage:
    """One thing that changes conductances."""

    key: str  #: of the device's part
    change: Callable[[np.ndarray], np.ndarray]  #: conductances in, conductances out
    by_cell: bool = True  #: whether cells of the same conductance may end up with different ones


def program_cells(
    targets: np.ndarray,
    cell_bits: int,
    device: Device | None,
    *,
    seed: int,
    layer: str,
    write_number: int = 0,
    reads: float = 0.0,
    writes: np.ndarray | float | None = None,
    with_wires: WithWires | None = None,
    flips_are_sampled: bool = False,
) -> Cells:
    """Program a layer's cells.

    Args:
        targets: levels, whole numbers from 0 to 2^cell_bits - 1; the last two axes are rows and columns.
        cell_bits: bits of a cell.
        device: what the cells are like; None: ideal.
        seed: of the run; equal seeds and layers give equal cells, in whatever order layers are programmed.
        layer: name of the layer, or of the part of it whose cells these are.
        write_number: counts the writes of these cells from 0.
        reads: that each cell has seen; since its last write, as far as read disturb is concerned.
        writes: that each cell has seen, one number or one for each; default: write_number + 1, after those of
            ``device.endurance.writes_before``.
        with_wires: the effect of ``device.line_resistance`` on an array of crossbars.
        flips_are_sampled: whether the caller draws transient flips, as :mod:`pimsim.functional.flips`;
            if not, their mean and variance are part of the cells'.

    Raises:
        ValueError: targets are no levels.
        InputError: the device's fault map lacks this layer, or has it in another shape.
    """
    targets = _checked(targets, cell_bits)
    if device is None:
        return Cells(targets.astype(np.float32), None, True, None, None, ())
    scale = _scale(device, cell_bits)
    if writes is None:
        writes = write_number + 1 + (device.endurance.writes_before if device.endurance is not None else 0.0)
    life = _Life(seed, layer, write_number, reads, writes)
    inert = device.without_effect()
    stages = [stage for stage in _stages(device, scale, life) if stage.key not in inert]
    stuck_parts = _stuck_parts(device, scale, life, targets.shape, inert)
    wires = _wires(device, with_wires, inert)
    alike = not stuck_parts and wires is None and not any(stage.by_cell for stage in stages)
    subject = np.arange(2**cell_bits) if alike else targets  # cells of a level are alike: look at one of each
    seen = np.isin(subject, targets) if alike else np.ones(targets.shape, dtype=bool)
    nominal = conductance_of(subject, scale.g_min, scale.step)
    conductance = nominal
    for stage in stages:
        conductance = _changed(stage.key, conductance, stage.change(conductance), seen, inert)
    conductance, stuck = _with_stuck_cells(np.maximum(conductance, 0.0), stuck_parts, inert)
    if wires is not None:
        conductance = _changed("line_resistance", conductance, wires(conductance), seen, inert)
    # Through the difference, cells that nothing has happened to have their level exactly.
    level = subject + (conductance - nominal) / scale.step + scale.baseline
    level, variance = _Reads(device, scale, inert, seen, flips_are_sampled).moments(level, conductance, subject)
    flips = device.in_field.transient_flip if device.in_field and flips_are_sampled else 0.0
    return _as_cells(targets, level, variance, alike, stuck, inert, flips)


def _as_cells(
    targets: np.ndarray, level: np.ndarray, variance: np.ndarray, alike: bool, stuck: np.ndarray | None,
    inert: Mapping[str, str], transient_flip: float,
) -> Cells:  # fmt: skip
    """From what was found for each cell, or, where all cells of a level are alike, for each level."""
    level, variance = level.astype(np.float32), variance.astype(np.float32)
    by_level = variance if alike else None
    if alike:
        level, variance = level[targets], variance[targets]
    noisy = bool(variance.any())
    return Cells(
        level=level,
        variance=variance if noisy else None,
        ideal=bool(np.array_equal(level, targets)),
        variance_by_level=by_level if noisy else None,
        stuck=stuck,
        inert=tuple(f"{key}: {why}" for key, why in inert.items()),
        transient_flip=transient_flip,
    )


def inert_everywhere(cells: Iterable[Cells]) -> tuple[str, ...]:
    """``key: why`` of parts that change nothing in any of these cells; the reason is that of the first."""
    parts = [dict(line.split(": ", 1) for line in each.inert) for each in cells]
    if not parts:
        return ()
    everywhere = set.intersection(*(set(part) for part in parts))
    return tuple(f"{key}: {why}" for key, why in parts[0].items() if key in everywhere)


def layer_faults(device: Device, shape: tuple[int, ...], *, seed: int, layer: str) -> np.ndarray:
    """The fault map of a layer's cells: from the device's file, or drawn.

    Args:
        device: with ``faults``, or without: then every cell is sound.
        shape: of the layer's cells.
        seed, layer: as for :func:`program_cells`, which finds the same map.

    Returns:
        uint8, see :mod:`pimsim.device.faults`; to be saved by :func:`pimsim.device.fault_maps.save_fault_map`.

    Raises:
        InputError: the file cannot be read, lacks this layer, or has it in another shape.
    """
    faults = device.faults
    if faults is None:
        return np.zeros(shape, dtype=np.uint8)
    if faults.map is not None:
        maps = load_fault_map(faults.map)
        if layer not in maps:
            raise InputError(f"holds no layer {shown(layer)}", file=faults.map, key="faults.map", allowed=sorted(maps))
        if maps[layer].shape != shape:
            raise InputError(f"layer {shown(layer)} has the shape {maps[layer].shape}, and its cells are {shape}",
                             file=faults.map, key="faults.map")  # fmt: skip
        return maps[layer]
    cells = stream(seed, layer, "faults")
    if faults.distribution == "clustered":
        assert faults.cluster_size is not None  # checked with the record
        return clustered_faults(shape, faults.stuck_at_0, faults.stuck_at_1, faults.cluster_size, cells)
    return uniform_faults(shape, faults.stuck_at_0, faults.stuck_at_1, cells)


def _checked(targets: np.ndarray, cell_bits: int) -> np.ndarray:
    targets = np.asarray(targets)
    if not np.issubdtype(targets.dtype, np.integer):
        raise ValueError(f"levels are whole numbers, not {targets.dtype}")
    if targets.size and not 0 <= targets.min() <= targets.max() < 2**cell_bits:
        raise ValueError(f"levels of {cell_bits} bits go from 0 to {2**cell_bits - 1}, "
                         f"these from {targets.min()} to {targets.max()}")  # fmt: skip
    return targets


def _scale(device: Device, cell_bits: int) -> _Scale:
    if device.cell is None:
        return _Scale(0.0, 2.0**cell_bits - 1, 1.0, 0.0)
    g_min, g_max = device.cell.g_min_us * MICRO, device.cell.g_max_us * MICRO
    step = level_step(g_min, g_max, cell_bits)
    return _Scale(g_min, g_max, step, g_min / step if device.cell.off_current == "kept" else 0.0)


def _changed(key: str, before: np.ndarray, after: np.ndarray, seen: np.ndarray, inert: dict[str, str]) -> np.ndarray:
    if np.array_equal(before[seen], after[seen]):
        inert[key] = "it changes none of these cells"
    return after


def _stages(device: Device, scale: _Scale, life: _Life) -> Iterator[_Stage]:
    """What changes conductances, in the order in which it happens."""

    def sigma(spread: Spread, conductance: np.ndarray) -> np.ndarray | float:
        return absolute_sigma(spread.sigma, spread.relative_to, conductance, scale.g_max - scale.g_min, scale.step)

    variation = device.variation or Variation()
    if (cells := variation.device_to_device) is not None:
        yield _Stage("variation.device_to_device",
                     lambda g: device_to_device(g, sigma(cells, g), life.of_cells("device to device")))  # fmt: skip
    if (cycles := variation.cycle_to_cycle) is not None:
        yield _Stage("variation.cycle_to_cycle",
                     lambda g: cycle_to_cycle(g, sigma(cycles, g), life.of_write("cycle to cycle")))  # fmt: skip
    if (error := device.programming) is not None:
        yield _Stage("programming", lambda g: programmed(g, sigma(error, g), life.of_write("programming")))
    if (retention := device.retention) is not None:
        yield _Stage("retention", lambda g: _relaxed(g, retention, scale), by_cell=False)
    if (drift := device.drift) is not None:
        yield _Stage("drift", lambda g: _drifted(g, drift, life), by_cell=drift.exponent_sigma > 0)
    field = device.in_field
    if field is not None and field.read_disturb:
        yield _Stage("in_field.read_disturb", lambda g: disturbed(
            g, life.of_write("read disturb").random(g.shape), end=scale.g_max, probability=field.read_disturb,
            fraction=field.disturb_fraction, reads=life.reads))  # fmt: skip


def _relaxed(conductance: np.ndarray, retention: Retention, scale: _Scale) -> np.ndarray:
    tau_s = retention.tau_s
    if retention.activation_ev is not None:
        assert retention.temperature_k and retention.reference_temperature_k  # checked with the record
        tau_s = arrhenius_tau(tau_s, activation_ev=retention.activation_ev, temperature_k=retention.temperature_k,
                              reference_temperature_k=retention.reference_temperature_k)  # fmt: skip
    return relaxed(conductance, scale.end(retention.towards), time_s=retention.time_s, tau_s=tau_s,
                   stretch=retention.stretch)  # fmt: skip


def _drifted(conductance: np.ndarray, drift: Drift, life: _Life) -> np.ndarray:
    exponent: np.ndarray | float = drift.exponent
    if drift.exponent_sigma:
        write = life.of_write("drift exponents")
        exponent = drift_exponents(conductance.shape, drift.exponent, drift.exponent_sigma, write)
    return drifted(conductance, exponent, time_s=drift.time_s, reference_time_s=drift.reference_time_s)


def _stuck_parts(
    device: Device, scale: _Scale, life: _Life, shape: tuple[int, ...], inert: dict[str, str]
) -> list[_Stuck]:
    """What can leave cells stuck, in the order in which it is looked at."""
    found: list[_Stuck] = []
    if device.faults is not None and "faults" not in inert:
        faults = layer_faults(device, shape, seed=life.seed, layer=life.layer)
        at_0, at_1 = scale.g_min, scale.g_max
        if device.faults.stuck_at_0_is == "high":
            at_0, at_1 = at_1, at_0
        found.append(_Stuck("faults", faults != SOUND, np.where(faults == STUCK_AT_0, at_0, at_1)))
    if (endurance := device.endurance) is not None:
        borne = endurance_of_cells(
            endurance.writes, endurance.sigma_decades, shape, life.of_cells("endurance"))  # fmt: skip
        worn = np.broadcast_to(stuck_cells(np.asarray(life.writes), borne), shape)
        found.append(_Stuck("endurance", worn, scale.end(endurance.stuck_is)))
    if (field := device.in_field) is not None and field.failures_per_read:
        drawn = life.of_cells("failures").random(shape)
        broken = failed(drawn, field.failures_per_read, life.reads)
        found.append(_Stuck("in_field.failures_per_read", broken, scale.end(field.stuck_is)))
    return found


def _with_stuck_cells(
    conductance: np.ndarray, parts: list[_Stuck], inert: dict[str, str]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Conductances, and which cells are stuck; None: no part can leave any.

    A cell that several parts leave stuck is where the first of them leaves it.
    """
    stuck: np.ndarray | None = None
    for part in parts:
        which = part.which if stuck is None else part.which & ~stuck
        before, conductance = conductance, np.where(which, part.conductance, conductance)
        if not which.any():
            inert[part.key] = "none of these cells is stuck"
        elif np.array_equal(before, conductance):
            inert[part.key] = "these cells are stuck where they are meant to be"
        stuck = which if stuck is None else stuck | which
    return conductance, stuck


def _wires(device: Device, with_wires: WithWires | None, inert: dict[str, str]) -> WithWires | None:
    if device.line_resistance is None or "line_resistance" in inert:
        return None
    if with_wires is None:
        inert["line_resistance"] = "these cells are taken without their wires"
    return with_wires


@dataclass(frozen=True)
class _Reads:
    """What is fresh in every read."""

    device: Device
    scale: _Scale
    inert: dict[str, str]  #: parts without effect are added
    seen: np.ndarray  #: bool, which of the cells there are
    flips_are_sampled: bool

    def moments(
        self, level: np.ndarray, conductance: np.ndarray, targets: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Mean [levels] and variance [levels^2] of one read."""
        variance = np.zeros(level.shape)
        if self._active("read_noise"):
            found = self._read_noise(conductance)
            variance += self._of_use("read_noise", found) / self.scale.step**2
        if (telegraph := self.device.random_telegraph) is not None and self._active("random_telegraph"):
            step = telegraph_step(conductance, a=telegraph.a_us * MICRO, b=telegraph.b, sign=telegraph.sign)
            mean, found = telegraph_moments(step, telegraph.probability)
            level = level + self._of_use("random_telegraph", mean) / self.scale.step
            variance += found / self.scale.step**2
        field = self.device.in_field
        if field is not None and field.transient_flip and not self.flips_are_sampled:
            levels = np.arange(round((self.scale.g_max - self.scale.g_min) / self.scale.step) + 1.0)
            mean, found = flip_moments(level, targets, levels + self.scale.baseline, field.transient_flip)
            level, variance = level + mean, variance + found
        return level, variance

    def _read_noise(self, conductance: np.ndarray) -> np.ndarray:
        """Variance [S^2]."""
        noise, variance = self.device.read_noise, np.zeros(conductance.shape)
        assert noise is not None
        frequency_hz, voltage_v = (noise.frequency_mhz or 0.0) * MEGA, noise.voltage_v or math.inf
        if noise.thermal:
            variance += thermal_variance(conductance, frequency_hz=frequency_hz, voltage_v=voltage_v,
                                         temperature_k=noise.temperature_k or 0.0)  # fmt: skip
        if noise.shot:
            variance += shot_variance(conductance, frequency_hz=frequency_hz, voltage_v=voltage_v)
        if noise.other is not None:
            full_range = self.scale.g_max - self.scale.g_min
            variance += np.square(absolute_sigma(
                noise.other.sigma, noise.other.relative_to, conductance, full_range, self.scale.step))  # fmt: skip
        return variance

    def _active(self, key: str) -> bool:
        return getattr(self.device, key) is not None and key not in self.inert

    def _of_use(self, key: str, found: np.ndarray) -> np.ndarray:
        if not found[self.seen].any():
            self.inert[key] = "none of these cells conducts"
        return found
