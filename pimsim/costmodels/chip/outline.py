"""Everything about a network on a system but the prices; kept, since many points of a study differ in prices alone."""

from __future__ import annotations

import json
import weakref
from collections import OrderedDict
from dataclasses import dataclass, replace

import numpy as np

from pimsim.config.records import System
from pimsim.costmodels.chip.counting import count_layers
from pimsim.costmodels.chip.layer import PlannedLayer
from pimsim.costmodels.chip.plan import Plan, plan_network
from pimsim.costmodels.chip.steady import Busy, busiest
from pimsim.costmodels.chip.timing import LayerTimes, Schedule, schedule
from pimsim.mapping.crossbars import crossbar_reads
from pimsim.mapping.placement.layout import start_of
from pimsim.mapping.tiling import weight_bits
from pimsim.network.fabric import Fabric
from pimsim.results.assembly import workload_hash
from pimsim.results.record import TIME_PARTS, LayerResult, PlacementResult, TileMap
from pimsim.units import ns_to_ps
from pimsim.workload.dataflow import Dataflow

_KEPT = 256  #: outlines that are remembered
_known: OrderedDict[str, Outline] = OrderedDict()
_hashes: dict[int, tuple[weakref.ref[Dataflow], str]] = {}

_PRICES = ("cost", "source", "energy", "write_row_ns", "write_cell_pj", "write_source", "name", "paper", "idle")
_OF_VALUES = ("bits", "range")  #: of the ADC: what it resolves, not how fast


@dataclass(frozen=True)
class Outline:
    """Times, counts and places of one inference."""

    workload_hash: str
    layers: tuple[LayerResult, ...]  #: of one image
    busy: tuple[Busy, ...]
    latency_ps: int
    run_ps: int
    interval_ps: float
    chips: int
    chips_used: int
    tiles: int  #: of the system
    reading_ps: int  #: time of all crossbars of an inference in which they read
    rows_used: int  #: of all crossbars
    most_rows: int  #: of a crossbar
    crossbars_of_tile: tuple[int, ...]  #: -1: the tile is not used
    reads_of_tile: tuple[int, ...]  #: reads of all its crossbars in an inference
    fabric: Fabric
    placement: PlacementResult
    notes: tuple[str, ...]

    @property
    def tiles_used(self) -> int:
        """Tiles that hold anything."""
        return sum(1 for crossbars in self.crossbars_of_tile if crossbars >= 0)

    @property
    def crossbars_used(self) -> int:
        """Crossbars of all replicas."""
        return sum(layer.crossbars for layer in self.layers)

    def layers_of_batch(self, batch: int, run_ps: int) -> tuple[LayerResult, ...]:
        """Layers with the times of a run of several images."""
        if batch == 1:
            return self.layers
        shift = run_ps - self.run_ps
        return tuple(_of_batch(layer, batch, shift) for layer in self.layers)

    def tile_map(self, system: System, batch: int, run_ps: int) -> TileMap:
        """The tiles, as a result describes them."""
        fabric, read_ps = self.fabric, ns_to_ps(system.chip.tile.ima.crossbar.read_ns)
        crossbars, reads = np.array(self.crossbars_of_tile), np.array(self.reads_of_tile)
        share = np.divide(batch * read_ps * reads, crossbars * float(run_ps), out=np.zeros(reads.size),
                          where=crossbars > 0)  # fmt: skip
        place = fabric.topology.position.copy()
        place[:, :2] -= place[:, :2].min(axis=0)
        place[:, 2] = fabric.tier
        return TileMap(
            chips=fabric.chips, chip_columns=fabric.chip_columns,
            router_places=tuple((x, y, tier) for x, y, tier in place.tolist()), concentration=fabric.concentration,
            tiles_per_chip=fabric.tiles, crossbars_used=self.crossbars_of_tile, busy_share=tuple(share.tolist()),
        )  # fmt: skip


