"""The Program: who does what, where, and what waits for what.  Counts and places, no time.

One image's worth of structure serves every image.  All arrays are int64; a *pointer* array
``x_first`` of n + 1 entries says that the things of i are ``x_first[i]..x_first[i + 1]``, end excluded.

Vocabulary
    layer     a node of the dataflow.
    replica   one copy of a layer's weights (or one digital unit, or the host that sends the input): it
              works through its windows one after another.
    slice     the part of a replica that lies in one tile.
    buffer    the eDRAM places in which one replica keeps one of its inputs.  A position has a *rank* in
              the buffer's need list; places are filled and freed in order of rank.
    entry     "this window's output is rank q of buffer b".
    tree      the links that a packet takes from one replica (or slice) to all tiles that need it.
    leaf      the end of a tree at one tile, with the entries that arrive there.
    run       a replica's work through all its windows, once for each ``every`` images.
    emission  what a replica sends in each ``emits_every``-th run; in the others it sends nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimsim.config.records import System
from pimsim.mapping.placement.saved import Placement
from pimsim.mapping.tiling import Slice, Tiling
from pimsim.network.fabric import Fabric
from pimsim.network.trees import Trees
from pimsim.workload.dataflow import Dataflow

UNITS = ("sigmoid", "maxpool", "shift_add", "vector")  #: digital units of a tile


@dataclass(frozen=True)
class Replicas:
    """One row for each replica."""

    layer: np.ndarray  #: (V,)
    tile: np.ndarray  #: (V,) home tile: merges partial sums, activates, sends; -1: the host
    slice_first: np.ndarray  #: (V + 1,)
    window_first: np.ndarray  #: (V + 1,)
    buffer_first: np.ndarray  #: (V + 1,)
    unit_values: np.ndarray  #: (V, 4) values a window puts through each of UNITS at the home tile
    every: np.ndarray  #: (V,) images of one run
    emits_every: np.ndarray  #: (V,) runs of one emission
    kernel_flops: np.ndarray  #: (V,) of one run on a GPU core, 0 elsewhere
    kernel_values: np.ndarray  #: (V,) values that such a run moves between core and memory
    written_rows: np.ndarray  #: (V,) rows of each crossbar that a window writes, one after another
    array: np.ndarray  #: (V,) replicas with the same number share their crossbars; -1: they are its own, if any


@dataclass(frozen=True)
class Slices:
    """One row for each slice; a digital replica has one, or several that keep its inputs, without crossbars."""

    replica: np.ndarray  #: (S,)
    tile: np.ndarray  #: (S,)
    imas: np.ndarray  #: (S,)
    crossbars: np.ndarray  #: (S,)
    read_values: np.ndarray  #: (S,) values a window reads from eDRAM
    spilled_values: np.ndarray  #: (S,) of these, values that come from DRAM
    sent_values: np.ndarray  #: (S,) values over the bus to the tile
    added_values: np.ndarray  #: (S,) additions in the slice's tile
    results: np.ndarray  #: (S,) values that leave for the home tile
    tree: np.ndarray  #: (S,) way to the home tile; -1: it is the home tile


@dataclass(frozen=True)
class Windows:
    """One row for each window of one run, replica after replica, in the order of work."""

    position: np.ndarray  #: (W,) raster index in the layer's windows
    tree: np.ndarray  #: (W,) where the output goes; -1: nowhere (not the last window of a reduction)
    entry_first: np.ndarray  #: (W + 1,)


@dataclass(frozen=True)
class Buffers:
    """One row for each buffer."""

    replica: np.ndarray  #: (B,)
    capacity: np.ndarray  #: (B,) positions
    positions: np.ndarray  #: (B,) length of the need list for one emission
    copies: np.ndarray  #: (B,) slices that each must have received a position
    source: np.ndarray  #: (B,) layer that delivers
    shared: np.ndarray  #: (B,) runs that read the same emission
    gathers: np.ndarray  #: (B,) emissions that one run takes together
    initial: np.ndarray  #: (B,) emissions that are there at the start
    ready: list[np.ndarray]  #: (windows of the replica,) ranks below this must have arrived
    done: list[np.ndarray]  #: (windows of the replica,) ranks below this are free after the window has read


@dataclass(frozen=True)
class Leaves:
    """One row for each leaf."""

    tree: np.ndarray  #: (F,)
    tile: np.ndarray  #: (F,)
    slice: np.ndarray  #: (F,) partial sums: the slice that sent them; -1: data for buffers
    write_values: np.ndarray  #: (F,) values written into eDRAM on arrival
    spilled: np.ndarray  #: (F,) 1: they are written to DRAM instead
    entry_first: np.ndarray  #: (F + 1,)
    entry: np.ndarray  #: indices among the entries of the window


@dataclass(frozen=True)
class Layer:
    """What mapping decided for one node, for people and for pricing."""

    name: str
    replicas: int
    tiling: Tiling | None
    slices: tuple[Slice, ...]  #: of one replica
    weight_bits: int


@dataclass(frozen=True)
class Program:
    """The mapping's result; engine and reference run it, functional models compute with it."""

    dataflow: Dataflow
    system: System
    chips: int
    network: str  #: ideal or packet
    fabric: Fabric
    layers: tuple[Layer, ...]
    replicas: Replicas
    slices: Slices
    windows: Windows
    buffers: Buffers
    entry_buffer: np.ndarray  #: (entries,)
    entry_rank: np.ndarray  #: (entries,)
    trees: Trees
    priced_trees: Trees  #: links that packets take; as ``trees``, unless the network is ideal: then links cost no time
    tree_flits: np.ndarray  #: (T,) flits of a packet, header included
    message_first: np.ndarray  #: (T + 1,) windows that use the tree, in the order of sending
    message: np.ndarray  #: window of the n-th message; of a slice's tree: its replica's windows
    leaves: Leaves
    edram_bytes: np.ndarray  #: (tiles,) bytes that are taken of each eDRAM, or memory of a GPU core
    notes: tuple[str, ...]
    placement: Placement  #: how tiles were moved after packing; already in all tile numbers above
    on_gpu: np.ndarray  #: (tiles,) bool: the tile is a GPU core

    @property
    def batch(self) -> int:
        """Images between two updates of the weights; 1: inference."""
        return self.dataflow.batch

    @property
    def tiles_used(self) -> np.ndarray:
        """Tiles that hold a slice, in increasing order."""
        return np.unique(self.slices.tile)
