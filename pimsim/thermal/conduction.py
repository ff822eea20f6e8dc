"""Temperatures of a grid: conjugate gradients, preconditioned by the stack without its edges.

Were every layer as wide as the widest, the equations would separate: eigenvectors of the axes would turn them into
one small tridiagonal system, from plane to plane, for each pair of eigenvalues (the fast diagonalisation method of
Lynch, Rice and Thomas, Numerische Mathematik 6, 1964).  That solution is the preconditioner.  Where all layers *are*
that wide it is the answer; otherwise some ten to twenty iterations are left, whatever the number of cells or the
length of a time step.  A sparse factorisation needs 50 to 100 times as long for one steady state, and again for every
new time step; it is left for stacks so unlike one of equal layers that the iterations do not end, such as a small die
between wide plates.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import splu

from pimsim.errors import InputError, shown
from pimsim.thermal.grid import Axis, Grid, build_grid
from pimsim.thermal.stack import Stack

TOLERANCE = 1e-10  #: residual, relative to the heat put in
ACCEPTED = 1e-6  #: residual at which a solution is refused
MOST_ITERATIONS = 200
MOST_FACTORISED = 150_000  #: nodes: factors of more take gigabytes
ONE_THREAD = 1 << 18  #: multiplications up to which OpenBLAS takes one thread for a product of matrices


class Conduction:
    """A stack's grid and the solver of its equations.

    Args:
        stack: what lies on what.
        x_cells, y_cells: over the die.
        far_share: 0.5, of second order; 1: HotSpot's scheme, see :mod:`pimsim.thermal.grid`.

    Raises:
        InputError: too few or too many cells.
    """

    def __init__(self, stack: Stack, x_cells: int = 64, y_cells: int = 64, *, far_share: float = 0.5) -> None:
        self.grid: Grid = build_grid(stack, x_cells, y_cells, far_share)
        self.iterations = 0  #: of the latest solution
        self._x_values, self._x_vectors = _modes(self.grid.x)
        self._y_values, self._y_vectors = _modes(self.grid.y)
        self._separated: dict[float, _Tridiagonal] = {}
        self._factors: dict[float, Callable[[np.ndarray], np.ndarray]] = {}

    def nodes_of(self, power_w: np.ndarray) -> np.ndarray:
        """(nodes,) heat [W] of (tiers, y cells, x cells) power, checked.

        Raises:
            InputError: another shape, or a power that is negative or not a number.
        """
        power_w = np.asarray(power_w, dtype=float)
        if power_w.shape != self.grid.shape:
            wanted = " x ".join(map(str, self.grid.shape))
            raise InputError(f"has shape {shown(power_w.shape)}", key="power_w", allowed=f"{wanted} (tiers, y, x)")
        if not np.all(np.isfinite(power_w)) or np.any(power_w < 0):
            raise InputError("has a cell that is negative or no number", key="power_w", allowed="0 W or more")
        return self.grid.to_nodes(power_w)

    def solve(self, heat: np.ndarray, *, per_second: float = 0.0, guess: np.ndarray | None = None) -> np.ndarray:
        """Rise above the air [K], (nodes,): (G + per_second C) rise = heat.

        Args:
            heat: (nodes,) right-hand side [W].
            per_second: 0 for the steady state, the reciprocal of a time step [1/s] for an implicit one.
            guess: (nodes,) to begin with.

        Raises:
            InputError: no convergence.
        """
        self.iterations = 0
        scale = math.sqrt(_inner(heat, heat))
        if scale == 0:
            return np.zeros(self.grid.nodes)
        matrix = self.grid.conductance
        if per_second:
            matrix = matrix + sparse.diags_array(per_second * self.grid.capacity)
        rise = self._iterate(matrix, heat, per_second, np.zeros(self.grid.nodes) if guess is None else guess.copy())
        left = heat - matrix @ rise
        if not math.sqrt(_inner(left, left)) <= 10 * TOLERANCE * scale and self.grid.nodes <= MOST_FACTORISED:
            rise = self._factorised(matrix, per_second)(heat)
            left = heat - matrix @ rise
        self._check(math.sqrt(_inner(left, left)) / scale)
        return rise

    def _iterate(
        self, matrix: sparse.csr_array, heat: np.ndarray, per_second: float, rise: np.ndarray
    ) -> np.ndarray:
        """Conjugate gradients from ``rise``, which is used up, until the residual is small or gets no smaller."""
        residual = heat - matrix @ rise
        direction, before = np.zeros(self.grid.nodes), 1.0
        goal = TOLERANCE**2 * _inner(heat, heat)
        while _inner(residual, residual) > goal and self.iterations < MOST_ITERATIONS:
            corrected = self._precondition(residual, per_second)
            now = _inner(residual, corrected)
            direction = corrected + (now / before) * direction if self.iterations else corrected
            image = matrix @ direction
            curvature = _inner(direction, image)
            if not (now > 0 and curvature > 0):
                break  # rounding has the better of a system with hardly a way out
            rise += now / curvature * direction
            residual -= now / curvature * image
            before = now
            self.iterations += 1
        return rise

    def _factorised(self, matrix: sparse.csr_array, per_second: float) -> Callable[[np.ndarray], np.ndarray]:
        if per_second not in self._factors:
            try:
                factors = splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0,
                               options={"SymmetricMode": True})  # fmt: skip
            except RuntimeError as error:
                raise InputError("the heat has no way out that numbers can tell from none", key="thermal") from error
            self._factors = {per_second: factors.solve}  # one kept
        return self._factors[per_second]

    def _check(self, residual: float) -> None:
        if not residual <= ACCEPTED:
            words = f"the temperatures did not converge: residual {residual:.1e} after {self.iterations} iterations"
            raise InputError(words, key="thermal", allowed=f"{ACCEPTED:g}; are lengths and conductivities as meant?")

    def _precondition(self, residual: np.ndarray, per_second: float) -> np.ndarray:
        """(nodes,) solution for the stack without edges."""
        if per_second not in self._separated:
            self._separated = {per_second: self._tridiagonal(per_second)}  # one kept: steps of one length repeat
        modes = _along_last(_along_last(self.grid.box(residual), self._x_vectors), self._y_vectors)
        solved = self._separated[per_second].solve(modes)  # (planes, y modes, x modes)
        return _along_last(_along_last(solved, self._x_vectors.T), self._y_vectors.T)[self.grid.exists]

    def _tridiagonal(self, per_second: float) -> _Tridiagonal:
        planes = self.grid.planes
        across = np.concatenate([[0.0], planes.across, [0.0]])
        own = across[1:] + across[:-1] + planes.to_air + per_second * planes.capacity
        lateral = self._y_values[:, None] + self._x_values
        return _Tridiagonal(own[:, None, None] + planes.along[:, None, None] * lateral, planes.across)


class _Tridiagonal:
    """Symmetric tridiagonal systems along the first axis, one for each of the other axes, factorised once."""

    def __init__(self, diagonal: np.ndarray, off: np.ndarray) -> None:
        self._off = off  # (n - 1,) minus the entries beside the diagonal
        self._pivot = diagonal.copy()  # (n, ...)
        for row in range(1, len(diagonal)):
            self._pivot[row] -= off[row - 1] ** 2 / self._pivot[row - 1]

    def solve(self, right: np.ndarray) -> np.ndarray:
        """(n, ...) solution; ``right`` is used up."""
        for row in range(1, len(right)):
            right[row] += self._off[row - 1] * right[row - 1] / self._pivot[row - 1]
        right[-1] /= self._pivot[-1]
        for row in range(len(right) - 2, -1, -1):
            right[row] = (right[row] + self._off[row] * right[row + 1]) / self._pivot[row]
        return right


def _along_last(values: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(a, n, b) of (a, b, c) values times a (c, n) matrix: applied twice, both axes are done and in order again.

    A few rows at a time, which is as fast for one thread, and too little for the library to wake others: they would
    cost more than they save, and sums would depend on how many there are.
    """
    planes, rows, columns = values.shape
    flat = values.reshape(-1, columns)
    product = np.empty((len(flat), matrix.shape[1]))
    some = max(1, ONE_THREAD // matrix.size)
    for first in range(0, len(flat), some):
        np.matmul(flat[first : first + some], matrix, out=product[first : first + some])
    return product.reshape(planes, rows, -1).swapaxes(1, 2)


def _inner(one: np.ndarray, other: np.ndarray) -> float:
    """Sum of products, by one thread."""
    return float(np.einsum("i,i->", one, other))


def _modes(axis: Axis) -> tuple[np.ndarray, np.ndarray]:
    """Values v, and vectors w in columns, of stiffness w = v sizes w, with w' sizes w = 1."""
    root = np.sqrt(axis.sizes)
    diagonal, off = axis.stiffness()
    values, vectors = linalg.eigh_tridiagonal(diagonal / axis.sizes, -off / (root[1:] * root[:-1]))
    return np.maximum(values, 0.0), vectors / root[:, None]
