"""From what was packed to where it lies: traffic between tiles, and the placement that the mapping asks for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from pimsim.config import records
from pimsim.config.records import System
from pimsim.mapping.delivery import Deliveries
from pimsim.mapping.placement.annealing import anneal
from pimsim.mapping.placement.heat import Heat, heat_of_system
from pimsim.mapping.placement.power import estimated_power
from pimsim.mapping.placement.saved import Placement, check_reuse, load_placement
from pimsim.mapping.placement.search import Progress
from pimsim.mapping.placement.traffic import Traffic, traffic_of_packets
from pimsim.mapping.placement.ways import Ways, ways_of_system
from pimsim.mapping.program import Program, Replicas, Slices
from pimsim.mapping.tiling import Tiling
from pimsim.network.fabric import Fabric
from pimsim.workload.dataflow import Dataflow


@dataclass(frozen=True)
class Layout:
    """What was packed, on tiles in the order of packing's numbers."""

    dataflow: Dataflow
    system: System
    fabric: Fabric
    replicas: Replicas
    slices: Slices
    tilings: Mapping[int, Tiling]  #: node -> its crossbars

    @property
    def runs(self) -> np.ndarray:
        """(V,) runs of each replica for one image or, in training, one iteration."""
        runs: np.ndarray = self.dataflow.batch // self.replicas.every
        return runs

    @property
    def on_gpu(self) -> np.ndarray:
        """(tiles,) bool: the tile is a GPU core."""
        return np.tile(self.system.chip.on_gpu, self.fabric.chips)

    def fingerprint(self) -> str:
        """SHA-256 of what lies together in which tile, and of the chips' network; no time or energy is in it."""
        chip, graph = self.system.chip, self.system.chip_graph.model_dump(mode="json")
        noc = chip.noc.model_dump(mode="json", include={"topology", "concentration", "io_router", "routing"})
        what = [self.dataflow.name, self.fabric.chips, chip.tiles, graph, noc]
        digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode())
        columns = [self.replicas.layer, self.replicas.tile]
        for column in [*columns, *(getattr(self.slices, name) for name in ("replica", "tile", "imas", "results"))]:
            digest.update(column.astype("<i8").tobytes())
        return digest.hexdigest()

    def traffic(self, deliveries: Deliveries) -> Traffic:
        """Flits between tiles for one image or iteration; ``deliveries`` are those of this layout."""
        source, flits = self.sources(deliveries), deliveries.tree_flits * self.uses(deliveries)
        multicast = self.system.chip.noc.multicast == "tree"
        return traffic_of_packets(self.fabric.n_tiles, source, flits, deliveries.leaves.tree, deliveries.leaves.tile,
                                  multicast)  # fmt: skip

    def sources(self, deliveries: Deliveries) -> np.ndarray:
        """(trees,) tile from which each tree leads; -1: the host."""
        sender, partial = self._senders(deliveries)
        source: np.ndarray = np.where(partial >= 0, self.slices.tile[partial], self.replicas.tile[sender])
        return source

    def uses(self, deliveries: Deliveries) -> np.ndarray:
        """(trees,) messages along each tree for one image or iteration: data leave with an emission, partial sums in
        every run."""
        sender, partial = self._senders(deliveries)
        emissions = self.runs[sender] // np.where(partial >= 0, 1, self.replicas.emits_every[sender])
        times: np.ndarray = emissions * np.diff(deliveries.message_first)
        return times

    def values(self, deliveries: Deliveries) -> np.ndarray:
        """(trees,) values of a message: as many as the buffer that takes most; or all partial sums of a slice."""
        replicas, nodes = self.replicas, self.dataflow.nodes
        owner = np.repeat(np.arange(replicas.layer.size), np.diff(replicas.buffer_first))
        edge = np.arange(owner.size) - replicas.buffer_first[owner]
        channels = np.array([nodes[i].edges[e].channels for i, e in
                             zip(replicas.layer[owner].tolist(), edge.tolist(), strict=True)], np.int64)  # fmt: skip
        tree = np.repeat(deliveries.window_tree, np.diff(deliveries.entry_first))
        values = np.zeros(deliveries.tree_flits.size, np.int64)
        np.maximum.at(values, tree[tree >= 0], channels[deliveries.entry_buffer[tree >= 0]])
        away = deliveries.slice_tree >= 0
        values[deliveries.slice_tree[away]] = self.slices.results[away]
        return values

    def _senders(self, deliveries: Deliveries) -> tuple[np.ndarray, np.ndarray]:
        """(trees,) the replica that sends, and the slice of it if it is a partial sum, else -1."""
        sender = np.zeros(deliveries.tree_flits.size, np.int64)
        partial = np.full(deliveries.tree_flits.size, -1)
        used = deliveries.window_tree >= 0
        replica = np.repeat(np.arange(self.replicas.layer.size), np.diff(self.replicas.window_first))
        sender[deliveries.window_tree[used]] = replica[used]
        sending = np.flatnonzero(deliveries.slice_tree >= 0)
        sender[deliveries.slice_tree[sending]] = self.slices.replica[sending]
        partial[deliveries.slice_tree[sending]] = sending
        return sender, partial

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
    return layout_of(program).traffic(deliveries_of(program)), ways_of_system(program.fabric, program.system)


