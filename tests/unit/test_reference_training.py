"""Training in the timing model, computed by hand: runs and emissions, barriers, weights, kernels, writes.

The programs are those of small networks of inference whose nodes are then told to be something else: the mapping of
training networks is not what is tested here.  The charts count slots of 100 ns; letters as in test_gantt.py.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pimsim.config.cost import Cost
from pimsim.config.gpu import GpuCore, GpuMemory
from pimsim.config.records import System
from pimsim.mapping.compile import map_network
from pimsim.mapping.program import Program
from pimsim.mapping.timing import Standstill, Timing
from pimsim.reference import run_simpy
from tests.networks import Network
from tests.unit.test_gantt import SLOT_PS, small

CORE = GpuCore(
    multiprocessors=2, flops_per_clock=5, clock_ghz=1.0, launch_ns=10.0, occupancy=0.5, cost=Cost(source="none"),
    memory=GpuMemory(mib=1, gb_per_s=8.0, latency_ns=20.0, pj_per_bit=0.0, source="none"),
)  # fmt: skip
"""Reaches 5 operations a ns and 4 bytes a ns, that is one value; 2 bytes are written in 250 ps and 20 ns later there."""


@pytest.fixture(params=[run_simpy], ids=["reference"])
def engine(request):
    return request.param


def trained(net: Network, system: System, batch: int, **changes: dict) -> Program:
    """The Program of a network whose nodes, by name, are changed: fields of Node, and ``edges`` with changes of
    Edge, one for each; ``flops`` and ``rows`` (written by a window) go into the Program."""
    nodes, kinds, rows = [], [], []
    for node in net.finish().nodes:
        change = dict(changes.get(node.name, {}))
        edges = change.pop("edges", [{}] * len(node.edges))
        kinds.append(change.pop("kind", node.kind))
        rows.append(change.pop("rows", 0))
        nodes.append(replace(node, edges=tuple(replace(*each) for each in zip_changes(node.edges, edges)), **change))
    return program
