"""What lies on what: tiers, bonding layers and package, from the side far from the heat sink to the sink.

The edges of every layer keep their heat; it leaves through the outer face of the last layer, to the air, and through
that of the first where a path to the board is given.  A layer wider than the die lies centred on it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from pimsim.errors import InputError, shown
from pimsim.thermal.materials import COPPER, INTERFACE, SILICON, with_vias

AMBIENT_K = 318.15  #: 45 degrees Celsius, air inside a case (HotSpot f18831e, template.config)
CONVECTION_RESISTANCE = 1.042
"""Sink to air [K/W] (HotSpot f18831e, template.config).  Five of HotSpot's six examples, of 40 to 110 W, take 0.1; the
template's value heats a chip of 100 W by 104 K at the sink alone.  Whoever models a powerful chip must choose."""
CONVECTION_CAPACITY = 140.4  #: of the sink's fins and the air at them [J/K] (HotSpot f18831e, template.config)
TIER_M, BOND_M = 150e-6, 20e-6  #: silicon, interface material (HotSpot f18831e, template.config, examples/example3)
SPREADER_SIDE_M, SPREADER_M = 0.03, 1e-3  #: (HotSpot f18831e, template.config)
SINK_SIDE_M, SINK_M = 0.06, 6.9e-3  #: base plate (HotSpot f18831e, template.config)
SPREADER_SLICES, SINK_SLICES = 4, 6
"""They are thick beside a die: with one slice each the rise of the hottest cell of HotSpot's `ev6` floorplan is 2 to
5 % low, with these 0.7 % at most (dies of 5 and 16 mm, 1 and 4 tiers, beside 8 and 12 slices)."""

MOST_SLICES = 256


@dataclass(frozen=True)
class Layer:
    """One material from edge to edge."""

    name: str
    thickness_m: float
    conductivity: float  #: across the layer [W/(m K)]
    heat_capacity: float  #: of a volume [J/(m3 K)]
    tier: bool = False  #: carries power, made on the face far from the sink, where transistors are
    lateral_conductivity: float | None = None  #: along the layer [W/(m K)]; None: as across
    width_m: float | None = None  #: along x; None: as the die
    depth_m: float | None = None  #: along y; None: as the die
    slices: int = 1  #: finite volumes that share the thickness

    @property
    def along(self) -> float:
        """Conductivity along the layer [W/(m K)]."""
        return self.conductivity if self.lateral_conductivity is None else self.lateral_conductivity


@dataclass(frozen=True)
class Stack:
    """Layers from far to near the heat sink, and the air around.

    Raises:
        InputError: a length, conductivity, capacity or resistance that cannot be; no tier; no way out for the heat.
    """

    layers: tuple[Layer, ...]
    width_m: float  #: of the die, along x
    depth_m: float  #: of the die, along y
    convection_resistance: float = CONVECTION_RESISTANCE  #: outer face of the last layer to the air [K/W]
    convection_capacity: float = CONVECTION_CAPACITY  #: at that face [J/K]
    ambient_k: float = AMBIENT_K
    board_resistance: float = math.inf  #: outer face of the first layer to the air, through the board [K/W]
    board_capacity: float = 0.0  #: at that face [J/K]

    def __post_init__(self) -> None:
        for key in ("width_m", "depth_m", "ambient_k"):
            _positive(getattr(self, key), key)
        for key in ("convection_resistance", "board_resistance"):
            _positive(getattr(self, key), key, infinite=True)
        for key in ("convection_capacity", "board_capacity"):
            _positive(getattr(self, key), key, zero=True)
        for place, layer in enumerate(self.layers):
            _check_layer(layer, f"layers[{place}] ({shown(layer.name)})", self.width_m, self.depth_m)
        if not any(layer.tier for layer in self.layers):
            raise InputError("no layer carries power", key="layers", allowed="at least one with `tier`")
        if sum(layer.slices for layer in self.layers) > MOST_SLICES:
            raise InputError("has too many slices", key="layers", allowed=f"at most {MOST_SLICES} in all")
        if math.isinf(self.convection_resistance) and math.isinf(self.board_resistance):
            words = "the tiers have no heat path: no convection at the sink and none at the board"
            raise InputError(words, key="convection_resistance", allowed="a finite resistance [K/W] at one of them")

    @property
    def tiers(self) -> tuple[Layer, ...]:
        """The layers that carry power, from far to near the sink."""
        return tuple(layer for layer in self.layers if layer.tier)

    @property
    def area_m2(self) -> float:
        """Of the die."""
        return self.width_m * self.depth_m

    def slices(self) -> Iterator[tuple[Layer, float]]:
        """(layer, thickness [m]) of every slice, from far to near the sink."""
        for layer in self.layers:
            yield from ((layer, layer.thickness_m / layer.slices) for _ in range(layer.slices))

    def size_of(self, layer: Layer) -> tuple[float, float]:
        """(width, depth) [m]."""
        return layer.width_m or self.width_m, layer.depth_m or self.depth_m


