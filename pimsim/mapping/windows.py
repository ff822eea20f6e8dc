"""Windows to replicas, and what each replica must be sent.

A replica works through its windows in raster order.  What it needs of one input is its *need list*:
the input positions, also in raster order; the index in that list is a position's *rank*.  The replica's
buffer for that input is filled and freed in order of rank, so a place belongs to one position and no
two producers ever compete for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from pimsim.workload.dataflow import Edge

ROWS_AT_ONCE_COST = 3.0
"""Weight of the share of rows that are in work at once, against imbalance and copies: rows wait in buffers for
each other.  Found by trying VGG-16 and ResNet-18 on isaac-ce-16; the optimum is flat."""


def columns_of_bands(grid: tuple[int, int], replicas: int, policy: str) -> np.ndarray:
    """(bands + 1,) first column of each band into which the rows of windows are cut.

    The bands of all rows, one after another, are dealt to the replicas in turn.  Rows are cut alike, so that
    whatever lies one below the other is in work at the same time: with other cuts a replica would wait for
    nearly all windows of its neighbour.  ``interleaved``: bands of one column.  ``strips``: a compromise
    between balance, copies of inputs to several replicas, and rows in work at once.
    """
    rows, columns = grid
    if policy == "interleaved":
        return np.arange(columns + 1)

    def cost(bands: int) -> tuple[float, int]:
        width = columns / bands
        busiest = -(-bands * rows // replicas) * -(-columns // bands)
        imbalance = busiest * replicas / (rows * columns)
        copies = 1 / width  # n windows of a 3x3 kernel need n + 2 columns
        rows_at_once = min(1.0, -(-replicas // bands) / rows)
        return imbalance + copies + ROWS_AT_ONCE_COST * rows_at_once, bands

    bands = min((n for n in range(1, columns + 1) if n * rows >= replicas), key=cost)
    return np.arange(bands + 1) * columns // bands


def deal_windows(grid: tuple[int, int], replicas: int, policy: str) -> tuple[np.ndarray, np.ndarray]:
    """(replicas + 1,) first window of each replica, and (windows,) the windows, replica after replica."""
    rows, columns = grid
    cuts = columns_of_bands(grid, replicas, policy)
    band = np.repeat(np.arange(cuts.size - 1), np.diff(cuts))
    owner = ((np.arange(rows)[:, None] * (cuts.size - 1) + band) % replicas).ravel()
    order = np.argsort(owner, kind="stable")
    first = np.zeros(replicas + 1, dtype=np.int64)
    np.cumsum(np.bincount(owner, minlength=replicas), out=first[1:])
    return first, order.astype(np.int64)


@dataclass(frozen=True)
class Needs:
    """What the replicas of a node need through one edge; (n,) int64 arrays."""

    first: np.ndarray  #: (replicas + 1,) need list of replica v: positions[first[v]:first[v + 1]]
    positions: np.ndarray  #: input positions, raster order within a replica
    ready: np.ndarray  #: (windows, dealt order) ranks below this must have arrived
    done: np.ndarray  #: (windows, dealt order) ranks below this are free once the window has read
    least: np.ndarray  #: (replicas,) places without which the replica, or what joins it, would stand still


def find_needs(
    edge: Edge, grid: tuple[int, int], source_grid: tuple[int, int], dealt: tuple[np.ndarray, np.ndarray],
    reach: np.ndarray,
) -> Needs:  # fmt: skip
    """Need lists of one edge.

    ``reach[w]`` (windows,): every input position up to this raster index must have found a place before
    window w can run (see :mod:`pimsim.mapping.joins`); -1: none.
    """
    first_window, windows = dealt
    arrays = _find_needs(
        edge.rows_lo, edge.rows_hi, edge.cols_lo, edge.cols_hi, grid[1], source_grid[1],
        source_grid[0] * source_grid[1], first_window, windows, reach,
    )  # fmt: skip
    return Needs(*arrays)


def last_needed(edge: Edge, source_columns: int) -> np.ndarray:
    """(windows,) largest raster index among the positions that a window, or one before it, needs; -1: none."""
    rows = np.where(edge.rows_hi >= edge.rows_lo, edge.rows_hi, -1)
    cols = np.where(edge.cols_hi >= edge.cols_lo, edge.cols_hi, -1)
    last = rows[:, None] * source_columns + cols[None, :]
    last[(rows < 0)[:, None] | (cols < 0)[None, :]] = -1
    return np.maximum.accumulate(last.ravel())


@njit(cache=True)
def _find_needs(  # type: ignore[no-untyped-def]
    rows_lo, rows_hi, cols_lo, cols_hi, columns, source_columns, n_positions, first_window, windows, reach
):
    replicas = first_window.size - 1
    first = np.zeros(replicas + 1, np.int64)
    ready = np.zeros(windows.size, np.int64)
    done = np.zeros(windows.size, np.int64)
    least = np.ones(replicas, np.int64)
    last_use = np.full(n_positions, -1, np.int64)  # index of the replica's last window that reads the position
    room = 1024
    positions = np.empty(room, np.int64)
    listed = np.empty(n_positions, np.int64)
    n = 0
    for v in range(replicas):
        count = 0
        for i in range(first_window[v], first_window[v + 1]):
            y, x = windows[i] // columns, windows[i] % columns
            for row in range(rows_lo[y], rows_hi[y] + 1):
                for p in range(row * source_columns + cols_lo[x], row * source_columns + cols_hi[x] + 1):
                    if last_use[p] < 0:
                        listed[count] = p
                        count += 1
                    last_use[p] = i
        if n + count > room:
            room = 2 * (n + count)
            more = np.empty(room, np.int64)
            more[:n] = positions[:n]
            positions = more
        mine = listed[:count].copy()
        _sort(mine)
        positions[n : n + count] = mine
        _rank_windows(
            mine, last_use, rows_lo, rows_hi, cols_lo, cols_hi, columns, source_columns,
            windows[first_window[v] : first_window[v + 1]], first_window[v], reach,
            ready[first_window[v] : first_window[v + 1]], done[first_window[v] : first_window[v + 1]],
        )  # fmt: skip
        freed = 0
        accepted = 0
        for i in range(first_window[v], first_window[v + 1]):
            while accepted < count and mine[accepted] <= reach[windows[i]]:
                accepted += 1
            least[v] = max(least[v], max(ready[i], accepted) - freed)
            freed = done[i]
        for k in range(count):
            last_use[mine[k]] = -1
        n += count
        first[v + 1] = n
    return first, positions[:n].copy(), ready, done, least


@njit(cache=True)
def _sort(values):  # type: ignore[no-untyped-def]
    """Insertion sort: windows come in raster order, so what they need is nearly sorted (and numpy's sort takes
    seconds to compile)."""
    for i in range(1, values.size):
        value = values[i]
        k = i
        while k > 0 and values[k - 1] > value:
            values[k] = values[k - 1]
            k -= 1
        values[k] = value


@njit(cache=True)
def _rank_windows(  # type: ignore[no-untyped-def]
    mine, last_use, rows_lo, rows_hi, cols_lo, cols_hi, columns, source_columns, windows, first, reach, ready, done
):
    accepted = 0
    freed = 0
    for i in range(windows.size):
        y, x = windows[i] // columns, windows[i] % columns
        if rows_hi[y] >= rows_lo[y] and cols_hi[x] >= cols_lo[x]:
            last = rows_hi[y] * source_columns + cols_hi[x]
            while accepted < mine.size and mine[accepted] <= last:
                accepted += 1
        ready[i] = accepted
        while freed < mine.size and last_use[mine[freed]] <= first + i:
            freed += 1
        done[i] = freed
