"""Finite volumes of a stack: nodes, conductances between them, heat capacities.

Nodes lie on the *faces* of slices, not in their middle, because heat is made on a face and leaves through one: then
one dimension is exact with any number of slices.  A slice conducts ``k A / dz`` between its two faces, and lends each
face half of its heat capacity and half of what it conducts along; this is second order in the thickness.  HotSpot lends
all of it to the far face, the hotter one, which is of first order: in its `ev6` example blocks rise 8 to 17 % less
above the air than here, and thinner slices show that they should not.  ``far_share`` 1 does the same, for comparison.

Over the die the grid is uniform.  Beside it, under layers wider than the die, cells grow outwards, by less on a finer
grid, so that the whole grid refines.  A layer's cells are those within its own width and depth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from pimsim.errors import InputError, shown
from pimsim.thermal.stack import Stack

MOST_CELLS = 512  #: along an axis of the die
MOST_NODES = 4_000_000
GROWTH = 16.0
"""Cells beside the die grow by 1 + GROWTH / cells (at most 3 times): 1.25 at 64 cells.  Chosen by measurement: at
64 x 64 cells the rise of the hottest cell is within 0.1 % of that on a grid which grows by a quarter of it."""


@dataclass(frozen=True)
class Axis:
    """Cells along x or y: ``cells`` over the die, others beside it."""

    edges: np.ndarray  #: (all cells + 1,) [m], 0 at the die's edge
    first: int  #: cell where the die begins
    cells: int  #: over the die

    @property
    def sizes(self) -> np.ndarray:
        """(all cells,) [m]."""
        return np.diff(self.edges)

    @property
    def middles(self) -> np.ndarray:
        """(all cells,) [m]."""
        return (self.edges[1:] + self.edges[:-1]) / 2

    @property
    def die(self) -> slice:
        """The cells over the die."""
        return slice(self.first, self.first + self.cells)

    def within(self, size: float) -> np.ndarray:
        """(all cells,) which lie in a layer of this width, centred on the die."""
        return abs(self.middles - (self.edges[0] + self.edges[-1]) / 2) < size / 2

    def stiffness(self) -> tuple[np.ndarray, np.ndarray]:
        """Conductances between neighbours, of unit thickness and conductivity, as a tridiagonal matrix.

        Returns:
            (all cells,) its diagonal, and (all cells - 1,) minus the entries beside it [1/m].
        """
        between = 1 / np.diff(self.middles)
        ends = np.concatenate([[0.0], between, [0.0]])
        return ends[1:] + ends[:-1], between


@dataclass(frozen=True)
class Planes:
    """What the slices on its two sides lend a plane of nodes, for each square metre: the stack without its edges."""

    along: np.ndarray  #: (planes,) thickness times conductivity along [W/K]
    across: np.ndarray  #: (planes - 1,) conductance to the next plane [W/(m2 K)]
    capacity: np.ndarray  #: (planes,) [J/(m2 K)]
    to_air: np.ndarray  #: (planes,) conductance to the air [W/(m2 K)]


@dataclass(frozen=True)
class Grid:
    """Finite volumes of a stack."""

    stack: Stack
    x: Axis
    y: Axis
    planes: Planes
    exists: np.ndarray  #: (planes, y cells, x cells) bool; nodes are numbered in this order
    tier_planes: np.ndarray  #: (tiers,) plane in which each tier's heat is made
    conductance: sparse.csr_array  #: (nodes, nodes) G [W/K], symmetric; G rise = power
    capacity: np.ndarray  #: (nodes,) C [J/K]
    to_sink_air: np.ndarray  #: (nodes,) conductance to the air at the sink [W/K]
    to_board_air: np.ndarray  #: (nodes,) and through the board [W/K]

    @property
    def nodes(self) -> int:
        """How many."""
        return len(self.capacity)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(tiers, y cells, x cells) of powers and temperatures of tiers."""
        return len(self.tier_planes), self.y.cells, self.x.cells

    def box(self, nodes: np.ndarray) -> np.ndarray:
        """(planes, y cells, x cells) of (nodes,), 0 where there is no node."""
        filled = np.zeros(self.exists.shape)
        filled[self.exists] = nodes
        return filled

    def of_tiers(self, nodes: np.ndarray) -> np.ndarray:
        """(tiers, y cells, x cells over the die) of (nodes,)."""
        return self.box(nodes)[self.tier_planes, self.y.die, self.x.die]

    def to_nodes(self, of_tiers: np.ndarray) -> np.ndarray:
        """(nodes,) of (tiers, y cells, x cells over the die), 0 elsewhere."""
        filled = np.zeros(self.exists.shape)
        filled[self.tier_planes, self.y.die, self.x.die] = of_tiers
        return filled[self.exists]


