"""The network as windows that need regions: what mapping and simulation work on.

A :class:`Node` turns regions of its inputs into one position of its output, window by
window in raster order.  Fused element-wise operations and folded BatchNorm are part of the
node that produces their input; reshapes and concatenations along channels have no node, they
only decide what an :class:`Edge` needs.  Nothing here knows hardware.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Kind = Literal["input", "mvm", "digital", "gpu", "update"]
"""What a node runs on: the host's link; crossbars; digital units of a tile; a GPU core, as one kernel a run; or the
crossbars of another node, whose cells it writes."""

Phase = Literal["forward", "backward", "gradient", "update"]
"""What a step of training is for: outputs, gradients of inputs, gradients of weights, new weights."""


@dataclass(frozen=True)
class Edge:
    """What the windows of a node need of one producer.

    Window (y, x) needs the rectangle ``rows_lo[y]..rows_hi[y]`` x ``cols_lo[x]..cols_hi[x]``
    (both ends included) of the producer's output grid; ``hi < lo`` means nothing (padding).
    A recurrent node names itself as the source: window t needs position t - 1.
    """

    source: int  #: index of the producing node
    channels: int  #: values taken of each position
    rows_lo: np.ndarray  #: (H,) int64, H rows of the consuming node's windows
    rows_hi: np.ndarray  #: (H,) int64
    cols_lo: np.ndarray  #: (W,) int64
    cols_hi: np.ndarray  #: (W,) int64
    shared: int = 1  #: runs of the consumer that use the same emission of the producer, such as a batch's weights
    gathers: int = 1  #: emissions of the producer that one run of the consumer takes together: the images of a kernel
    initial: int = 0  #: emissions that are there before the producer has begun: the weights of the first batch
    saved: bool = False  #: kept from the forward to the backward pass
    holds: int = 1
    #: emissions of the producer that must find room here at once: as many as a barrier of the consumer waits for
    wanted: int = 1  #: emissions that find room here where every stage between producer and consumer has one in work


@dataclass(frozen=True)
class Matrix:
    """Weights that stay in crossbars.

    Rows are channel-major: row = (channel * kernel_positions + kernel position), in the order of
    the node's edges.  ``groups`` diagonal blocks of ``rows`` x ``columns`` each.
    """

    rows: int  #: inputs of one output, in one group
    columns: int  #: outputs of one group
    groups: int = 1
    kernel_positions: int = 1  #: rows that one input channel takes
    local: bool = False  #: every window has weights of its own (locally connected)


@dataclass(frozen=True)
class Node:
    """One step of the network: a matrix in crossbars, a digital operation, or the input.

    A node *runs* once for each image, or once for ``every`` images; what it makes is *emitted* after each run, or
    after each ``emits_every``-th: sums over a batch.  (A synchronous dataflow graph, after Lee and Messerschmitt,
    Proc. IEEE 1987, whose rates are 1 and the batch.)
    """

    name: str
    kind: Kind
    operation: str  #: operations this node stands for, joined by '+', for people
    grid: tuple[int, int]  #: windows: rows H and columns W, in raster order
    channels: int  #: values of one output position
    edges: tuple[Edge, ...] = ()
    matrix: Matrix | None = None  #: of an mvm node
    actions: dict[str, int] = field(default_factory=dict)
    #: values a window puts through each digital unit of a tile: sigmoid, maxpool, shift_add, vector
    reduces: bool = False  #: windows run over the input; the one output position appears after the last
    macs: int = 0  #: multiply-accumulates of one inference
    parameters: int = 0
    is_output: bool = False  #: a result of the network
    notes: tuple[str, ...] = ()  #: what is simplified or unpriced here, in words for the result
    phase: Phase = "forward"
    every: int = 1  #: images of one run
    emits_every: int = 1  #: runs of one emission
    of: int = -1
    #: update: the node whose crossbars it writes; mvm: the node whose crossbars it reads from the other side, or -1
    flops: int = 0  #: gpu: floating-point operations of one run
    memory_values: int = 0  #: gpu: values that one run's kernel moves between the core and its memory
    each_values: int = 0  #: gpu: beside them, values that each core which shares the kernel moves: weights it keeps
    kept_values: int = 0
    #: gpu: values that stay in the memory of each of these cores from run to run: sums, momentum, weights
    reads: int = 0  #: digital: values that a window reads, if it takes but a part of the positions that it needs
    activation: tuple[str, ...] = ()  #: fused operations whose derivative depends on the values, in their order

    @property
    def type(self) -> str:
        """The operation that gave the node its windows; the others are fused into it."""
        return self.operation.partition("+")[0]

    @property
    def has_crossbars(self) -> bool:
        """Whether it has a matrix in crossbars of its own."""
        return self.kind == "mvm" and self.of < 0

    @property
    def windows(self) -> int:
        """Windows of one inference."""
        return self.grid[0] * self.grid[1]

    @property
    def positions(self) -> int:
        """Output positions of one inference."""
        return 1 if self.reduces else self.windows

    @property
    def output_grid(self) -> tuple[int, int]:
        """Output positions as rows and columns."""
        return (1, 1) if self.reduces else self.grid


@dataclass(frozen=True)
class Dataflow:
    """All nodes of a network in topological order (recurrent self-edges, and edges with initial emissions, aside)."""

    name: str
    nodes: tuple[Node, ...]
    notes: tuple[str, ...] = ()
    batch: int = 1  #: images between two updates of the weights; 1: inference
