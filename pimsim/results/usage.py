"""What is used, how busy it is, and what sets the pace."""

from __future__ import annotations

import numpy as np

from pimsim.mapping.program import UNITS, Program
from pimsim.mapping.timing import Timing
from pimsim.network.fabric import EJECT, INJECT, MESH, Fabric
from pimsim.results.counting import reads_of_slices
from pimsim.results.notebook import shortened
from pimsim.results.record import LayerResult, LinkUse, NetworkUse, Resource, TileMap, Times, Usage
from pimsim.results.sending import messages_of_trees
from pimsim.results.work import own_crossbars
from pimsim.units import ns_to_ps

_NAMES = {"edram": "eDRAM", "host": "host link", "dram": "DRAM", "maxpool": "max-pool unit", "sigmoid": "sigmoid unit",
          "shift_add": "shift-and-add", "vector": "vector unit", "core": "GPU core"}  # fmt: skip
_REASONS = {"input": "inputs", "edram": "eDRAM", "bus": "the bus", "network": "the network",
            "space": "places downstream", "core": "a GPU core", "array": "the crossbars"}  # fmt: skip


BUSIEST_LINKS = 100  #: that a result names


def measure_usage(program: Program, timing: Timing, units: int, run_ps: int) -> tuple[Usage, TileMap]:
    """How much of the system is used, in space and in time, as a whole and by tile.

    Args:
        units: inferences, or iterations of training, of the run.
    """
    fabric, slices, tile = program.fabric, program.slices, program.system.chip.tile
    read_ps = ns_to_ps(tile.ima.crossbar.read_ns)
    busy_ps = units * read_ps * reads_of_slices(program)
    tiles, on_gpu = program.tiles_used, program.on_gpu
    crossbars = np.bincount(slices.tile, weights=own_crossbars(program), minlength=fabric.n_tiles).astype(np.int64)
    busy = np.bincount(slices.tile, weights=busy_ps, minlength=fabric.n_tiles)
    share = np.divide(busy, crossbars * float(run_ps), out=np.zeros(fabric.n_tiles), where=crossbars > 0)
    share[on_gpu] = timing.ports["core"].busy_ps[on_gpu] / max(run_ps, 1)
    used = np.full(fabric.n_tiles, -1, np.int64)
    used[tiles] = crossbars[tiles]
    n_used, cores = int(crossbars.sum()), int(on_gpu.sum())
    matrix_tiles = fabric.n_tiles - cores
    usage = Usage(
        chips=fabric.chips,
        chips_used=chips_in_use(program).size,
        tiles=matrix_tiles,
        tiles_used=int((~on_gpu[tiles]).sum()),
        imas=matrix_tiles * tile.imas,
        imas_used=int(slices.imas.sum()),
        crossbars=matrix_tiles * tile.imas * tile.ima.crossbars,
        crossbars_used=n_used,
        cells_used=sum(layer.replicas * layer.tiling.used_cells for layer in program.layers if layer.tiling),
        cells_allotted=n_used * tile.ima.crossbar.rows * tile.ima.crossbar.columns,
        crossbar_busy_share=float(busy.sum() / (n_used * run_ps)) if n_used else 0.0,
        gpu_cores=cores,
        gpu_cores_used=int(on_gpu[tiles].sum()),
    )
    return usage, TileMap(
        chips=fabric.chips,
        chip_columns=fabric.chip_columns,
        router_places=_router_places(fabric),
        concentration=fabric.concentration,
        tiles_per_chip=fabric.tiles,
        crossbars_used=tuple(used.tolist()),
        busy_share=tuple(share.tolist()),
        gpu_cores=tuple(np.flatnonzero(on_gpu).tolist()),
    )


def _router_places(fabric: Fabric) -> tuple[tuple[float, float, float], ...]:
    """x, y and tier of the routers of a chip, from 0."""
    place = fabric.topology.position.copy()
    place[:, :2] -= place[:, :2].min(axis=0)
    place[:, 2] = fabric.tier
    return tuple((x, y, tier) for x, y, tier in place.tolist())