def stack_for_tiers(
    count: int,
    width_m: float,
    depth_m: float,
    *,
    tier_m: float = TIER_M,
    bond_m: float = BOND_M,
    tsv_fraction: float = 0.0,
    spreader_side_m: float = SPREADER_SIDE_M,
    sink_side_m: float = SINK_SIDE_M,
    convection_resistance: float = CONVECTION_RESISTANCE,
    convection_capacity: float = CONVECTION_CAPACITY,
    ambient_k: float = AMBIENT_K,
    board_resistance: float = math.inf,
    board_capacity: float = 0.0,
) -> Stack:
    """Silicon tiers, each on a layer of interface material, then a copper spreader and a copper sink.

    The order is that of HotSpot's 3D example: tier 0 is the farthest from the sink, and the last bonding layer joins
    the last tier to the spreader.  Die and package are HotSpot's defaults unless others are given.

    Args:
        count: tiers.
        width_m, depth_m: of the die.
        tier_m, bond_m: thickness of a tier's silicon, and of the material below each.
        tsv_fraction: share of the die's area that is copper via, in the bonding layers between tiers (not in the last
            one, to the spreader), by :func:`~pimsim.thermal.materials.with_vias`.
        spreader_side_m, sink_side_m: they are squares; at least as large as the die.

    Raises:
        InputError: something given cannot be.
    """
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_SLICES // 4:
        raise InputError(f"is {shown(count)}", key="tiers", allowed=f"a whole number from 1 to {MOST_SLICES // 4}")
    bond, along = with_vias(INTERFACE, COPPER, tsv_fraction)
    layers: list[Layer] = []
    for tier in range(count):
        layers.append(Layer(f"tier {tier}", tier_m, SILICON.conductivity, SILICON.heat_capacity, tier=True))
        if tier < count - 1:
            layers.append(Layer(f"bond {tier}", bond_m, bond.conductivity, bond.heat_capacity,
                                lateral_conductivity=along))  # fmt: skip
    layers.append(Layer("interface", bond_m, INTERFACE.conductivity, INTERFACE.heat_capacity))
    for name, thickness, side, slices in (
        ("spreader", SPREADER_M, spreader_side_m, SPREADER_SLICES),
        ("sink", SINK_M, sink_side_m, SINK_SLICES),
    ):
        layers.append(Layer(name, thickness, COPPER.conductivity, COPPER.heat_capacity, width_m=side, depth_m=side,
                            slices=slices))  # fmt: skip
    return Stack(
        tuple(layers), width_m, depth_m, convection_resistance=convection_resistance,
        convection_capacity=convection_capacity, ambient_k=ambient_k, board_resistance=board_resistance,
        board_capacity=board_capacity,
    )  # fmt: skip


def _check_layer(layer: Layer, key: str, width_m: float, depth_m: float) -> None:
    for name in ("thickness_m", "conductivity", "heat_capacity"):
        _positive(getattr(layer, name), f"{key}.{name}")
    if layer.lateral_conductivity is not None:
        _positive(layer.lateral_conductivity, f"{key}.lateral_conductivity")
    if isinstance(layer.slices, bool) or not isinstance(layer.slices, int) or layer.slices < 1:
        raise InputError(f"is {shown(layer.slices)}", key=f"{key}.slices", allowed="a whole number, at least 1")
    for name, size, die in (("width_m", layer.width_m, width_m), ("depth_m", layer.depth_m, depth_m)):
        if size is None:
            continue
        _positive(size, f"{key}.{name}")
        if size < die * (1 - 1e-12):
            raise InputError(f"is {size:g} m, less than the die's {die:g} m", key=f"{key}.{name}")
        if layer.tier and size > die * (1 + 1e-12):
            raise InputError("a tier is as large as the die", key=f"{key}.{name}")


def _positive(value: float, key: str, *, zero: bool = False, infinite: bool = False) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value)
    if not number or value < 0 or (value == 0 and not zero) or (math.isinf(value) and not infinite):
        allowed = "a finite number of at least 0" if zero else "more than 0" if infinite else "a finite number over 0"
        raise InputError(f"is {shown(value)}", key=key, allowed=allowed)