def find_outline(dataflow: Dataflow, system: System) -> Outline:
    """The outline of a network on a system, from memory where only prices differ.

    Raises InputError where the network does not fit.
    """
    key = f"{_hash(dataflow)} {timing_key(system)}"
    if key in _known:
        _known.move_to_end(key)
        return _known[key]
    plan = plan_network(dataflow, system)
    found = _draw(plan, schedule(plan), _hash(dataflow))
    _known[key] = found
    if len(_known) > _KEPT:
        _known.popitem(last=False)
    return found


def forget() -> None:
    """Forget all outlines, as a measurement of time wants it."""
    _known.clear()


def timing_key(system: System) -> str:
    """Everything of a system that decides who does what, and when: all but prices, and what only values depend on."""
    data = system.model_dump(mode="json")
    adc = data["chip"]["tile"]["ima"]["adc"]
    for name in _OF_VALUES:
        adc.pop(name, None)
    return json.dumps(_without_prices(data), sort_keys=True)


def _without_prices(data: object) -> object:
    if isinstance(data, dict):
        return {key: _without_prices(value) for key, value in data.items() if key not in _PRICES}
    return data


def _hash(dataflow: Dataflow) -> str:
    """``workload_hash``, found once for each Dataflow."""
    known = _hashes.get(id(dataflow))
    if known is not None and known[0]() is dataflow:
        return known[1]
    found = workload_hash(dataflow)
    _hashes[id(dataflow)] = weakref.ref(dataflow), found
    return found


def _draw(plan: Plan, times: Schedule, digest: str) -> Outline:
    busy, counts = busiest(plan, times), count_layers(plan)
    fabric, system = plan.distances.fabric, plan.system
    crossbars, reads = np.full(fabric.n_tiles, -1, np.int64), np.zeros(fabric.n_tiles, np.int64)
    for layer in plan.layers:
        crossbars[layer.slice_tile] = np.maximum(crossbars[layer.slice_tile], 0)
        np.add.at(crossbars, layer.slice_tile, layer.cuts.crossbars)
        np.add.at(reads, layer.slice_tile, _reads(plan, layer))
    rows = [layer.tiling.row_hi - layer.tiling.row_lo for layer in plan.layers if layer.tiling]
    copies = [layer.copies for layer in plan.layers if layer.tiling]
    return Outline(
        workload_hash=digest,
        layers=tuple(
            _layer(plan, *each, times.run_ps) for each in zip(plan.layers, times.layers, counts, strict=True)
        ),
        busy=busy,
        latency_ps=times.image_done_ps[0],
        run_ps=times.run_ps,
        interval_ps=float(max(times.image_done_ps[1] - times.image_done_ps[0], *(each.image_ps for each in busy))),
        chips=fabric.chips,
        chips_used=_chips_used(plan),
        tiles=fabric.n_tiles,
        reading_ps=ns_to_ps(system.chip.tile.ima.crossbar.read_ns) * int(reads.sum()),
        rows_used=sum(n * int(each.sum()) for n, each in zip(copies, rows, strict=True)),
        most_rows=max((int(each.max()) for each in rows), default=0),
        crossbars_of_tile=tuple(crossbars.tolist()),
        reads_of_tile=tuple(reads.tolist()),
        fabric=fabric,
        placement=PlacementResult(system.mapping.placement, start_of(system.mapping), "", (), None, None),
        notes=_notes(plan),
    )


def _notes(plan: Plan) -> tuple[str, ...]:
    notes = [f"{layer.node.name}: {note}" for layer in plan.layers for note in layer.node.notes]
    if plan.spilled:
        notes.append(f"eDRAM too small: inputs of {', '.join(plan.spilled)} are kept in DRAM (mapping.spill: dram), "
                     "whose time and energy the estimate leaves out")  # fmt: skip
    start = start_of(plan.system.mapping)
    if start != plan.system.mapping.placement:
        notes.append(f"tiles lie as packed along {start}: the estimate searches for no placement")
    return tuple(notes)


