"""Line resistance by nodal analysis: Kirchhoff's current law at every node of a crossbar's wires.

The network is that of `pimsim.device.line_resistance`, written down resistor by resistor and solved by sparse LU
factorisation: slow, and with nothing in it that could be clever.  Nodes that a resistance of zero joins are one node.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_matrix, csc_matrix
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from pimsim.device.line_resistance import Lines, checked_conductances, checked_lines
from pimsim.errors import InputError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class NodalCurrents(NamedTuple):
    """Currents at both ends of the lines."""

    sources: Floats  #: (V, R) A, out of the sources
    sinks: Floats  #: (V, C) A, into the sinks


def nodal_currents(
    conductances: ArrayLike,
    volts: ArrayLike,
    *,
    wire_ohm: float | tuple[float, float],
    source_ohm: float = 0.0,
    sink_ohm: float = 0.0,
) -> Floats:
    """(V, C) A into the sinks, or (C,), for ``volts`` (V, R) or (R,) of the sources and cells (R, C) S.

    ``wire_ohm`` is of a segment between neighbouring cells, or (of wordlines, of bitlines).

    Raises InputError: a conductance or a resistance that is negative or not finite; shapes that do not match.
    """
    inputs = np.asarray(volts, float)
    solved = nodal_solution(conductances, np.atleast_2d(inputs), checked_lines(wire_ohm, source_ohm, sink_ohm))
    return solved.sinks if inputs.ndim == 2 else solved.sinks[0]


def nodal_solution(conductances: ArrayLike, volts: Floats, lines: Lines) -> NodalCurrents:
    """Currents of the sources and of the sinks for ``volts`` (V, R)."""
    cells = checked_conductances(conductances)
    if cells.ndim != 2 or volts.ndim != 2 or volts.shape[1] != cells.shape[0]:
        raise InputError(f"shape {volts.shape} for a crossbar of shape {cells.shape}", key="volts",
                         allowed="(inputs, wordlines) for one crossbar (wordlines, bitlines)")  # fmt: skip
    if not np.isfinite(volts).all():
        raise InputError("a voltage is not finite", key="volts")
    matrix, sources, sinks = _network(cells, lines)
    potential = np.zeros((matrix.shape[0], volts.shape[0]))  #: (nodes, V) volt
    potential[sources] = volts.T
    given = np.zeros(matrix.shape[0], bool)
    given[sources] = given[sinks] = True
    if not given.all():
        among = matrix[~given]
        factors = splu(csc_matrix(among[:, ~given]), permc_spec="MMD_AT_PLUS_A")
        potential[~given] = factors.solve(-(among[:, given] @ potential[given]))
    currents = matrix @ potential
    return NodalCurrents(currents[sources].T, -currents[sinks].T)


def _network(cells: Floats, lines: Lines) -> tuple[csc_matrix, Integers, Integers]:
    """Conductance matrix of all nodes [S], and the nodes whose voltages are given: sources (R,) and sinks (C,)."""
    rows, columns = cells.shape
    numbers = np.arange(2 * rows * columns + rows + columns)
    source, sink = numbers[-rows - columns : -columns], numbers[-columns:]
    wordline, bitline = numbers[: -rows - columns].reshape(2, rows, columns)
    wires = (
        (source, wordline[:, 0], lines.source),
        (wordline[:, :-1], wordline[:, 1:], lines.wordline),
        (bitline[:-1], bitline[1:], lines.bitline),
        (bitline[-1], sink, lines.sink),
    )
    node = _joined(numbers, [(a, b) for a, b, ohm in wires if ohm == 0])
    resistors = [(a, b, np.full(a.shape, 1 / ohm)) for a, b, ohm in wires if ohm > 0]
    resistors.append((wordline, bitline, cells))
    begin, end, siemens = (np.concatenate([np.ravel(each[i]) for each in resistors]) for i in range(3))
    begin, end = node[begin], node[end]
    size = int(node.max()) + 1
    entries = np.concatenate([siemens, siemens, -siemens, -siemens])
    at = np.concatenate([begin, end, begin, end]), np.concatenate([begin, end, end, begin])
    return coo_matrix((entries, at), shape=(size, size)).tocsc(), node[source], node[sink]


def _joined(nodes: Integers, joints: list[tuple[Integers, Integers]]) -> Integers:
    """New number of each of ``nodes``; those that are joined have one."""
    begin, end = (np.concatenate([nodes[:0], *(np.ravel(joint[i]) for joint in joints)]) for i in range(2))
    graph = coo_matrix((np.ones(begin.size), (begin, end)), shape=(nodes.size, nodes.size))
    return connected_components(graph, directed=False)[1].astype(np.int64)  # type: ignore[no-any-return]
