"""Windows, positions, replicas and buffers of all nodes under one numbering, as the compiled functions take them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimsim.costmodels.chip.durations import Durations
from pimsim.costmodels.chip.plan import Plan
from pimsim.costmodels.chip.windows import Buffers, Replicas, Tables

Way = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Messages of one edge: times (tiles of the producer, columns), (positions,) rows, (V,) columns and eDRAM times."""


@dataclass(frozen=True)
class Paces:
    """What a window of each replica takes; (V,) int64 [ps]."""

    interval_ps: np.ndarray  #: from one window to the next at least
    work_ps: np.ndarray  #: of it, what crossbars or digital units alone would need
    by_bus: np.ndarray  #: bool: the bus, rather than the eDRAM, stretches it
    read_ps: np.ndarray  #: start until the inputs have been read
    before_ps: np.ndarray  #: start until the digital units are asked for the output
    unit_ps: np.ndarray  #: for how long
    latency_ps: np.ndarray  #: start until the output leaves, where nobody else asks for them


@dataclass(frozen=True)
class Gathered:
    """A whole network."""

    replicas: Replicas
    buffers: Buffers
    tables: Tables
    window_base: np.ndarray  #: (nodes + 1,)
    position_base: np.ndarray  #: (nodes + 1,)

    def windows_of(self, node: int) -> slice:
        """Windows of a node."""
        return slice(int(self.window_base[node]), int(self.window_base[node + 1]))

    def positions_of(self, node: int) -> slice:
        """Output positions of a node."""
        return slice(int(self.position_base[node]), int(self.position_base[node + 1]))


def gather(
    plan: Plan, paces: list[Paces], turns: list[np.ndarray], ways: dict[tuple[int, int], Way], durations: Durations
) -> Gathered:  # fmt: skip
    """Everything under one numbering; a recurrent layer's own output is in its turn, and no input."""
    layers = plan.layers
    window_base = _base([layer.node.windows for layer in layers])
    position_base = _base([layer.node.positions for layer in layers])
    inputs = {i: [e for e, edge in enumerate(layer.node.edges) if edge.source != i] for i, layer in enumerate(layers)}
    firsts = [layer.window_first[:-1] + base for layer, base in zip(layers, window_base, strict=False)]
    slots = [1 if layer.node.kind == "input" else durations.slot for layer in layers]
    replicas = Replicas(
        window_first=np.concatenate([*firsts, window_base[-1:]]),
        buffer_first=_base(np.concatenate([np.full(layer.copies, len(inputs[i])) for i, layer in enumerate(layers)])),
        turn=np.concatenate(turns),
        interval=np.concatenate([each.interval_ps for each in paces]),
        read=np.concatenate([each.read_ps for each in paces]),
        slot=np.concatenate([np.full(layer.copies, slot) for layer, slot in zip(layers, slots, strict=True)]),
    )
    row, output = _outputs(plan, ways, position_base)
    buffers, tables = _buffers(plan, inputs, ways, position_base, row, output)
    return Gathered(replicas, buffers, tables, window_base, position_base)


def _base(sizes: list[int] | np.ndarray) -> np.ndarray:
    base: np.ndarray = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return base


def _outputs(
    plan: Plan, ways: dict[tuple[int, int], Way], position_base: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(positions,) row of each among its producer's tiles, and (windows,) the position that each delivers."""
    rows, outputs = [], []
    for i, layer in enumerate(plan.layers):
        rows.append(np.unique(layer.home, return_inverse=True)[1][layer.owner])
        if layer.node.reduces:
            last = layer.windows == layer.node.windows - 1
            outputs.append(np.where(last, position_base[i], -1))
        else:
            outputs.append(layer.windows + position_base[i])
    return np.concatenate(rows), np.concatenate(outputs)


def _buffers(
    plan: Plan, inputs: dict[int, list[int]], ways: dict[tuple[int, int], Way], position_base: np.ndarray,
    row: np.ndarray, output: np.ndarray,
) -> tuple[Buffers, Tables]:  # fmt: skip
    """Buffers, those of a replica together, and the tables that they point into."""
    columns: dict[str, list[np.ndarray]] = {name: [] for name in Buffers._fields}
    positions, ready, done, messages = ([np.zeros(0, np.int64)] for _ in range(4))
    listed, windows, entries = 0, 0, 0
    for i, layer in enumerate(plan.layers):
        of_edge: dict[str, list[np.ndarray]] = {name: [] for name in Buffers._fields}
        for e in inputs[i]:
            need, (message, _, column, hold) = layer.needs[e], ways[i, e]
            found = Buffers(
                need=listed + need.first[:-1], length=np.diff(need.first), ready=windows + layer.window_first[:-1],
                capacity=plan.capacity[i, e], message=entries + column,
                columns=np.full(layer.copies, message.shape[1]), hold=hold,
            )  # fmt: skip
            for name, values in found._asdict().items():
                of_edge[name].append(values)
            positions.append(need.positions + position_base[layer.node.edges[e].source])
            ready.append(need.ready)
            done.append(need.done)
            messages.append(message.ravel())
            listed, windows, entries = listed + need.positions.size, windows + need.ready.size, entries + message.size
        for name, parts in of_edge.items():
            columns[name].append(np.stack(parts, axis=1).ravel() if parts else np.zeros(0, np.int64))
    buffers = Buffers(**{name: np.concatenate(parts).astype(np.int64) for name, parts in columns.items()})
    joined = [np.concatenate(parts).astype(np.int64) for parts in (positions, ready, done, messages)]
    return buffers, Tables(joined[0], joined[1], joined[2], joined[3], row, output)
