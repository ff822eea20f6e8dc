"""The Result of a run: plain data with units in the names; it outlives every simulator object.

Counts and energies are those of ONE inference, or of one iteration of training: a batch of images forward and backward,
and the update of the weights.  Times are those of the run.  Dictionaries keep the order of the component table, so that
two equal runs are written as the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pimsim.results.notebook import as_html, as_text
from pimsim.results.traffic_record import Traffic
from pimsim.results.training_record import TrainingResult, pace_ps

FORMAT = "pimsim-result-3"

TIME_PARTS = ("compute", "input", "edram", "bus", "network", "space", "core", "array", "fill", "drain")
"""Where a replica's time goes: its windows at the pace of its crossbars, digital unit or GPU core, launches included;
waiting for inputs; eDRAM (or DRAM) and bus, waited for or slower than that pace; waiting for packets in the network,
places downstream (back-pressure), a GPU core that works on another kernel; before its first window; after its last."""


@dataclass(frozen=True)
class Source:
    """What was run on what."""

    workload: str
    workload_hash: str  #: SHA-256 of the network as the chip runs it: expanded, in training
    parameters: int
    macs: int  #: multiply-accumulates of one inference, or of one iteration of training
    system: str
    config_hash: str  #: SHA-256 of the resolved configuration
    config: dict[str, Any]  #: every key, defaults and overrides included
    batch: int  #: images that stream through; in training, images between two updates of the weights
    network: str  #: ideal, packet or flit
    engine: str  #: compiled or simpy
    network_hash: str = ""
    #: SHA-256 of the network lowered for inference, which training, norms and chips do not change; empty: not known


@dataclass(frozen=True)
class Times:
    """When outputs were written; in training, when iterations had ended, which stand here for images."""

    latency_ps: int
    #: of the first image: inputs available at 0, until its last output.  With a batch of 1 on an empty system; else it
    #: finds the system empty, but may meet the images behind it.  In training, of the first iteration
    run_ps: int  #: until everything has ended
    image_done_ps: tuple[int, ...]
    #: last output of each image written; last weights of each iteration written that was simulated
    output_interval_ps: float | None
    #: median over those of the last half of at least 8 images that were done before the last image had entered, if
    #: these are 4 or more; None: not measured.  In training, mean over all iterations after the first
    steady_batch: int
    #: images that a batch needs for that at least, as many being in the system at once as here; in training, iterations

    @property
    def throughput_per_s(self) -> float | None:
        """Inferences, or iterations of training, a second in steady state; None: not measured (``steady_batch``)."""
        return None if not self.output_interval_ps else 1e12 / self.output_interval_ps


@dataclass(frozen=True)
class Usage:
    """How much of the system is used: in space and, apart from it, in time."""

    chips: int  #: in the system
    chips_used: int
    tiles: int  #: with crossbars
    tiles_used: int
    imas: int
    imas_used: int
    crossbars: int
    crossbars_used: int
    cells_used: int  #: cells that hold a part of a weight
    cells_allotted: int  #: cells of the crossbars in use
    crossbar_busy_share: float  #: temporal: share of the run in which a crossbar in use reads
    gpu_cores: int = 0
    gpu_cores_used: int = 0

    @property
    def cells_used_share(self) -> float:
        """Spatial: cells with weights, of the cells of the crossbars in use."""
        return self.cells_used / self.cells_allotted if self.cells_allotted else 0.0

    @property
    def crossbars_used_share(self) -> float:
        """Spatial: crossbars in use, of all crossbars of the system."""
        return self.crossbars_used / self.crossbars if self.crossbars else 0.0


@dataclass(frozen=True)
class Resource:
    """The busiest of its class."""

    kind: str  #: layer, link, bus, edram (or the memory of a GPU core), host, dram, core, or a digital unit
    place: str
    busy_share: float  #: of the run
    pace_share: float | None  #: of the interval between outputs in steady state; None: not measured


@dataclass(frozen=True)
class LayerResult:
    """One node of the network; "of one inference" is "of one iteration" in training."""

    name: str
    kind: str  #: input, mvm or digital; gpu: a kernel; update: writes the crossbars of another
    operation: str
    windows: int  #: of one inference
    replicas: int
    crossbars: int  #: of all replicas; those that an update writes are counted where they are read
    imas: int
    tiles: int
    cells_used: int
    weight_bits: int
    macs: int
    interval_ps: int  #: shortest time between two windows of a replica
    image_ps: int  #: of the busiest replica: its windows of one inference at that interval, launches included
    peak_windows_per_us: float  #: all replicas at their shortest intervals, launches included
    first_start_ps: int
    last_output_ps: int
    time_ps: dict[str, int]
    #: TIME_PARTS, summed over the replicas: together replicas x run_ps, or the simulated part of an extrapolated run
    counts: dict[str, int]  #: actions of one inference
    phase: str = "forward"  #: or backward, gradient, update

    @property
    def utilisation(self) -> float:
        """Share of the run in which the replicas work, on average."""
        return self.share("compute")

    def share(self, *parts: str) -> float:
        """Share of the run that the replicas spend so, on average."""
        total = sum(self.time_ps.values())
        return sum(self.time_ps[part] for part in parts) / total if total else 0.0


@dataclass(frozen=True)
class Unpriced:
    """Actions without a price: their energy is missing from the totals."""

    action: str
    component: str
    count: int  #: of one inference
    share: float  #: of all values through digital units; 1 for any other component
    layers: tuple[str, ...]  #: where it happens

    @property
    def is_headline(self) -> bool:
        """Whether it is more than 1 % of the work."""
        return self.share > 0.01


@dataclass(frozen=True)
class Costs:
    """Energy, power and area under one table of prices; "of one inference" is "of one iteration" in training."""

    table: str  #: the system whose prices these are
    table_hash: str
    dynamic_pj: dict[str, float]  #: component -> energy of one inference
    static_pj: dict[str, float]  #: component -> static power x time, of one inference
    by_layer_pj: tuple[dict[str, float], ...]  #: layer -> component -> dynamic energy of one inference
    static_power_w: float
    average_power_w: float
    peak_power_bound_w: float
    #: static power, and every replica at its shortest interval at the same time, but no component above its full rate
    area_mm2: float  #: of the chips in use
    unpriced: tuple[Unpriced, ...]

    @property
    def energy_pj(self) -> float:
        """Energy of one inference, or of one iteration of training."""
        return sum(self.dynamic_pj.values()) + sum(self.static_pj.values())


@dataclass(frozen=True)
class Programming:
    """Writing the weights once, before the first inference: not part of any other figure."""

    crossbars: int
    rows: int
    cells: int
    time_ns: float  #: rows of a crossbar one after another, all crossbars at the same time
    energy_uj: float


@dataclass(frozen=True)
class Lifetime:
    """How often what wears the cells can be repeated."""

    endurance: float  #: writes that each cell bears
    source: str  #: where that is from
    programmings: int | None  #: whole ones before the first cell fails; None: nothing is written, so for ever


@dataclass(frozen=True)
class Wear:
    """Writes of cells by this run."""

    writes: int  #: of all cells
    cells_written: int
    rows_written: int
    mean_writes: float  #: of the cells that are written
    max_writes: int  #: of the cell that is written most
    lifetimes: tuple[Lifetime, ...]


@dataclass(frozen=True)
class Timeline:
    """When layers worked on the first images; in training, on the first iterations that were simulated."""

    first_start_ps: tuple[tuple[int, ...], ...]  #: (images, layers)
    last_output_ps: tuple[tuple[int, ...], ...]  #: (images, layers)


@dataclass(frozen=True)
class TileMap:
    """The tiles of every chip, in the order of their numbers."""

    chips: int
    chip_columns: int  #: 0: a ring
    router_places: tuple[tuple[float, float, float], ...]  #: x, y and tier of each router of a chip
    concentration: int  #: tiles at one router
    tiles_per_chip: int
    crossbars_used: tuple[int, ...]  #: (tiles) -1: the tile is not used; 0: digital operations or kernels only
    busy_share: tuple[float, ...]
    #: (tiles) share of the run in which its crossbars in use read; of a GPU core, in which it is busy
    gpu_cores: tuple[int, ...] = ()  #: numbers of the tiles that are GPU cores


@dataclass(frozen=True)
class Front:
    """Placements of which none is better than another in all objectives, and the one in use."""

    names: tuple[str, ...]  #: (objectives)
    values: tuple[tuple[float, ...], ...]  #: (placements, objectives), see pimsim.mapping.placement.objectives
    chosen: int


@dataclass(frozen=True)
class PlacementResult:
    """How tiles were placed (``mapping.placement``)."""

    strategy: str  #: what found it
    start: str  #: order of the tiles along which was packed
    fingerprint: str  #: of what was packed
    place: tuple[int, ...]  #: (tiles) where each tile of the packing lies; empty: as packed
    at_start: dict[str, float] | None  #: objectives as packed (see pimsim.mapping.placement.objectives)
    objectives: dict[str, float] | None  #: of this placement; None: nothing was searched for
    front: Front | None = None  #: from which it was taken, of a search that finds several


@dataclass(frozen=True)
class LinkUse:
    """A link of the network and how busy it was."""

    name: str
    busy_share: float  #: of the run


@dataclass(frozen=True)
class NetworkUse:
    """How busy the links of the network were, as shares of the run; empty where it is ideal and has none."""

    busiest: tuple[LinkUse, ...]  #: busiest first
    inject: tuple[float, ...]  #: (tiles) from each tile to its router
    eject: tuple[float, ...]  #: (tiles) from its router to each tile
    channels: tuple[float, ...]  #: (chips x channels) those of the first chip first


@dataclass(frozen=True, repr=False)
class Result:
    """Everything that is known about a run."""

    format: str
    pimsim_version: str
    source: Source
    times: Times
    usage: Usage
    costs: Costs
    programming: Programming
    wear: Wear
    bottleneck: str
    resources: tuple[Resource, ...]  #: the busiest of each class, busiest first
    layers: tuple[LayerResult, ...]
    timeline: Timeline
    tiles: TileMap
    placement: PlacementResult
    links: NetworkUse
    notes: tuple[str, ...]  #: what was simplified
    tile_power_w: tuple[float, ...] = ()
    #: (tiles) mean over the run, static power and a share of the router included; links between chips and DRAM belong
    #: to no tile.  Empty: not known (of an estimate, or under other prices than those of the run)
    training: TrainingResult | None = None  #: None: inference
    traffic: Traffic | None = None  #: None: all tiles are of one kind and tier, or an estimate
    times_on_ideal: Times | None = None  #: of the same Program on an ideal network; None: not run

    @property
    def mode(self) -> str:
        """``infer`` or ``train``."""
        return "infer" if self.training is None else "train"

    @property
    def units(self) -> int:
        """Inferences of the run, or iterations of training: of one are counts and energies."""
        return self.source.batch if self.training is None else self.training.iterations

    @property
    def delay_ps(self) -> float:
        """Latency of an inference, or time of an iteration."""
        return self.times.latency_ps if self.training is None else self.training.time_per_iteration_ps

    @property
    def times_beside_ideal(self) -> tuple[float, float] | None:
        """(with the network of the run, with an ideal one) [ps], of what was simulated: an iteration, or in inference
        the run.  None: the ideal network was not run.
        """
        ideal = self.times_on_ideal
        return None if ideal is None else (self._compared_ps(self.times), self._compared_ps(ideal))

    @property
    def lost_to_network(self) -> float | None:
        """Share of the time of an iteration, or of the run of inference, that an ideal network would save; None: it was
        not run.

        It may be below 0: kernels queue for a core in the order in which their inputs arrive, and an earlier arrival
        can make a worse order (recalled: Graham, Bounds on Multiprocessing Timing Anomalies, 1969).
        """
        times = self.times_beside_ideal
        if times is None:
            return None
        ours, ideal = times
        return 1 - ideal / ours if ours else 0.0

    def _compared_ps(self, times: Times) -> float:
        if self.training is None:
            return times.run_ps
        done = times.image_done_ps
        return pace_ps([end - begin for begin, end in zip((0, *done), done, strict=False)])

    @property
    def energy_error_pj(self) -> float:
        """How far off the energy of an iteration can be where the run was extrapolated: static power goes on longer."""
        more = None if self.training is None else self.training.more
        return self.costs.static_power_w * more.error_ps / self.units if more else 0.0

    @property
    def summary(self) -> dict[str, Any]:
        """The headline figures, flat; None: not measured, or nothing that training has."""
        times, usage, costs = self.times, self.usage, self.costs
        energy_uj, delay_ms = costs.energy_pj / 1e6, self.delay_ps / 1e9
        infers = self.training is None
        return {
            "latency_us": times.latency_ps / 1e6,
            "throughput_per_s": times.throughput_per_s if infers else None,
            "run_us": times.run_ps / 1e6,
            "energy_per_inference_uj": energy_uj if infers else None,
            "energy_delay_product_uj_ms": energy_uj * delay_ms,
            "average_power_w": costs.average_power_w,
            "peak_power_bound_w": costs.peak_power_bound_w,
            "area_mm2": costs.area_mm2,
            "chips_used": usage.chips_used,
            "tiles_used": usage.tiles_used,
            "imas_used": usage.imas_used,
            "crossbars_used": usage.crossbars_used,
            "spatial_utilisation_cells": usage.cells_used_share,
            "spatial_utilisation_crossbars": usage.crossbars_used_share,
            "temporal_utilisation_crossbars": usage.crossbar_busy_share,
            "programming_us": self.programming.time_ns / 1e3,
            "programming_energy_uj": self.programming.energy_uj,
            "writes_per_cell_mean": self.wear.mean_writes,
            "writes_per_cell_max": self.wear.max_writes,
            "lost_to_network_share": self.lost_to_network,
            "bottleneck": self.bottleneck,
            **self._summary_of_training(),
        }

    def _summary_of_training(self) -> dict[str, Any]:
        training, energy_uj = self.training, self.costs.energy_pj / 1e6
        if training is None:
            return {}
        return {
            "iterations": training.iterations,
            "iterations_simulated": training.simulated,
            "run_error_us": training.more.error_ps / 1e6 if training.more else 0.0,
            "iteration_us": training.time_per_iteration_ps / 1e6,
            "image_us": training.time_per_image_ps / 1e6,
            "images_per_s": training.images_per_s,
            "energy_per_iteration_uj": energy_uj,
            "energy_per_iteration_error_uj": self.energy_error_pj / 1e6,
            "energy_per_image_uj": energy_uj / training.batch,
            "gpu_cores_used": self.usage.gpu_cores_used,
            "gpu_core_utilisation": training.core_utilisation,
            "waiting_for_packets_share": training.network_share,
        }

    def layer(self, name: str) -> LayerResult:
        """The layer of that name."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(name)

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)
