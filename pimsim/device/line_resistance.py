"""Line resistance (IR drop): what the wires of a crossbar make of its cell conductances.

Wordline i is driven at its left end, V_i behind ``source_ohm``; neighbouring cells are ``wire_ohm`` apart on both
lines; bitline j ends at the bottom, behind ``sink_ohm``, in a virtual ground (S+H or ADC).  Cell G[i, j] joins node
(i, j) of wordline i to node (i, j) of bitline j: the network of PytorX (He et al., Noise Injection Adaption, DAC 2019),
whose figures are 28 ohm of a wire and 4 ohm of a load.  For given cells it is linear and without inner sources.  So
whatever its wires do to whatever inputs is one matrix of effective conductances, I = V @ G_eff; it is found once for a
programmed crossbar and then used as any other conductances.

``exact`` eliminates columns from the far end (block tridiagonal elimination): 30 ms of CPU for 128x128, 3.4 ms for
64x64, growing as the longer side times the cube of the shorter one; `pimsim.reference.line_resistance` takes 2.4 s and
0.4 s.  ``fast`` takes 0.7 to 2.3 ms and 0.2 to 0.5 ms: closed forms along single lines, one solution with all wordlines
driven, and an estimate of the currents that sneak through other lines.
It is off by parts of the crossbar's largest conductance, with cells of 2 kohm and more, sources and sinks of up to 100
ohm, for cells that are random, sparse, in blocks or all alike:

    128x128, wires of up to 1 ohm     every G_eff within 1 %, mean 0.2 %
    128x128, wires of up to 30 ohm    every G_eff within 5 %, mean 0.5 %
    8x8, wires of up to 30 ohm        every G_eff within 1 %

With all wordlines driven equally, the current of every bitline is right to 1e-4.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pimsim.device.line_kernels import (
    by_bitlines,
    by_wordlines,
    eliminated,
    fractions_of,
    in_series,
    product,
    raised,
    uniform_currents,
)
from pimsim.errors import InputError, shown

Floats = NDArray[np.float64]
Form = Literal["exact", "fast"]
OffCurrent = Literal["subtracted", "kept"]
FITTINGS = 2  #: of the sneak currents to their sums


class Lines(NamedTuple):
    """Resistances of the lines of one crossbar [ohm]."""

    wordline: float  #: between neighbouring cells of a wordline
    bitline: float  #: between neighbouring cells of a bitline
    source: float  #: from the voltage of a wordline to its first cell
    sink: float  #: from the last cell of a bitline to its virtual ground


def effective_conductance(
    conductances: ArrayLike,
    *,
    wire_ohm: float | tuple[float, float],
    source_ohm: float = 0.0,
    sink_ohm: float = 0.0,
    form: Form = "exact",
) -> Floats:
    """(..., R, C) S: the current in each sink for one volt on each wordline, the others driven to zero volt.

    ``conductances`` (..., R, C) S are those of all cells of each crossbar, unused rows and columns included: their
    wires are there.  ``wire_ohm`` is of a segment, or (of wordlines, of bitlines).

    Raises InputError: a conductance or a resistance that is negative or not finite; no row or no column.
    """
    cells = checked_conductances(conductances)
    lines = checked_lines(wire_ohm, source_ohm, sink_ohm)
    if form not in get_args(Form):
        raise InputError(f"no form {shown(form)} of the line resistance", key="form", allowed=get_args(Form))
    rows, columns = cells.shape[-2:]
    effective = np.empty_like(cells)
    solve = _exact if form == "exact" else _fast
    stack = cells.reshape(-1, rows, columns)
    for crossbar, out in zip(stack, effective.reshape(stack.shape), strict=True):
        out[:] = solve(crossbar, lines)
    return effective


def effective_levels(
    levels: ArrayLike,
    g_min: float,
    g_step: float,
    *,
    off_current: OffCurrent = "subtracted",
    wire_ohm: float | tuple[float, float],
    source_ohm: float = 0.0,
    sink_ohm: float = 0.0,
    form: Form = "exact",
) -> Floats:
    """(..., R, C) levels that cells seem to have, for the ``levels`` (..., R, C) that they have; no whole numbers.

    A cell has g_min + g_step * level [S].  ``kept``: the current of g_min stays in the sums, so that without line
    resistance a level seems g_min / g_step higher.  ``subtracted``: a dummy column of cells at g_min takes its current
    from that of every bitline.  It is one more bitline, behind the last one, with the same wires and sink: it loads the
    wordlines and sees their whole length.  Where the nominal current is subtracted instead (digitally, from the sum of
    the inputs), use :func:`effective_conductance`, less g_min.

    Raises InputError: as :func:`effective_conductance`; a ``g_step`` that is not positive.
    """
    if not 0 < g_step < math.inf:
        raise InputError(f"{shown(g_step)} is no step", key="g_step", allowed="a positive, finite conductance")
    if off_current not in get_args(OffCurrent):
        raise InputError(f"{shown(off_current)}", key="off_current", allowed=get_args(OffCurrent))
    cells = g_min + g_step * _numbers(levels, "levels")
    if off_current == "subtracted" and cells.ndim >= 2:
        cells = np.concatenate([cells, np.full_like(cells[..., :1], g_min)], axis=-1)
    seen = effective_conductance(cells, wire_ohm=wire_ohm, source_ohm=source_ohm, sink_ohm=sink_ohm, form=form)
    return (seen[..., :-1] - seen[..., -1:] if off_current == "subtracted" else seen) / g_step


def checked_conductances(conductances: ArrayLike) -> Floats:
    """(..., R, C) S as contiguous floats; raises InputError where one is negative or not finite."""
    cells = _numbers(conductances, "conductances")
    if cells.ndim < 2 or 0 in cells.shape[-2:]:
        raise InputError(f"shape {cells.shape} has no wordlines and bitlines", key="conductances",
                         allowed="(..., wordlines, bitlines)")  # fmt: skip
    wrong = ~((cells >= 0) & (cells < math.inf))
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise InputError(f"cell {at} has {cells[at]} S", key="conductances", allowed="finite, not negative")
    return cells


def _numbers(values: ArrayLike, key: str) -> Floats:
    try:
        return np.ascontiguousarray(values, float)
    except (TypeError, ValueError):
        raise InputError("not an array of numbers", key=key) from None


def checked_lines(wire_ohm: float | tuple[float, float], source_ohm: float, sink_ohm: float) -> Lines:
    """The resistances; raises InputError where one is negative or not finite."""
    wires = wire_ohm if isinstance(wire_ohm, tuple | list) else (wire_ohm, wire_ohm)
    if len(wires) != 2:
        raise InputError(f"{len(wires)} values", key="wire_ohm", allowed="one, or (of wordlines, of bitlines)")
    for key, ohm in (*(("wire_ohm", ohm) for ohm in wires), ("source_ohm", source_ohm), ("sink_ohm", sink_ohm)):
        if not isinstance(ohm, int | float | np.number) or isinstance(ohm, bool) or not 0 <= ohm < math.inf:
            raise InputError(f"{shown(ohm)} is no resistance", key=key, allowed="a finite number of ohms, not negative")
    return Lines(float(wires[0]), float(wires[1]), float(source_ohm), float(sink_ohm))


def _exact(cells: Floats, lines: Lines) -> Floats:
    """(R, C) S of one crossbar."""
    if cells.shape[0] <= cells.shape[1]:  # the matrices of the elimination are as wide as there are wordlines
        return eliminated(cells, *lines)  # type: ignore[no-any-return]
    turned = Lines(lines.bitline, lines.wordline, lines.sink, lines.source)
    return _reversed(eliminated(_reversed(cells), *turned))


def _reversed(crossbar: Floats) -> Floats:
    """(C, R) from (R, C): driven at its sinks and read at its sources, a network of resistors has the same matrix."""
    return np.ascontiguousarray(crossbar[::-1, ::-1].T)


def _fast(cells: Floats, lines: Lines) -> Floats:
    """(R, C) S of one crossbar: the direct way of the currents exactly, the ways round about it in good part.

    Direct: bitline j alone is not at zero volt, which separates the wordlines; closed form.  What is missing are
    currents that sneak from wordline i over another bitline k and a wordline to bitline j.  Their sums over each
    wordline and over each bitline are known from one solution of the whole network, with one volt on all wordlines
    (with one volt on all sinks instead, every voltage is one volt less that).  Between i and j they are spread as the
    products of the conductances on their way, scaled to these sums (iterative proportional fitting).
    """
    along_wordlines = by_wordlines(cells)
    driven = raised(fractions_of(along_wordlines, lines.wordline, lines.source))
    series = by_bitlines(in_series(along_wordlines, lines.wordline, lines.source))
    passed = raised(fractions_of(series, lines.bitline, lines.sink))
    direct: Floats = cells * by_bitlines(driven) * passed
    currents, converged = uniform_currents(cells, driven, direct.sum(), *lines)
    if not converged:
        return _exact(cells, lines)
    missing = currents - direct
    of_wordlines, of_bitlines = (np.maximum(missing.sum(axis), 0) for axis in (1, 0))
    onto_own_bitline = direct * (cells * direct).sum(0)  # k = j is no way round about
    sneaking = np.maximum(product(product(direct, cells.T.copy()), direct) - onto_own_bitline, 0)
    for _ in range(FITTINGS):
        sneaking *= _ratio(of_wordlines, sneaking.sum(1))[:, None]
        sneaking *= _ratio(of_bitlines, sneaking.sum(0))
    return direct + sneaking


def _ratio(wanted: Floats, found: Floats) -> Floats:
    """Nothing can be scaled to what is wanted where nothing was found."""
    return np.divide(wanted, found, out=np.zeros_like(wanted), where=found > 0)
