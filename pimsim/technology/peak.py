"""Peak rates and densities of a chip, and how its clocks round to picoseconds.

One op is half a multiply-accumulate.  CE, PE and SE are computational efficiency [GOPS/(s mm2)],
power efficiency [GOPS/(s W)] and storage efficiency [MiB/mm2] as ISAAC (ISCA 2016) defines them: of the
crossbars, on area and power of the whole chip, GPU cores included.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from pimsim.config.records import System
from pimsim.technology.area_power import roll_up
from pimsim.technology.components import read_beat_ns, reads_per_vector, vector_ns
from pimsim.units import cycles_to_ps


@dataclass(frozen=True)
class PeakMetrics:
    """What one chip reaches with every crossbar busy."""

    crossbars: int
    beat_ns: float  #: from one read of a crossbar to its next
    reads_per_vector: int  #: reads for one input vector of mapping.input_bits
    vector_ns: float  #: from one input vector to the next
    tops: float  #: of crossbars: 1e12 ops a second, of mapping.weight_bits x mapping.input_bits
    gpu_tflops: float  #: of GPU cores: 1e12 floating-point operations a second; 0: there are none
    power_w: float  #: of what is priced
    area_mm2: float  #: of what is priced
    ce_gops_per_mm2: float | None  #: None: no area is priced
    pe_gops_per_w: float | None  #: None: no power is priced
    se_mib_per_mm2: float | None


def peak_metrics(system: System) -> PeakMetrics:
    """Peak of one chip; follows from the records alone.

    Raises:
        InputError: a cost cannot be scaled to the component's parameters.
    """
    chip, ima = system.chip, system.chip.tile.ima
    crossbars = chip.reram_tiles * chip.tile.imas * ima.crossbars
    slices = ima.crossbar.columns_of_weight(system.mapping.weight_bits)
    ops_per_vector = 2 * ima.crossbar.rows * (ima.crossbar.columns // slices) * crossbars
    gops = Fraction(ops_per_vector) / vector_ns(system)
    mib = crossbars * ima.crossbar.rows * ima.crossbar.columns * ima.crossbar.cell_bits / 8 / 2**20
    total = roll_up(system).chip
    return PeakMetrics(
        crossbars=crossbars,
        beat_ns=float(read_beat_ns(system)),
        reads_per_vector=reads_per_vector(system),
        vector_ns=float(vector_ns(system)),
        tops=float(gops / 1000),
        gpu_tflops=chip.gpu_cores * chip.gpu_core.peak_flops_per_s / 1e12 if chip.gpu_core else 0.0,
        power_w=total.power_mw / 1000,
        area_mm2=total.area_mm2,
        ce_gops_per_mm2=float(gops) / total.area_mm2 if total.area_mm2 else None,
        pe_gops_per_w=float(gops) / (total.power_mw / 1000) if total.power_mw else None,
        se_mib_per_mm2=mib / total.area_mm2 if total.area_mm2 else None,
    )


@dataclass(frozen=True)
class ClockRounding:
    """A clock, its exact period, and the whole picoseconds that one cycle takes."""

    key: str
    clock_ghz: float
    exact_ps: Fraction
    rounded_ps: int

    @property
    def is_exact(self) -> bool:
        return self.exact_ps == self.rounded_ps


def clock_roundings(system: System) -> list[ClockRounding]:
    """Every clock of the system.  n cycles take round(n x exact period), so errors do not add up."""
    tile, noc = system.chip.tile, system.chip.noc
    clocks = {
        "chip.tile.edram.clock_ghz": tile.edram.clock_ghz,
        "chip.tile.bus.clock_ghz": tile.bus.clock_ghz,
        "chip.tile.sigmoid.clock_ghz": tile.sigmoid.clock_ghz,
        "chip.tile.maxpool.clock_ghz": tile.maxpool.clock_ghz,
        "chip.tile.shift_add.clock_ghz": tile.shift_add.clock_ghz,
        "chip.tile.vector.clock_ghz": tile.vector.clock_ghz,
        "chip.tile.ima.adc.sample_rate_gsps": tile.ima.adc.sample_rate_gsps,
        "chip.noc.clock_ghz": noc.clock_ghz,
    }
    return [
        ClockRounding(key, ghz, Fraction(1000) / Fraction(str(ghz)), cycles_to_ps(1, ghz))
        for key, ghz in clocks.items()
    ]
