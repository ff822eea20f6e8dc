"""One node of a network on its tiles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pimsim.costmodels.chip.slices import Cuts
from pimsim.mapping.tiling import Tiling
from pimsim.mapping.windows import Needs
from pimsim.workload.dataflow import Node


@dataclass(frozen=True)
class PlannedLayer:
    """One node: V replicas, S slices."""

    node: Node
    tiling: Tiling | None
    window_first: np.ndarray  #: (V + 1,)
    windows: np.ndarray  #: raster index of each window, replica after replica
    needs: tuple[Needs, ...]  #: of each edge
    home: np.ndarray  #: (V,) tile that merges, activates and sends; HOST of the input
    slice_replica: np.ndarray  #: (S,) in increasing order
    slice_tile: np.ndarray  #: (S,)
    slice_imas: np.ndarray  #: (S,)
    cuts: Cuts
    unit_values: np.ndarray  #: (V, 4) values a window puts through each of UNITS at the home tile

    @property
    def copies(self) -> int:
        """V."""
        return self.window_first.size - 1

    @cached_property
    def windows_of_replica(self) -> np.ndarray:
        """(V,) windows of one inference."""
        count: np.ndarray = np.diff(self.window_first)
        return count

    @cached_property
    def owner(self) -> np.ndarray:
        """(positions,) the replica that delivers each output position."""
        if self.node.reduces:
            return np.zeros(1, np.int64)
        found = np.empty(self.windows.size, np.int64)
        found[self.windows] = np.repeat(np.arange(self.copies), self.windows_of_replica)
        return found

    @cached_property
    def first_slice(self) -> np.ndarray:
        """(V,) the first slice of each replica; empty for the input."""
        first: np.ndarray = np.flatnonzero(np.diff(self.slice_replica, prepend=-1))
        return first