def chips_in_use(program: Program) -> np.ndarray:
    """Chips that hold something, or that pass something on, in increasing order."""
    fabric, trees = program.fabric, program.priced_trees
    links = trees.link[np.repeat(messages_of_trees(program) > 0, np.diff(trees.first))]
    passing = (links[links >= fabric.first_chip_link] - fabric.first_chip_link) // 4
    chips = np.union1d(program.tiles_used // fabric.tiles, passing)
    return chips if chips.size else np.zeros(1, np.int64)


def busiest_resources(
    program: Program, timing: Timing, layers: tuple[LayerResult, ...], times: Times, units: int
) -> tuple[Resource, ...]:
    """The busiest layer and the busiest port of every kind, busiest first; ``units`` as :func:`measure_usage`."""
    found = []
    working = [layer for layer in layers if layer.kind != "input"]
    if working:
        slowest = max(working, key=lambda layer: layer.image_ps)
        found.append(_resource("layer", slowest.name, units * slowest.image_ps, times, units))
    for kind, ports in timing.ports.items():
        busy = ports.busy_ps // _servers(kind, program)
        if busy.max(initial=0):
            at = int(np.argmax(busy))
            found.append(_resource(kind, _place(kind, at, program), int(busy[at]), times, units))
    return tuple(sorted(found, key=lambda each: (-each.busy_share, each.kind, each.place)))


def _resource(kind: str, place: str, busy_ps: int, times: Times, units: int) -> Resource:
    pace = busy_ps / units / times.output_interval_ps if times.output_interval_ps else None
    return Resource(kind, place, busy_ps / times.run_ps if times.run_ps else 0.0, pace)


def _servers(kind: str, program: Program) -> np.ndarray | int:
    """Requests that a port serves at the same time: two banks, of which more count as wider ones; a core's memory one.
    """
    banks = min(program.system.chip.tile.edram.banks, 2)
    return np.where(program.on_gpu, 1, banks) if kind == "edram" else 1


def _place(kind: str, at: int, program: Program) -> str:
    if kind == "link":
        return program.fabric.link_name(at)
    if kind == "host":
        return "host"
    if kind == "dram":
        return f"chip {at}"
    holders = program.replicas.layer[program.slices.replica[program.slices.tile == at]]
    names = [shortened(program.layers[i].name) for i in dict.fromkeys(holders.tolist())]
    shown = ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
    tile = f"{'GPU core in ' if kind == 'edram' and program.on_gpu[at] else ''}tile {at}"
    return f"{tile} ({shown})" if names else tile


def name_bottleneck(
    resources: tuple[Resource, ...], layers: tuple[LayerResult, ...], waited: str = "the run"
) -> str:  # fmt: skip
    """What sets the pace, in one sentence: the busiest resource, if it is busy enough to explain the pace.

    Args:
        waited: of what the layers' split of time is.
    """
    if not resources:
        return "nothing is busy"
    top = resources[0]
    share, of = (top.busy_share, "the run") if top.pace_share is None else (top.pace_share, "the time between outputs")
    named = f"{_described(top)} busy {share:.0%} of {of}"
    if share >= 0.5:
        return named
    in_crossbars = [layer for layer in layers if layer.kind == "mvm"]
    why = _main_loss(max(in_crossbars, key=lambda layer: layer.image_ps), waited) if in_crossbars else ""
    return f"latency: nothing is busy half of {of}; nearest: {named}{why}"


def _main_loss(layer: LayerResult, waited: str) -> str:
    lost = {part: time for part, time in layer.time_ps.items() if part in _REASONS}
    part = max(lost, key=lambda name: lost[name])
    if layer.share(part) < 0.05:
        return ""
    name, share = shortened(layer.name), layer.share(part)
    return f"; the replicas of {name} wait mostly for {_REASONS[part]} ({share:.0%} of {waited})"


def _described(resource: Resource) -> str:
    if resource.kind == "layer":
        return f"layer {shortened(resource.place)}: each replica is"
    if resource.kind == "host":
        return "the host link is"
    if resource.place.startswith("GPU core"):
        return f"the memory of the {resource.place} is"
    if resource.kind in UNITS or resource.kind in _NAMES:
        return f"{_NAMES[resource.kind]} of {resource.place} is"
    of = " " if resource.kind == "link" else " of "
    return f"{resource.kind}{of}{resource.place} is"


def use_of_links(program: Program, timing: Timing, run_ps: int) -> NetworkUse:
    """How busy every link was."""
    if program.network == "ideal" or run_ps == 0:
        return NetworkUse((), (), (), ())
    fabric = program.fabric
    share = timing.ports["link"].busy_ps / run_ps
    kinds = fabric.link_kinds()
    order = np.argsort(-share, kind="stable")[:BUSIEST_LINKS]
    return NetworkUse(
        busiest=tuple(LinkUse(fabric.link_name(int(i)), float(share[i])) for i in order if share[i] > 0),
        inject=tuple(share[kinds == INJECT].tolist()),
        eject=tuple(share[kinds == EJECT].tolist()),
        channels=tuple(share[kinds == MESH].tolist()),
    )
