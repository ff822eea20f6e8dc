"""Who sends what to whom: entries of windows, delivery trees, leaves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimsim.mapping.program import Leaves
from pimsim.network.fabric import Fabric
from pimsim.network.trees import Trees, build_trees


@dataclass(frozen=True)
class Deliveries:
    """Everything about packets; see :class:`pimsim.mapping.program.Program` for the fields."""

    entry_first: np.ndarray
    entry_buffer: np.ndarray
    entry_rank: np.ndarray
    window_tree: np.ndarray
    trees: Trees
    priced_trees: Trees
    tree_flits: np.ndarray
    message_first: np.ndarray
    message: np.ndarray
    leaves: Leaves
    slice_tree: np.ndarray


@dataclass(frozen=True)
class BufferTiles:
    """Tiles in which each buffer is kept."""

    first: np.ndarray  #: (B + 1,)
    tile: np.ndarray
    values: np.ndarray  #: values of a position that this tile needs
    sent: np.ndarray  #: (B,) values of a position that are sent


@dataclass(frozen=True)
class Senders:
    """Windows and slices as sources of packets."""

    window_replica: np.ndarray  #: (W,)
    emits: np.ndarray  #: (W,) bool: the window has an output position
    replica_tile: np.ndarray  #: (V,)
    replica_sink: np.ndarray  #: (V,) bool: keeps its output in its own tile (a result of the network)
    replica_values: np.ndarray  #: (V,) values of an output position
    slice_replica: np.ndarray  #: (S,)
    slice_tile: np.ndarray  #: (S,)
    slice_results: np.ndarray  #: (S,)
    window_first: np.ndarray  #: (V + 1,)


def sort_entries(window: np.ndarray, buffer: np.ndarray, rank: np.ndarray, windows: int) -> tuple[np.ndarray, ...]:
    """Entries in the order of windows, then buffers: (windows + 1,) first, buffer, rank."""
    order = np.lexsort((buffer, window))
    first = np.zeros(windows + 1, dtype=np.int64)
    np.cumsum(np.bincount(window, minlength=windows), out=first[1:])
    return first, buffer[order], rank[order]


def plan_deliveries(
    senders: Senders, entries: tuple[np.ndarray, ...], buffers: BufferTiles, spilled: np.ndarray, fabric: Fabric,
    mode: str, multicast: str, word_bits: int, flit_bits: int, header_flits: int,
) -> Deliveries:  # fmt: skip
    """Group windows by destinations, and give each group a tree; add each slice's way to its home tile."""
    entry_first, entry_buffer, entry_rank = entries
    window_tree, representative = _group_windows(senders, entry_first, entry_buffer)
    n_data = representative.size
    target = _Targets(senders, entry_first, entry_buffer, buffers, representative)

    remote = np.flatnonzero(senders.slice_tile != senders.replica_tile[senders.slice_replica])
    slice_tree = np.full(senders.slice_tile.size, -1, dtype=np.int64)
    slice_tree[remote] = n_data + np.arange(remote.size)

    source = np.concatenate([senders.replica_tile[senders.window_replica[representative]], senders.slice_tile[remote]])
    tiles = np.concatenate([target.tile, senders.replica_tile[senders.slice_replica[remote]]])
    target_first = np.concatenate([target.first, target.first[-1] + 1 + np.arange(remote.size)])
    trees = build_trees(fabric, source, target_first, tiles, mode)
    priced = trees if mode == multicast else build_trees(fabric, source, target_first, tiles, multicast)

    values = np.concatenate([target.sent, senders.slice_results[remote]])
    flits = np.maximum(-(-values * word_bits // flit_bits) + header_flits, 1)  # a message without values is one flit
    message_first, message = _messages(senders, window_tree, n_data, remote)
    none = np.zeros(remote.size, dtype=np.int64)
    leaves = Leaves(
        tree=np.repeat(np.arange(source.size), np.diff(target_first)),
        tile=tiles,
        slice=np.concatenate([np.full(target.tile.size, -1, dtype=np.int64), remote]),
        write_values=np.concatenate([target.values, none]),
        spilled=np.concatenate([target.spilled(spilled), none]),
        entry_first=np.concatenate([target.entry_first, target.entry_first[-1] + none]),
        entry=target.entry,
    )
    return Deliveries(entry_first, entry_buffer, entry_rank, window_tree, trees, priced, flits, message_first, message,
                      leaves, slice_tree)  # fmt: skip


def _group_windows(
    senders: Senders, entry_first: np.ndarray, entry_buffer: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(windows,) tree, or -1; and one representative window for each tree.

    Windows of one replica with the same buffers share a tree.  Lists are compared by a 64-bit sum of
    hashes, and then verified.
    """
    counts = np.diff(entry_first)
    hashed = np.concatenate([np.zeros(1, np.uint64), np.cumsum(_mix(entry_buffer))])
    key = hashed[entry_first[1:]] - hashed[entry_first[:-1]] + _mix(senders.window_replica + (1 << 40))
    emitting = np.flatnonzero(senders.emits & ((counts > 0) | senders.replica_sink[senders.window_replica]))
    _, first, inverse = np.unique(key[emitting], return_index=True, return_inverse=True)
    by_appearance = np.argsort(first, kind="stable")
    new = np.empty_like(by_appearance)
    new[by_appearance] = np.arange(by_appearance.size)
    tree = np.full(senders.window_replica.size, -1, dtype=np.int64)
    tree[emitting] = new[inverse]
    representative = emitting[first[by_appearance]]
    like = representative[tree[emitting]]
    if not (
        np.array_equal(counts[emitting], counts[like])
        and np.array_equal(senders.window_replica[emitting], senders.window_replica[like])
    ):
        raise AssertionError("two different lists of buffers have the same hash")
    return tree, representative


def _mix(values: np.ndarray) -> np.ndarray:
    """A 64-bit hash of each value (the finaliser of splitmix64)."""
    x = values.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


class _Targets:
    """Tiles of each data tree, in increasing order, with the entries that arrive there."""

    def __init__(
        self, senders: Senders, entry_first: np.ndarray, entry_buffer: np.ndarray, buffers: BufferTiles,
        representative: np.ndarray,
    ) -> None:  # fmt: skip
        n_trees = representative.size
        counts = np.diff(entry_first)[representative]
        tree = np.repeat(np.arange(n_trees), counts)  # one row for each entry of each representative
        index = _ranges(counts)
        buffer = entry_buffer[np.repeat(entry_first[representative], counts) + index]
        copies = np.diff(buffers.first)[buffer]  # one row for each tile of each of these buffers
        row = np.repeat(np.arange(buffer.size), copies)
        at = np.repeat(buffers.first[buffer], copies) + _ranges(copies)
        sinks = np.flatnonzero(senders.replica_sink[senders.window_replica[representative]])
        sink_replica = senders.window_replica[representative[sinks]]
        rows_tree = np.concatenate([tree[row], sinks])
        rows_tile = np.concatenate([buffers.tile[at], senders.replica_tile[sink_replica]])
        rows_entry = np.concatenate([index[row], np.full(sinks.size, -1, dtype=np.int64)])
        rows_values = np.concatenate([buffers.values[at], senders.replica_values[sink_replica]])
        self._rows_buffer = np.concatenate([buffer[row], np.full(sinks.size, -1, dtype=np.int64)])
        order = np.lexsort((rows_entry, rows_tile, rows_tree))
        rows_tree, rows_tile = rows_tree[order], rows_tile[order]
        rows_entry, rows_values = rows_entry[order], rows_values[order]
        self._rows_buffer = self._rows_buffer[order]
        new = np.ones(rows_tree.size, dtype=bool)
        new[1:] = (rows_tree[1:] != rows_tree[:-1]) | (rows_tile[1:] != rows_tile[:-1])
        self._start = np.flatnonzero(new)
        self.tile = rows_tile[self._start]
        self.values = np.maximum.reduceat(rows_values, self._start) if self._start.size else rows_values
        self.first = np.zeros(n_trees + 1, dtype=np.int64)
        np.cumsum(np.bincount(rows_tree[self._start], minlength=n_trees), out=self.first[1:])
        data = rows_entry >= 0
        kept = np.concatenate([np.zeros(1, np.int64), np.cumsum(data)])
        self.entry = rows_entry[data]
        self.entry_first = kept[np.append(self._start, rows_tree.size)]
        self.sent = np.zeros(n_trees, dtype=np.int64)
        np.maximum.at(self.sent, tree, buffers.sent[buffer])

    def spilled(self, spilled: np.ndarray) -> np.ndarray:
        """(targets,) 1 where a buffer of the leaf lies in DRAM."""
        rows = np.where(self._rows_buffer >= 0, np.append(spilled, False)[self._rows_buffer], False).astype(np.int64)
        return np.maximum.reduceat(rows, self._start) if self._start.size else rows


def _ranges(counts: np.ndarray) -> np.ndarray:
    """0..counts[0] - 1, 0..counts[1] - 1, and so on, in one array."""
    first = np.cumsum(counts) - counts
    return np.arange(int(counts.sum())) - np.repeat(first, counts)


def _messages(
    senders: Senders, window_tree: np.ndarray, n_data: int, remote: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The windows whose packets use each tree, in the order of sending."""
    using = np.flatnonzero(window_tree >= 0)
    order = np.argsort(window_tree[using], kind="stable")
    counts = np.bincount(window_tree[using], minlength=n_data)
    replica = senders.slice_replica[remote]
    own = np.diff(senders.window_first)[replica]
    slices = np.repeat(senders.window_first[replica], own) + _ranges(own)
    first = np.zeros(n_data + remote.size + 1, dtype=np.int64)
    np.cumsum(np.concatenate([counts, own]), out=first[1:])
    return first, np.concatenate([using[order], slices])