def build_grid(stack: Stack, x_cells: int, y_cells: int, far_share: float = 0.5) -> Grid:
    """Finite volumes of ``stack``, with so many cells over the die.

    Args:
        stack: what lies on what.
        x_cells, y_cells: over the die.
        far_share: of a slice's capacity and lateral conductance, what its face far from the sink gets.

    Raises:
        InputError: too few or too many cells.
    """
    if not 0 <= far_share <= 1:
        raise InputError(f"is {shown(far_share)}", key="far_share", allowed="0 to 1")
    for key, cells in (("x_cells", x_cells), ("y_cells", y_cells)):
        if isinstance(cells, bool) or not isinstance(cells, (int, np.integer)) or not 1 <= cells <= MOST_CELLS:
            raise InputError(f"is {shown(cells)}", key=key, allowed=f"a whole number from 1 to {MOST_CELLS}")
    sizes = [stack.size_of(layer) for layer in stack.layers]
    x = _axis(stack.width_m, [size[0] for size in sizes], int(x_cells))
    y = _axis(stack.depth_m, [size[1] for size in sizes], int(y_cells))
    slices = list(stack.slices())
    if (len(slices) + 1) * len(x.sizes) * len(y.sizes) > MOST_NODES:
        raise InputError("has too many nodes", key="x_cells", allowed=f"at most {MOST_NODES:,} nodes in all")
    masks = np.array([np.outer(y.within(stack.size_of(layer)[1]), x.within(stack.size_of(layer)[0]))
                      for layer, _ in slices])  # fmt: skip
    exists = np.concatenate([masks, masks[-1:]])
    exists[1:] |= masks
    first = np.cumsum([0] + [layer.slices for layer in stack.layers[:-1]])
    area = np.outer(y.sizes, x.sizes)
    sink = np.zeros(exists.shape)
    board = np.zeros(exists.shape)
    sink[-1], board[0] = masks[-1] * area, masks[0] * area
    sink, board = sink[exists] / sink.sum(), board[exists] / board.sum()
    held = np.array([layer.heat_capacity * thickness for layer, thickness in slices])
    capacity = _lent(held[:, None, None] * masks * area, far_share)
    to_sink_air, to_board_air = sink / stack.convection_resistance, board / stack.board_resistance
    return Grid(
        stack, x, y, _planes(stack, far_share), exists, first[[layer.tier for layer in stack.layers]],
        _conductance(slices, masks, exists, x, y, to_sink_air + to_board_air, far_share),
        capacity[exists] + sink * stack.convection_capacity + board * stack.board_capacity,
        to_sink_air, to_board_air,
    )  # fmt: skip


def _axis(die: float, sizes: list[float], cells: int) -> Axis:
    """Uniform over the die, growing beside it, with an edge at the end of every layer."""
    growth = 1 + min(2.0, GROWTH / cells)
    size, beside, reached = die / cells, [0.0], 0.0
    for overhang in np.unique(np.round([(size - die) / 2 for size in sizes], 9)):
        if overhang <= reached:
            continue
        steps = [size * growth]
        while sum(steps) < overhang - reached:
            steps.append(steps[-1] * growth)
        steps = [step * (overhang - reached) / sum(steps) for step in steps]
        beside += list(reached + np.cumsum(steps))
        size, reached = steps[-1], overhang
    outside = np.array(beside[1:])
    edges = np.concatenate([-outside[::-1], np.linspace(0, die, cells + 1), die + outside])
    return Axis(edges, len(outside), cells)


def _lent(of_slices: np.ndarray, far_share: float) -> np.ndarray:
    """(planes, ...) sums of what (slices, ...) lend their two faces."""
    planes = np.zeros((len(of_slices) + 1, *of_slices.shape[1:]))
    planes[:-1] += far_share * of_slices
    planes[1:] += (1 - far_share) * of_slices
    return planes


def _planes(stack: Stack, far_share: float) -> Planes:
    slices = list(stack.slices())
    along = _lent(np.array([layer.along * thickness for layer, thickness in slices]), far_share)
    capacity = _lent(np.array([layer.heat_capacity * thickness for layer, thickness in slices]), far_share)
    to_air = np.zeros(len(slices) + 1)
    for plane, layer, resistance, held in (
        (-1, stack.layers[-1], stack.convection_resistance, stack.convection_capacity),
        (0, stack.layers[0], stack.board_resistance, stack.board_capacity),
    ):
        area = float(np.prod(stack.size_of(layer)))
        to_air[plane] += 1 / (resistance * area)
        capacity[plane] += held / area
    across = np.array([layer.conductivity / thickness for layer, thickness in slices])
    return Planes(along, across, capacity, to_air)


def _conductance(
    slices: list, masks: np.ndarray, exists: np.ndarray, x: Axis, y: Axis, to_air: np.ndarray, far_share: float
) -> sparse.csr_array:
    """G of all nodes: each conductance between two nodes, and to the air."""
    number = np.full(exists.shape, -1)
    number[exists] = np.arange(exists.sum())
    across = np.array([layer.conductivity / thickness for layer, thickness in slices])
    along = np.array([layer.along * thickness for layer, thickness in slices])[:, None, None]
    in_x = along * (masks[:, :, 1:] & masks[:, :, :-1]) * np.outer(y.sizes, 1 / np.diff(x.middles))
    in_y = along * (masks[:, 1:] & masks[:, :-1]) * np.outer(1 / np.diff(y.middles), x.sizes)
    pairs = [(number[:-1], number[1:], across[:, None, None] * masks * np.outer(y.sizes, x.sizes))]
    for at, share in ((number[:-1], far_share), (number[1:], 1 - far_share)):
        pairs += [(at[:, :, :-1], at[:, :, 1:], share * in_x), (at[:, :-1], at[:, 1:], share * in_y)]
    one, other, value = (np.concatenate([pair[part][pair[2] > 0] for pair in pairs]) for part in range(3))
    nodes = len(to_air)
    diagonal = np.bincount(one, value, nodes) + np.bincount(other, value, nodes) + to_air
    every = np.arange(nodes)
    rows, columns = np.concatenate([one, other, every]), np.concatenate([other, one, every])
    return sparse.coo_array((np.concatenate([-value, -value, diagonal]), (rows, columns)), (nodes, nodes)).tocsr()
