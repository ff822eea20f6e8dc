"""How power and area of a component change when its parameters leave the point its cost holds for.

A cost says with ``at`` for which parameters it holds.  Each of them that the component does
not share multiplies power and area by a factor from :data:`LAWS`.  A parameter that ``at`` does not
name scales nothing: the cost is then taken as it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pimsim.config.cost import Cost
from pimsim.errors import InputError

Factor = Callable[[float, float], float]  #: (value, value at the reference point) -> factor

SABERI_2011 = {
    # bits: energy of a conversion [pJ], area [um2]
    4: (0.79, 361.0),
    5: (0.99, 477.0),
    6: (1.20, 627.0),
    7: (1.42, 845.0),
    8: (1.67, 1200.0),
    9: (1.97, 1828.0),
    10: (2.38, 3002.0),
}
"""ADC by resolution: Saberi et al. 2011 at 1.2 GSps and 32 nm, as quoted in hwcomponents-library."""


@dataclass(frozen=True)
class Law:
    """Factors of power and area for one parameter, and why they are so."""

    power: Factor
    area: Factor
    source: str


@dataclass(frozen=True)
class ScaledCost:
    """Cost of one instance at its own parameters."""

    power_mw: float | None
    area_mm2: float | None
    static_fraction: float
    source: str
    scaled: tuple[str, ...] = ()  #: what was scaled, such as 'bits 8 -> 7 (Saberi et al. 2011)'


def scaled_cost(kind: str, cost: Cost, values: Mapping[str, float]) -> ScaledCost:
    """``cost`` at the component's own parameters.

    Args:
        kind: first part of the keys of :data:`LAWS`.
        values: the component's parameters, by the names that ``cost.at`` may hold.

    Raises:
        InputError: no law reaches from the reference point to the parameters.
    """
    if kind == "adc" and not values["bits"]:
        return ScaledCost(None, None, cost.static_fraction, "Not priced: an ADC of 0 bits is ideal")
    power, area, notes = cost.power_mw, cost.area_mm2, []
    for name, reference in cost.at.items():
        if values[name] == reference:
            continue
        law = LAWS[kind, name]
        try:
            power = None if power is None else power * law.power(values[name], reference)
            area = None if area is None else area * law.area(values[name], reference)
        except _OutOfRangeError as error:
            raise InputError(
                f"the cost of {kind} is given at {name} {reference:g} and cannot be scaled to {values[name]:g}",
                allowed=f"{error}, or a cost given at {{{name}: {values[name]:g}}}",
            ) from None
        notes.append(f"{name} {reference:g} -> {values[name]:g}: {law.source}")
    return ScaledCost(power, area, cost.static_fraction, cost.source, tuple(notes))


class _OutOfRangeError(Exception):
    """The law ends before the value; the text says what it reaches."""


def _linear(value: float, reference: float) -> float:
    return value / reference


def _inverse(value: float, reference: float) -> float:
    return reference / value


def _constant(value: float, reference: float) -> float:
    return 1.0


def _saberi(column: int) -> Factor:
    def factor(bits: float, reference: float) -> float:
        if int(bits) not in SABERI_2011 or int(reference) not in SABERI_2011:
            raise _OutOfRangeError(f"{min(SABERI_2011)} to {max(SABERI_2011)} bits")
        return SABERI_2011[int(bits)][column] / SABERI_2011[int(reference)][column]

    return factor


def _only_itself(value: float, reference: float) -> float:
    raise _OutOfRangeError(f"{reference:g}")


_RATE = Law(_linear, _constant, "same energy an action (dynamic power is linear in the rate)")
_TIME = Law(_inverse, _constant, "same energy an action (dynamic power is linear in the rate)")
_WIDTH = Law(_linear, _linear, "assumption: linear in the width")
_SIZE = Law(_linear, _linear, "assumption: linear in the capacity")

LAWS: dict[tuple[str, str], Law] = {
    ("crossbar", "rows"): Law(_linear, _linear, "assumption: linear in the cells"),
    ("crossbar", "columns"): Law(_linear, _linear, "assumption: linear in the cells"),
    ("adc", "bits"): Law(_saberi(0), _saberi(1), "Saberi et al. 2011"),
    ("adc", "sample_rate_gsps"): _RATE,
    ("dac", "bits"): Law(_only_itself, _only_itself, "no law known"),
    ("dac", "read_ns"): _TIME,
    ("sample_hold", "read_ns"): _TIME,
    ("shift_add", "conversions_gsps"): _RATE,
    ("register", "bytes"): _SIZE,
    ("register", "vector_ns"): _TIME,
    ("edram", "kib"): _SIZE,
    ("edram", "banks"): _RATE,
    ("edram", "width_bits"): _RATE,
    ("edram", "clock_ghz"): _RATE,
    ("bus", "wires"): _WIDTH,
    ("bus", "clock_ghz"): _RATE,
    ("digital", "values_per_clock"): _WIDTH,
    ("digital", "clock_ghz"): _RATE,
    ("router", "flit_bits"): _WIDTH,
    ("router", "ports"): Law(_linear, _linear, "assumption: linear in the ports"),
    ("router", "clock_ghz"): _RATE,
    ("gpu_core", "multiprocessors"): Law(_linear, _linear, "assumption: equal shares of the device"),
    ("gpu_core", "clock_ghz"): _RATE,
    ("link", "gb_per_s"): _WIDTH,
}
