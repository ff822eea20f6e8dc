"""How many copies of each layer: as fast as the next layer needs, scaled down to what the chips offer.

ISAAC's rule (section 6): a layer that is followed by stride or pooling must deliver more windows for each
window of the next, and gets that many more copies.  Stated as one number: a replica of every layer works
through at most ``interval`` windows for one image; the smallest interval that fits is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pimsim.config.records import System
from pimsim.errors import InputError, did_you_mean, shown
from pimsim.mapping.packing import tiles_needed
from pimsim.mapping.tiling import Tiling
from pimsim.workload.dataflow import Dataflow


@dataclass(frozen=True)
class Replication:
    """Copies of each node, the chips they take, and the interval that gave them."""

    copies: tuple[int, ...]
    chips: int
    asked_windows: int  #: interval that was asked for
    interval_windows: int  #: largest number of windows that a replica works through for one image


def choose_replication(dataflow: Dataflow, tilings: dict[int, Tiling], system: System) -> Replication:
    """Copies for every node, and the number of chips.

    Raises InputError where the network does not fit, with the number of chips that it needs.
    """
    _check_layer_names(dataflow, system)
    work = vectors_of(dataflow, tilings)
    mvm = list(work)
    longest = max(work.values(), default=1)

    def tiles(interval: int) -> int:
        demand = [(tilings[i].imas, _copies(dataflow, i, work[i], interval, system)) for i in mvm]
        return tiles_needed(demand, system.chip.tile.imas)

    stated = system.mapping.interval_windows
    unreplicated = longest if system.mapping.replication == "none" or stated is None else stated
    per_chip = system.chip.reram_tiles
    if per_chip == 0 and mvm:
        raise InputError(f"{system.name} has no crossbars for '{dataflow.nodes[mvm[0]].name}'", key="chip.tiers",
                         allowed="a chip with a tier of ReRAM tiles")  # fmt: skip
    least = -(-tiles(unreplicated) // max(1, per_chip))
    chips = max(1, least) if system.chips == "auto" else system.chips
    offered = chips * per_chip
    if tiles(unreplicated) > offered:
        crossbars = sum(
            tilings[i].crossbars * _copies(dataflow, i, work[i], unreplicated, system) for i in mvm
        )
        raise InputError(
            f"{dataflow.name} does not fit: it takes {crossbars:,} crossbars in {tiles(unreplicated):,} tiles, and "
            f"{chips} chip{'s' if chips > 1 else ''} of {system.name} offer {offered:,} tiles; "
            f"it needs {least} chips (--set chips={least}, or chips=auto)"
        )
    interval = unreplicated
    if system.mapping.replication == "balanced" and stated is None:
        interval = _smallest_that_fits(tiles, longest, offered)
    return _replication(dataflow, work, interval, chips, system)


def vectors_of(dataflow: Dataflow, tilings: Mapping[int, Tiling]) -> dict[int, int]:
    """Matrix -> vectors that go through its crossbars in a run, if there is one copy.

    Where they are read from both sides, those from the other side count for as many as they take passes.
    """
    work = {i: node.windows for i, node in enumerate(dataflow.nodes) if node.has_crossbars}
    for i, node in enumerate(dataflow.nodes):
        if node.kind == "mvm" and not node.has_crossbars:
            work[node.of] += tilings[i].passes * node.windows
    return work


def scale_down(
    replication: Replication, dataflow: Dataflow, tilings: Mapping[int, Tiling], system: System
) -> Replication | None:
    """The next smaller demand when eDRAM, not crossbars, has run out: one more chip where their number is
    free, fewer copies where those are; None where neither is."""
    if system.chips == "auto":
        return replace(replication, chips=replication.chips + 1)
    if system.mapping.replication == "none" or system.mapping.interval_windows is not None:
        return None
    interval = replication.asked_windows
    work = vectors_of(dataflow, tilings)
    longest = max(work.values(), default=1)
    if interval >= longest:
        return None
    return _replication(dataflow, work, min(longest, interval + max(1, interval // 16)), replication.chips, system)


def _replication(dataflow: Dataflow, work: Mapping[int, int], interval: int, chips: int, system: System) -> Replication:
    nodes = dataflow.nodes
    copies = tuple(
        _copies(dataflow, i, work[i], interval, system) if i in work else 1 for i in range(len(nodes))
    )
    paces = [-(-vectors // copies[i]) for i, vectors in work.items()]
    return Replication(copies, chips, interval, max(paces, default=max(node.windows for node in nodes)))


def _recurrent(dataflow: Dataflow, i: int) -> bool:
    """Whether a node reads its own output: its windows run one after another, copies would not help."""
    return any(edge.source == i for edge in dataflow.nodes[i].edges)


def _copies(dataflow: Dataflow, i: int, vectors: int, interval: int, system: System) -> int:
    node = dataflow.nodes[i]
    assert node.matrix is not None
    if node.matrix.local:  # every window has weights of its own: one "replica" each
        return node.windows
    stated = system.mapping.layer_replication.get(node.name)
    if stated is not None:
        return stated
    if system.mapping.replication == "none" or _recurrent(dataflow, i):
        return 1
    return min(-(-vectors // interval), node.windows)


def _smallest_that_fits(tiles, longest: int, offered: int) -> int:  # type: ignore[no-untyped-def]
    low, high = 1, longest
    while low < high:
        middle = (low + high) // 2
        if tiles(middle) <= offered:
            high = middle
        else:
            low = middle + 1
    return low


def _check_layer_names(dataflow: Dataflow, system: System) -> None:
    names = {node.name for node in dataflow.nodes if node.has_crossbars}
    for i, node in enumerate(dataflow.nodes):
        stated = system.mapping.layer_replication.get(node.name)
        if stated is None or node.matrix is None:
            continue
        key = f"mapping.layer_replication.{node.name}"
        if stated > node.windows:
            raise InputError(f"{stated} copies of a layer of {node.windows} windows; at most that many", key=key)
        if node.matrix.local or (stated > 1 and _recurrent(dataflow, i)):
            why = "every window has weights of its own" if node.matrix.local else "its steps follow each other"
            raise InputError(f"layer '{node.name}' cannot be copied: {why}", key=key)
    for key in ("layer_replication", "layer_weight_bits"):
        for name in getattr(system.mapping, key):
            if name not in names:
                raise InputError(
                    f"no layer '{name}' with weights; allowed: {', '.join(sorted(names))}",
                    key=f"mapping.{key}.{name}",
                )
    for key, name in system.mapping.mitigation.named_layers:
        if name not in names:
            raise InputError(f"no layer {shown(name)} with weights{did_you_mean(name, names)}",
                             key=f"mapping.mitigation.{key}", allowed=sorted(names))  # fmt: skip
