"""What a Result of training knows beside that of inference: plain data with units in the names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PHASES = ("forward", "backward", "gradient", "update")
"""What a step is for: outputs, gradients of inputs, gradients of weights, new weights."""

KINDS = ("reram", "gpu", "network", "other")
"""Where energy goes: ReRAM tiles; GPU cores and their memory; routers, channels and links between chips; DRAM."""


@dataclass(frozen=True)
class PhaseResult:
    """All layers of one phase."""

    phase: str  #: one of PHASES
    layers: int
    macs: int  #: in crossbars, of one iteration
    kernel_flops: int  #: on GPU cores, of one iteration
    first_start_ps: int  #: in the last simulated iteration, time of the run; -1: the phase has no layer
    last_output_ps: int  #: in the last simulated iteration; phases overlap where images follow each other
    time_ps: dict[str, int]  #: TIME_PARTS, summed over the replicas, of the simulated run
    dynamic_pj: float  #: of one iteration


@dataclass(frozen=True)
class KindResult:
    """Everything that is of one kind."""

    kind: str  #: one of KINDS
    replicas: int  #: that work there; 0: the network and what else has none
    time_ps: dict[str, int]  #: TIME_PARTS, summed over these replicas, of the simulated run; empty: there are none
    dynamic_pj: float  #: of one iteration
    static_pj: float  #: of one iteration

    @property
    def energy_pj(self) -> float:
        """Of one iteration."""
        return self.dynamic_pj + self.static_pj


@dataclass(frozen=True)
class LayerWrites:
    """Writes of one layer's crossbars in one iteration, all replicas."""

    name: str  #: of the layer whose crossbars they are
    activations: bool  #: outer products: the crossbars hold activations, written for every image
    crossbars: int
    cells: int  #: in use
    cell_writes: float  #: of each of these cells in one iteration, pulses of one write counted as one write
    row_writes: int  #: of all crossbars in one iteration
    energy_pj: float  #: of one iteration


@dataclass(frozen=True)
class UpdateLife:
    """How long training at this pace can go on before a cell fails."""

    endurance: float  #: writes that each cell bears
    source: str  #: where that is from
    iterations: int | None  #: whole ones; None: nothing is written
    years: float | None  #: of nothing but such iterations, at the pace of this run
    layer: str  #: whose cells fail first; empty: none


@dataclass(frozen=True)
class TrainingWear:
    """What training does to the cells; their first programming is not in it."""

    share_written: float  #: of the cells, in one update of the weights; 1: every cell, changed or not
    layers: tuple[LayerWrites, ...]
    lifetimes: tuple[UpdateLife, ...]


@dataclass(frozen=True)
class MoreIterations:
    """How a run was extrapolated from its first iterations, and how far off it can be.

    The error holds if no iteration takes longer or shorter than those that were simulated.
    """

    simulated: int  #: iterations
    done_ps: int  #: when the last of all iterations has ended
    interval_ps: int  #: between the ends of two of those that were added
    error_ps: int  #: of ``done_ps``


def pace_ps(iteration_ps: Sequence[int]) -> float:
    """Mean of the iterations after the first, or of the only one."""
    later = iteration_ps[1:] or iteration_ps
    return sum(later) / len(later)


@dataclass(frozen=True)
class TrainingResult:
    """A run of training: ``iterations`` batches of ``batch`` images, each followed by an update of the weights.

    Where a run was extrapolated (``more``), all is of the whole run but ``iteration_ps`` and what the docs of fields
    call simulated: where time goes is known of those iterations alone.
    """

    batch: int
    iterations: int
    iteration_ps: tuple[int, ...]  #: (simulated,) from the last update to the next; the first from the beginning
    phases: tuple[PhaseResult, ...]  #: of PHASES those that have a layer
    kinds: tuple[KindResult, ...]  #: KINDS
    core_busy_shares: tuple[float, ...]  #: of the run, of each GPU core in use, launches included
    network_share: float  #: of the replicas' time in the simulated run, on average: waiting for packets on their way
    saved_bytes: dict[str, int]  #: place -> bytes that it keeps for activations on their way to the backward pass
    wear: TrainingWear
    more: MoreIterations | None = None  #: None: all iterations were simulated

    @property
    def simulated(self) -> int:
        """Iterations that were simulated; the others were extrapolated."""
        return len(self.iteration_ps)

    @property
    def time_per_iteration_ps(self) -> float:
        """Mean of the iterations after the first, or of the only one."""
        if self.more is None:
            return pace_ps(self.iteration_ps)
        return (self.more.done_ps - self.iteration_ps[0]) / (self.iterations - 1)

    @property
    def time_per_image_ps(self) -> float:
        """That of an iteration, shared among its images."""
        return self.time_per_iteration_ps / self.batch

    @property
    def images_per_s(self) -> float:
        """Images trained on in a second."""
        return 1e12 / self.time_per_image_ps

    @property
    def core_utilisation(self) -> float:
        """Share of the run in which a GPU core in use is busy, on average."""
        shares = self.core_busy_shares
        return sum(shares) / len(shares) if shares else 0.0