def _reads(plan: Plan, layer: PlannedLayer) -> np.ndarray:
    """(S,) reads of all crossbars of a slice in one inference."""
    if layer.tiling is None:
        return np.zeros(layer.slice_tile.size, np.int64)
    so_far = np.concatenate([[0], np.cumsum(crossbar_reads(layer.tiling, plan.system))])
    end = np.cumsum(layer.cuts.crossbars) - layer.tiling.crossbars * layer.slice_replica
    reads: np.ndarray = so_far[end] - so_far[end - layer.cuts.crossbars]
    return reads * layer.windows_of_replica[layer.slice_replica]


def _chips_used(plan: Plan) -> int:
    """Chips that hold something, or that lie on the way between two that talk to each other."""
    fabric = plan.distances.fabric
    if fabric.chips == 1:
        return 1
    pairs: set[tuple[int, int]] = set()
    for layer in plan.layers:
        to = np.unique(layer.slice_tile // fabric.tiles).tolist()
        for edge in layer.node.edges:
            sources = plan.layers[edge.source].home
            pairs |= {(a, b) for a in np.unique(np.maximum(sources, 0) // fabric.tiles).tolist() for b in to}
        homes = layer.home[layer.slice_replica] // fabric.tiles
        pairs |= set(zip((layer.slice_tile // fabric.tiles).tolist(), homes.tolist(), strict=True))
    used: set[int] = set()
    for pair in pairs:
        used |= {pair[1], *plan.distances.chips_passed(*pair)}
    return max(1, len(used))


def _layer(
    plan: Plan, layer: PlannedLayer, times: LayerTimes, counts: dict[str, int], run_ps: int
) -> LayerResult:  # fmt: skip
    node, tiling, windows, paces = layer.node, layer.tiling, layer.windows_of_replica, times.paces
    return LayerResult(
        name=node.name,
        kind=node.kind,
        operation=node.operation,
        windows=node.windows,
        replicas=layer.copies,
        crossbars=int(layer.cuts.crossbars.sum()) if tiling else 0,
        imas=int(layer.slice_imas.sum()),
        tiles=np.unique(layer.slice_tile).size,
        cells_used=layer.copies * tiling.used_cells if tiling else 0,
        weight_bits=weight_bits(node, plan.system) if tiling else 0,
        macs=node.macs,
        interval_ps=int(paces.interval_ps.max()),
        image_ps=int((windows * paces.interval_ps).max()),
        peak_windows_per_us=float((1e6 / np.maximum(paces.interval_ps, 1)).sum()),
        first_start_ps=int(times.start_ps.min()),
        last_output_ps=times.last_sent_ps,
        time_ps=_time_parts(layer, times, run_ps),
        counts=counts,
    )


def _time_parts(layer: PlannedLayer, times: LayerTimes, run_ps: int) -> dict[str, int]:
    """TIME_PARTS of all replicas together; what is neither work nor before or behind it is waiting for inputs."""
    paces, windows = times.paces, layer.windows_of_replica
    stretched = windows * (paces.interval_ps - paces.work_ps)
    last = times.start_ps[layer.window_first[1:] - 1]
    parts = dict.fromkeys(TIME_PARTS, 0)
    parts["compute"] = int(windows @ paces.work_ps)
    parts["bus"] = int(stretched[paces.by_bus].sum())
    parts["edram"] = int(stretched[~paces.by_bus].sum())
    parts["fill"] = int(times.start_ps[layer.window_first[:-1]].sum())
    parts["drain"] = int((run_ps - last - paces.interval_ps).sum())
    parts["input"] = layer.copies * run_ps - sum(parts.values())
    return parts


def _of_batch(layer: LayerResult, batch: int, shift_ps: int) -> LayerResult:
    """A layer over several images, the last of them ``shift_ps`` behind the first."""
    working = ("compute", "bus", "edram")
    parts = {part: time * batch if part in working else time for part, time in layer.time_ps.items()}
    added = sum(parts.values()) - sum(layer.time_ps.values())
    parts["input"] += layer.replicas * shift_ps - added
    return replace(layer, last_output_ps=layer.last_output_ps + shift_ps, time_ps=parts)
