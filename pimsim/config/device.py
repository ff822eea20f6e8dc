"""Every record of a device description: what the cells of a crossbar do that ideal cells do not.

Every part may be left out; an absent part is ideal.  The equations are in ``pimsim.device``, one file a phenomenon,
with their sources; figures of real devices are in ``arch_configs/devices/*.yaml``, beside theirs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pimsim.config.base import Fraction, NotNegative, Positive, Spec

Duration = Annotated[float, Field(gt=0, le=1e30, strict=True)]  #: [s]; extrapolated lifetimes are long
Flag = Annotated[bool, Field(strict=True)]
Extreme = Literal["low", "high"]
"""low: the conductance of level 0 (high resistance); high: that of the highest level (low resistance)."""

RelativeTo = Literal["range", "step", "value"]
"""What a sigma is a fraction of. range: g_max - g_min; step: the distance of neighbouring levels; value: the
conductance that the cell itself has."""


class Cell(Spec):
    """Conductances of a cell, and what becomes of the current of cells that hold 0."""

    g_min_us: NotNegative  #: conductance of level 0 [uS]
    g_max_us: Positive  #: conductance of the highest level [uS]; levels between are equally far apart
    off_current: Literal["subtracted", "kept"] = "subtracted"
    #: subtracted: a dummy column of cells at g_min takes their nominal current from every bitline; kept: it stays in
    #: the sum

    @model_validator(mode="after")
    def _conductances_differ(self) -> Cell:
        if self.g_min_us >= self.g_max_us:
            raise ValueError(f"g_min_us is {self.g_min_us:g}: it must be below g_max_us, {self.g_max_us:g}")
        return self


class Spread(Spec):
    """A normal distribution around what it should be."""

    sigma: NotNegative  #: standard deviation, a fraction (0.05 is 5 %)
    relative_to: RelativeTo  #: what it is a fraction of


class Variation(Spec):
    """How cells differ from each other, and writes of one cell from each other."""

    device_to_device: Spread | None = None  #: drawn once for each cell, the same whatever is written
    cycle_to_cycle: Spread | None = None  #: drawn anew at every write


class ReadNoise(Spec):
    """What is fresh in every read."""

    voltage_v: Positive | None = None  #: across a driven cell; thermal and shot noise need it
    frequency_mhz: NotNegative | None = None  #: bandwidth of a read; thermal and shot noise need it
    temperature_k: NotNegative | None = None  #: thermal noise needs it
    thermal: Flag = True  #: variance of a cell's conductance 4 k T f G / V^2
    shot: Flag = True  #: variance of a cell's conductance 2 q f G / V
    other: Spread | None = None  #: added to them, whatever the frequency

    @model_validator(mode="after")
    def _conditions_are_known(self) -> ReadNoise:
        for name in ("voltage_v", "frequency_mhz"):
            if (self.thermal or self.shot) and getattr(self, name) is None:
                raise ValueError(f"thermal and shot noise need {name}; thermal: false and shot: false switch them off")
        if self.thermal and self.temperature_k is None:
            raise ValueError("thermal noise needs temperature_k; thermal: false switches it off")
        return self


class RandomTelegraph(Spec):
    """A trap that is full in some reads: the resistance differs by the fraction b + a / G of itself in these."""

    probability: Fraction  #: of a read in which the trap is full
    a_us: NotNegative  #: [uS]
    b: Annotated[float, Field(ge=0, lt=1, strict=True)]  #: a fraction
    sign: Literal["increase", "decrease"]  #: of the conductance while the trap is full


class Drift(Spec):
    """Conductances that fall by a power law: G(t) = G(t0) (t / t0)^-exponent."""

    exponent: Annotated[float, Field(ge=0, le=10, strict=True)]  #: mean over the cells
    exponent_sigma: Annotated[float, Field(ge=0, le=10, strict=True)] = 0.0
    #: standard deviation over the cells and writes; no exponent is below 0
    time_s: Duration  #: since a cell was written [s]
    reference_time_s: Duration = 1.0  #: t0, when the conductance is as programmed [s]

    @model_validator(mode="after")
    def _time_passes(self) -> Drift:
        if self.time_s < self.reference_time_s:
            raise ValueError(f"time_s is {self.time_s:g}: it must be at least reference_time_s, "
                             f"{self.reference_time_s:g}")  # fmt: skip
        return self


class Retention(Spec):
    """Conductances that relax by a stretched exponential: the distance to the end falls by exp(-(t / tau)^stretch)."""

    time_s: Annotated[float, Field(ge=0, le=1e30, strict=True)]  #: since a cell was written [s]
    tau_s: Duration  #: at reference_temperature_k, if activation_ev is given [s]
    stretch: Annotated[float, Field(gt=0, le=10, strict=True)] = 1.0  #: 1: a plain exponential
    towards: Literal["low", "middle", "high"] = "low"  #: the end: g_min, the mean of g_min and g_max, g_max
    activation_ev: NotNegative | None = None  #: Arrhenius' law for tau [eV]; None: the same at any temperature
    temperature_k: Positive | None = None  #: of the chip
    reference_temperature_k: Positive | None = None  #: for which tau_s holds

    @model_validator(mode="after")
    def _temperatures_are_known(self) -> Retention:
        for name in ("temperature_k", "reference_temperature_k"):
            if (getattr(self, name) is None) != (self.activation_ev is None):
                raise ValueError(f"activation_ev and {name} belong together: give both or neither")
        return self


class Faults(Spec):
    """Cells that are stuck from the beginning."""

    stuck_at_0: Fraction = 0.0  #: probability of a cell
    stuck_at_1: Fraction = 0.0  #: probability of a cell
    stuck_at_0_is: Extreme = "low"  #: which conductance is meant by stuck-at-0, for which papers differ
    distribution: Literal["uniform", "clustered"] = "uniform"  #: clustered: in groups, at the same rates
    cluster_size: Annotated[int, Field(ge=1, le=1024, strict=True)] | None = None
    #: clustered: cells of a group, which is as round as can be
    map: str | None = None  #: an .npz of fault maps, relative to the file that names it, in place of rates

    @model_validator(mode="after")
    def _keys_agree(self) -> Faults:
        if self.stuck_at_0 + self.stuck_at_1 > 1:
            raise ValueError(f"stuck_at_0 and stuck_at_1 add up to {self.stuck_at_0 + self.stuck_at_1:g}: at most 1")
        if self.map is not None and (self.stuck_at_0 or self.stuck_at_1):
            raise ValueError("map says which cells are stuck: stuck_at_0 and stuck_at_1 must be left out, or 0")
        if self.distribution == "clustered" and self.cluster_size is None:
            raise ValueError("distribution: clustered needs cluster_size")
        return self


class InField(Spec):
    """What happens to cells while they are read."""

    failures_per_read: Fraction = 0.0  #: probability that a read leaves the cell stuck from then on
    stuck_is: Extreme = "high"  #: where it is stuck
    read_disturb: Fraction = 0.0  #: probability that a read moves the cell towards the highest level
    disturb_fraction: Fraction = 0.01  #: of its distance to the highest level, each time
    transient_flip: Fraction = 0.0  #: probability that a conversion reads a driven cell as some other level


class LineResistance(Spec):
    """Wires of a crossbar, along which the voltage falls (IR drop)."""

    wire_ohm: NotNegative  #: one cell pitch of a wordline or bitline
    source_ohm: NotNegative = 0.0  #: driver of a wordline
    sink_ohm: NotNegative = 0.0  #: input of the sense circuit of a bitline
    solver: Literal["fast", "exact"] = "fast"  #: approximated (pimsim.device.line_resistance says how well), or exact


class Endurance(Spec):
    """How often a cell can be written before it is stuck."""

    writes: Annotated[float, Field(ge=1, le=1e30, strict=True)]  #: median over the cells
    sigma_decades: Annotated[float, Field(ge=0, le=20, strict=True)] = 0.0
    #: standard deviation of log10 of the writes over the cells
    stuck_is: Extreme = "high"  #: where a worn cell is stuck
    writes_before: Annotated[float, Field(ge=0, le=1e30, strict=True)] = 0.0
    #: writes that each cell has seen before the weights are programmed


class Device(Spec):
    """The cells of a crossbar."""

    format: Literal["pimsim-device-1"]  #: version of this format
    name: str = Field(min_length=1)  #: what the device is called
    source: str = ""  #: where its figures are from
    cell: Cell | None = None
    programming: Spread | None = None  #: error that is left after programming, drawn anew at every write
    variation: Variation | None = None
    read_noise: ReadNoise | None = None
    random_telegraph: RandomTelegraph | None = None
    drift: Drift | None = None
    retention: Retention | None = None
    faults: Faults | None = None
    in_field: InField | None = None
    line_resistance: LineResistance | None = None
    endurance: Endurance | None = None

    @model_validator(mode="after")
    def _conductances_are_known(self) -> Device:
        if self.cell is None:
            needing = [name for name, part in (
                ("read_noise", self.read_noise if self._has_physical_noise else None),
                ("random_telegraph", self.random_telegraph),
                ("line_resistance", self.line_resistance),
            ) if part is not None]  # fmt: skip
            if needing:
                raise ValueError(f"{' and '.join(needing)} need cell, with g_min_us and g_max_us")
        return self

    @property
    def _has_physical_noise(self) -> bool:
        return self.read_noise is not None and (self.read_noise.thermal or self.read_noise.shot)

    def without_effect(self) -> dict[str, str]:
        """Parts that are there and change nothing in any run: key, and why."""
        found = dict(self._without_effect())
        if self.cell is not None and (why := self._cell_without_effect(set(found))):
            found["cell"] = why
        return found

    def _without_effect(self) -> Iterator[tuple[str, str]]:
        for key, spread in self._spreads():
            if spread.sigma == 0:
                yield key, "sigma is 0"
        yield from self._reads_without_effect()
        if (drift := self.drift) is not None:
            if drift.time_s == drift.reference_time_s:
                yield "drift", "time_s equals reference_time_s"
            elif drift.exponent == drift.exponent_sigma == 0:
                yield "drift", "exponent and exponent_sigma are 0"
        if self.retention is not None and self.retention.time_s == 0:
            yield "retention", "time_s is 0"
        yield from self._faults_without_effect()
        if (wires := self.line_resistance) is not None and not (wires.wire_ohm or wires.source_ohm or wires.sink_ohm):
            yield "line_resistance", "every resistance is 0"

    def _spreads(self) -> Iterator[tuple[str, Spread]]:
        variation = self.variation or Variation()
        for key, spread in (
            ("programming", self.programming),
            ("variation.device_to_device", variation.device_to_device),
            ("variation.cycle_to_cycle", variation.cycle_to_cycle),
            ("read_noise.other", self.read_noise.other if self.read_noise is not None else None),
        ):
            if spread is not None:
                yield key, spread

    def _reads_without_effect(self) -> Iterator[tuple[str, str]]:
        if (noise := self.read_noise) is not None:
            thermal = noise.thermal and noise.temperature_k
            if not ((thermal or noise.shot) and noise.frequency_mhz) and not (noise.other and noise.other.sigma):
                why = "frequency_mhz is 0" if noise.thermal or noise.shot else "thermal and shot are off"
                if noise.thermal and not noise.temperature_k and not noise.shot:
                    why = "temperature_k is 0 and shot noise is off"
                yield "read_noise", why
            if not noise.thermal and noise.temperature_k is not None:
                yield "read_noise.temperature_k", "thermal noise is off"
            if not (noise.thermal or noise.shot) and (noise.frequency_mhz, noise.voltage_v) != (None, None):
                yield "read_noise.frequency_mhz, voltage_v", "thermal and shot noise are off"
        if (telegraph := self.random_telegraph) is not None:
            if telegraph.probability == 0:
                yield "random_telegraph", "probability is 0"
            elif telegraph.a_us == telegraph.b == 0:
                yield "random_telegraph", "a_us and b are 0"

    def _faults_without_effect(self) -> Iterator[tuple[str, str]]:
        if (faults := self.faults) is not None:
            if faults.map is None and faults.stuck_at_0 == faults.stuck_at_1 == 0:
                yield "faults", "both rates are 0 and there is no map"
            elif faults.cluster_size is not None and (faults.distribution == "uniform" or faults.map is not None):
                yield "faults.cluster_size", "faults are " + ("in the map" if faults.map else "uniform")
        if (field := self.in_field) is not None:
            disturbs = field.read_disturb and field.disturb_fraction
            if field.read_disturb and not disturbs:
                yield "in_field.read_disturb", "disturb_fraction is 0"
            if not (field.failures_per_read or disturbs or field.transient_flip):
                yield "in_field", "every probability is 0"

    def _cell_without_effect(self, idle: set[str]) -> str | None:
        """Why it is the same as a cell with an infinite on/off ratio; None: it is not, or may not be."""
        assert self.cell is not None
        active = {key for key in ("random_telegraph", "line_resistance") if getattr(self, key) is not None} - idle
        if active or (self._has_physical_noise and "read_noise" not in idle):
            return None
        if self.cell.g_min_us == 0:
            return "g_min_us is 0, and no other part depends on conductances"
        spreads = {key for key, _ in self._spreads()} - idle  # of the value; and no conductance is negative
        if spreads or (self.drift is not None and "drift" not in idle) or self.cell.off_current == "kept":
            return None
        return "the off current is subtracted, and no other part depends on conductances"
