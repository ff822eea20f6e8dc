"""Who sends along which tree, how often, and how much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimsim.mapping.program import Program


@dataclass(frozen=True)
class Sending:
    """One row for each delivery tree; (T,) int64."""

    layer: np.ndarray  #: that sends
    tile: np.ndarray  #: where it starts; -1: the host
    uses: np.ndarray  #: messages along it in one inference or iteration
    values: np.ndarray  #: of a message
    leaves_tile: np.ndarray  #: (T,) bool: it leads to another tile


def sending(program: Program) -> Sending:
    """Messages of one inference, or of one iteration of training.

    Data are sent with every emission, partial sums on their way to the home tile in every run.
    """
    replicas, leaves, trees = program.replicas, program.leaves, program.tree_flits.size
    slice_of = np.full(trees, -1, np.int64)
    slice_of[leaves.tree] = leaves.slice
    partial = slice_of >= 0
    replica = _replicas_of_trees(program)
    runs = program.batch // replicas.every[replica]
    times = np.where(partial, runs, runs // replicas.emits_every[replica])
    tile = np.where(partial, program.slices.tile[slice_of], replicas.tile[replica])
    away = np.zeros(trees, bool)
    np.logical_or.at(away, leaves.tree, leaves.tile != tile[leaves.tree])
    values = np.where(partial, program.slices.results[slice_of], _values_of_trees(program))
    return Sending(replicas.layer[replica], tile, times * messages_of_trees(program), values, away)


def messages_of_trees(program: Program) -> np.ndarray:
    """(T,) messages of one run that use each tree."""
    return np.diff(program.message_first)


def layers_of_trees(program: Program) -> np.ndarray:
    """(T,) the layer that sends along each tree."""
    layer: np.ndarray = program.replicas.layer[_replicas_of_trees(program)]
    return layer


def edges_of_buffers(program: Program) -> list[tuple[int, int]]:
    """Node and number of the edge that each buffer keeps; buffers lie in the order of replicas, then edges."""
    buffers, replicas = program.buffers, program.replicas
    number = np.arange(buffers.replica.size) - replicas.buffer_first[buffers.replica]
    return list(zip(replicas.layer[buffers.replica].tolist(), number.tolist(), strict=True))


def _replicas_of_trees(program: Program) -> np.ndarray:
    replica: np.ndarray = np.searchsorted(program.replicas.window_first, _first_windows(program), side="right") - 1
    return replica


def _first_windows(program: Program) -> np.ndarray:
    """(T,) the first window that uses each tree; all that use one send to the same buffers."""
    window: np.ndarray = np.append(program.message, 0)[program.message_first[:-1]]
    return window


def _values_of_trees(program: Program) -> np.ndarray:
    """(T,) values of a message to buffers: as many as the one that takes most."""
    nodes, window = program.dataflow.nodes, _first_windows(program)
    channels = np.array([nodes[i].edges[e].channels for i, e in edges_of_buffers(program)], np.int64)
    first = program.windows.entry_first[window]
    counts = program.windows.entry_first[window + 1] - first
    entries = np.repeat(first - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
    values = np.zeros(window.size, np.int64)
    np.maximum.at(values, np.repeat(np.arange(window.size), counts), channels[program.entry_buffer[entries]])
    return values
