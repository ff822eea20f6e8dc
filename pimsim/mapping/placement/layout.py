"""From what was packed to where it lies: traffic between tiles, and the placement that the mapping asks for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from pimsim.config.records import Mapping, System
from pimsim.errors import InputError
from pimsim.mapping.delivery import Deliveries
from pimsim.mapping.placement.annealing import anneal
from pimsim.mapping.placement.saved import Placement, check_reuse, load_placement
from pimsim.mapping.placement.search import Progress
from pimsim.mapping.placement.traffic import Traffic, traffic_of_packets
from pimsim.mapping.placement.ways import Ways, ways_of_system
from pimsim.mapping.program import Program, Replicas, Slices
from pimsim.network.fabric import Fabric


@dataclass(frozen=True)
class Layout:
    """What was packed, on tiles in the order of packing's numbers."""

    workload: str
    system: System
    fabric: Fabric
    replicas: Replicas
    slices: Slices

    def fingerprint(self) -> str:
        """SHA-256 of what lies together in which tile, and of the chips' network; no time or energy is in it."""
        chip, graph = self.system.chip, self.system.chip_graph.model_dump(mode="json")
        noc = chip.noc.model_dump(mode="json", include={"topology", "concentration", "io_router", "routing"})
        what = [self.workload, self.fabric.chips, chip.tiles, graph, noc]
        digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode())
        columns = [self.replicas.layer, self.replicas.tile]
        for column in [*columns, *(getattr(self.slices, name) for name in ("replica", "tile", "imas", "results"))]:
            digest.update(column.astype("<i8").tobytes())
        return digest.hexdigest()

    def traffic(self, deliveries: Deliveries) -> Traffic:
        """Flits between tiles for one image; ``deliveries`` are those of this layout."""
        source = np.zeros(deliveries.tree_flits.size, np.int64)
        used = deliveries.window_tree >= 0
        replica = np.repeat(np.arange(self.replicas.layer.size), np.diff(self.replicas.window_first))
        source[deliveries.window_tree[used]] = self.replicas.tile[replica[used]]
        sending = deliveries.slice_tree >= 0
        source[deliveries.slice_tree[sending]] = self.slices.tile[sending]
        flits = deliveries.tree_flits * np.diff(deliveries.message_first)
        multicast = self.system.chip.noc.multicast == "tree"
        return traffic_of_packets(self.fabric.n_tiles, source, flits, deliveries.leaves.tree, deliveries.leaves.tile,
                                  multicast)  # fmt: skip

    def sites(self) -> np.ndarray:
        """Tiles of the chips that hold anything: chips that packing leaves idle stay idle."""
        used = np.unique(self.slices.tile // self.fabric.tiles)
        return np.flatnonzero(np.isin(np.arange(self.fabric.n_tiles) // self.fabric.tiles, used))

    def moved(self, placement: Placement) -> tuple[Replicas, Slices]:
        """Replicas and slices where the placement puts them."""
        with_host = np.append(placement.place, -1)  # tile -1 stays
        return (
            replace(self.replicas, tile=with_host[self.replicas.tile]),
            replace(self.slices, tile=with_host[self.slices.tile]),
        )


def problem_of(program: Program) -> tuple[Traffic, Ways]:
    """Traffic of a Program between the tiles on which it lies, and the ways of its system.

    With these, ``measure(traffic, ways, arange(tiles))`` gives the objectives of the Program as it is.
    """
    layout = Layout(program.dataflow.name, program.system, program.fabric, program.replicas, program.slices)
    deliveries = Deliveries(
        entry_first=program.windows.entry_first, entry_buffer=program.entry_buffer, entry_rank=program.entry_rank,
        window_tree=program.windows.tree, trees=program.trees, priced_trees=program.priced_trees,
        tree_flits=program.tree_flits, message_first=program.message_first, message=program.message,
        leaves=program.leaves, slice_tree=program.slices.tree,
    )  # fmt: skip
    return layout.traffic(deliveries), ways_of_system(program.fabric, program.system)


def start_of(mapping: Mapping) -> str:
    """The order in which the mapping packs."""
    search = mapping.annealing or mapping.amosa
    if search is not None:
        return search.start
    return load_placement(mapping.placement).start if mapping.placement.endswith(".json") else mapping.placement


def find_placement(
    layout: Layout, deliveries: Callable[[], Deliveries], progress: Progress | None = None
) -> Placement:
    """What ``mapping.placement`` asks for.

    Args:
        layout: what was packed.
        deliveries: who sends what to whom; called if there is something to search for.
        progress: called with moves done and moves in all.

    Raises:
        InputError: a saved placement does not fit, or there are too many routers to search.
    """
    mapping = layout.system.mapping
    kept = Placement(
        strategy=mapping.placement, start=start_of(mapping), place=np.arange(layout.fabric.n_tiles),
        workload=layout.workload, system=layout.system.name, chips=layout.fabric.chips,
        fingerprint=layout.fingerprint(),
    )  # fmt: skip
    if mapping.placement.endswith(".json"):
        saved = load_placement(mapping.placement)
        check_reuse(saved, kept, mapping.placement)
        return saved
    if mapping.annealing is None and mapping.amosa is None:
        return kept
    if layout.system.chip.gpu_cores:
        raise InputError("tiles of different kinds cannot change places in a search yet", key="mapping.placement",
                         allowed="snake, bands, or a saved placement")  # fmt: skip
    traffic, ways = layout.traffic(deliveries()), ways_of_system(layout.fabric, layout.system)
    return _search(kept, mapping, traffic, ways, layout.sites(), progress)


def _search(
    start: Placement, mapping: Mapping, traffic: Traffic, ways: Ways, sites: np.ndarray, progress: Progress | None
) -> Placement:
    if mapping.annealing is not None:
        found = anneal(traffic, ways, mapping.annealing, sites, progress)
        return replace(start, place=found.place, at_start=found.start, objectives=found.objectives)
    from pimsim.mapping.placement.amosa import amosa  # compiled code that only this search needs

    assert mapping.amosa is not None
    front = amosa(traffic, ways, mapping.amosa, sites, progress)
    return replace(start, place=front.place, at_start=front.start, objectives=front.objectives, archive=front.archive)
