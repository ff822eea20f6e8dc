"""What each replica and port is busy with for one image: images cannot follow each other faster."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimsim.costmodels.chip.durations import Durations
from pimsim.costmodels.chip.plan import Plan
from pimsim.costmodels.chip.timing import Schedule
from pimsim.mapping.program import UNITS


@dataclass(frozen=True)
class Busy:
    """A resource and its time for one image."""

    kind: str  #: as in pimsim.results.record.Resource
    place: str
    image_ps: float


def busiest(plan: Plan, times: Schedule) -> tuple[Busy, ...]:
    """The busiest of each kind; the largest of their times is the interval between outputs at least."""
    durations = Durations(plan.system)
    return (_layer(plan, times), _host(plan, times), *_ports(plan, durations))


def _layer(plan: Plan, times: Schedule) -> Busy:
    """The replica that works longest."""
    busy = [
        (float((layer.windows_of_replica * time.paces.interval_ps).max(initial=0)), -i)
        for i, (layer, time) in enumerate(zip(plan.layers, times.layers, strict=True))
        if layer.node.kind != "input"
    ]
    if not busy:
        return Busy("layer", "", 0.0)
    most, i = max(busy)
    return Busy("layer", plan.layers[-i].node.name, most)


def _host(plan: Plan, times: Schedule) -> Busy:
    used = [
        float(layer.node.windows * time.paces.read_ps.max())
        for layer, time in zip(plan.layers, times.layers, strict=True)
        if layer.node.kind == "input"
    ]
    return Busy("host", "host", sum(used))


def _ports(plan: Plan, durations: Durations) -> tuple[Busy, ...]:
    """eDRAM, bus and digital units of the busiest tile, writes of arriving inputs apart."""
    tiles = plan.distances.fabric.n_tiles
    busy = {kind: np.zeros(tiles) for kind in ("edram", "bus", *UNITS)}
    for layer in plan.layers:
        if layer.node.kind == "input":
            continue
        windows, at, cuts = layer.windows_of_replica, layer.slice_tile, layer.cuts
        vectors = windows[layer.slice_replica]
        over_bus = durations.bus("input_read", cuts.read) + durations.bus("output_transfer", cuts.sent)
        np.add.at(busy["edram"], at, durations.edram("input_read", cuts.read) * vectors)
        np.add.at(busy["bus"], at, over_bus * vectors)
        for u, name in enumerate(UNITS):
            np.add.at(busy[name], layer.home, durations.unit(name, layer.unit_values[:, u]) * windows)
        adding = durations.unit("shift_add", cuts.added) * (at != layer.home[layer.slice_replica])
        np.add.at(busy["shift_add"], at, adding * vectors)
    busy["edram"] /= min(plan.system.chip.tile.edram.banks, 2)
    return tuple(Busy(kind, _tile(plan, int(np.argmax(time))), float(time.max())) for kind, time in busy.items())


def _tile(plan: Plan, tile: int) -> str:
    names = [layer.node.name for layer in plan.layers if np.any(layer.slice_tile == tile)]
    return f"tile {tile} ({', '.join(names[:2])}{f' and {len(names) - 2} more' if len(names) > 2 else ''})"