def layout_of(program: Program) -> Layout:
    """What lies where in a Program."""
    tilings = {i: layer.tiling for i, layer in enumerate(program.layers) if layer.tiling is not None}
    return Layout(program.dataflow, program.system, program.fabric, program.replicas, program.slices, tilings)


def deliveries_of(program: Program) -> Deliveries:
    """Who sends what to whom in a Program."""
    return Deliveries(
        entry_first=program.windows.entry_first, entry_buffer=program.entry_buffer, entry_rank=program.entry_rank,
        window_tree=program.windows.tree, trees=program.trees, priced_trees=program.priced_trees,
        tree_flits=program.tree_flits, message_first=program.message_first, message=program.message,
        leaves=program.leaves, slice_tree=program.slices.tree,
    )  # fmt: skip


def start_of(mapping: records.Mapping) -> str:
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
        InputError: a saved placement does not fit, there are too many routers to search, or temperature is weighed
            where tiles have no area or the package does not fit the die.
    """
    mapping = layout.system.mapping
    kept = Placement(
        strategy=mapping.placement, start=start_of(mapping), place=np.arange(layout.fabric.n_tiles),
        workload=layout.dataflow.name, system=layout.system.name, chips=layout.fabric.chips,
        fingerprint=layout.fingerprint(),
    )  # fmt: skip
    if mapping.placement.endswith(".json"):
        saved = load_placement(mapping.placement)
        check_reuse(saved, kept, layout.on_gpu, mapping.placement)
        return saved
    if mapping.annealing is None and mapping.amosa is None:
        return kept
    sent = deliveries()
    traffic, ways = layout.traffic(sent), ways_of_system(layout.fabric, layout.system)
    return _search(kept, mapping, traffic, ways, layout.sites(), _heat(layout, sent), progress)


def _heat(layout: Layout, deliveries: Deliveries) -> Heat | None:
    """What warms what; None where the search does not ask."""
    annealing, found = layout.system.mapping.annealing, layout.system.mapping.amosa
    weighed = annealing and annealing.temperature > 0 or found and "temperature" in found.objectives
    search = annealing or found
    if not weighed or search is None:
        return None
    return heat_of_system(layout.fabric, layout.system, estimated_power(layout, deliveries, search.interval_us))


def _search(
    start: Placement, mapping: records.Mapping, traffic: Traffic, ways: Ways, sites: np.ndarray, heat: Heat | None,
    progress: Progress | None,
) -> Placement:  # fmt: skip
    if mapping.annealing is not None:
        found = anneal(traffic, ways, mapping.annealing, sites, progress, heat)
        return replace(start, place=found.place, at_start=found.start, objectives=found.objectives)
    from pimsim.mapping.placement.amosa import amosa  # compiled code that only this search needs

    assert mapping.amosa is not None
    front = amosa(traffic, ways, mapping.amosa, sites, progress, heat)
    return replace(start, place=front.place, at_start=front.start, objectives=front.objectives, archive=front.archive)
