"""Materials of a stack and of its package.

Figures are those of HotSpot (github.com/uvahotspot/HotSpot, commit f18831e: `template.config`, `example.materials`)
where nothing else is said.  Trust: copper is good to 3 %.  Silicon conducts about 148 W/mK at 300 K and
100 at 400 K in textbooks [recalled], so 130 is a value for about 330 K, and hot spots are hotter than constant
conductivity says.  The interface material's 4 W/mK is that of a good paste; polymers that bond tiers conduct 0.2 to
0.3 W/mK [recalled], so real far tiers are warmer than the default says.
"""

from __future__ import annotations

from dataclasses import dataclass

from pimsim.errors import InputError, shown


@dataclass(frozen=True)
class Material:
    """What heat sees of a material."""

    conductivity: float  #: [W/(m K)]
    heat_capacity: float  #: of a volume [J/(m3 K)]


SILICON = Material(130.0, 1.6303e6)
INTERFACE = Material(4.0, 4.0e6)  #: thermal interface material (TIM)
COPPER = Material(400.0, 3.55e6)


def with_vias(matrix: Material, vias: Material, fraction: float) -> tuple[Material, float]:
    """A layer crossed by upright vias: (material across the layer, conductivity along it [W/(m K)]).

    Across, vias and matrix conduct side by side, which is exact where the faces are at one temperature each:
    ``k = f k_via + (1 - f) k_matrix``; heat capacities add alike.  Along, round vias stand in the way of the heat as in
    Maxwell's (Rayleigh's) mixture of cylinders, good where they fill less than about half:
    ``k = k_m ((k_v + k_m) + f (k_v - k_m)) / ((k_v + k_m) - f (k_v - k_m))`` [textbook, recalled].  The liners of the
    vias, which conduct badly, are left out: the mixture conducts better than a real one along the layer.

    Args:
        fraction: f, share of the area that is via.

    Raises:
        InputError: the share is not within 0 and 1.
    """
    if not 0 <= fraction <= 1:
        raise InputError(f"is {shown(fraction)}", key="tsv_fraction", allowed="0 to 1")
    across = fraction * vias.conductivity + (1 - fraction) * matrix.conductivity
    capacity = fraction * vias.heat_capacity + (1 - fraction) * matrix.heat_capacity
    both, excess = vias.conductivity + matrix.conductivity, fraction * (vias.conductivity - matrix.conductivity)
    along = matrix.conductivity * (both + excess) / (both - excess)
    return Material(across, capacity), along
