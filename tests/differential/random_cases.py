"""Random small networks on random small systems, as hypothesis strategies."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from hypothesis import assume, reject
from hypothesis import strategies as st

from pimsim.config.loading import load_system, resolved
from pimsim.config.records import System
from pimsim.errors import InputError
from pimsim.mapping.compile import map_network
from pimsim.mapping.program import Program
from pimsim.workload.dataflow import Dataflow
from tests.networks import Network

ISAAC = resolved(load_system("isaac-ce"))
CLOCKS_GHZ = (1.2, 1.0, 0.7, 3.3)


@st.composite
def networks(draw: st.DrawFn) -> Dataflow:
    """A chain of up to five layers with skips and forks; every unused branch is an output."""
    net = Network()
    inputs = 2 if draw(st.integers(0, 9)) == 0 else 1
    shape = draw(st.integers(1, 7)), draw(st.integers(1, 7)), draw(st.sampled_from((1, 2, 6, 12)))
    ends = [net.input(*shape) for _ in range(inputs)]
    if inputs == 2:
        ends = [net.add(*ends)]
    for _ in range(draw(st.integers(1, 5))):
        source = draw(st.sampled_from(ends[-2:]))
        ends.append(draw(_layer(net, source)))
    return net.finish()


@st.composite
def _layer(draw: st.DrawFn, net: Network, source: int) -> int:
    node = net.nodes[source]
    rows, columns = (1, 1) if node.reduces else node.grid
    kinds = ["conv", "conv", "conv", "grouped", "residual", "residual", "fork", "fc", "pool", "mean", "recurrent"]
    kind = draw(st.sampled_from(kinds))
    if kind == "recurrent" and columns == 1:
        return net.recurrent(source, draw(st.sampled_from((1, 3))))
    if kind == "mean":
        return net.mean(source)
    if kind == "fc":
        return net.fc(source, draw(st.sampled_from((1, 5, 12))))
    if kind == "pool" and min(rows, columns) >= 2:
        kernel = draw(st.integers(2, min(3, rows, columns)))
        return net.pool(source, kernel, draw(st.integers(1, kernel)))
    if kind == "grouped":
        groups = draw(st.sampled_from([g for g in (1, 2, 3, 4, 6) if node.channels % g == 0]))
        return net.conv(source, groups * draw(st.integers(1, 3)), _odd_kernel(draw), groups=groups)
    if kind == "residual":
        deep = source
        for _ in range(draw(st.integers(1, 2))):
            deep = net.conv(deep, node.channels, _odd_kernel(draw))
        return net.add(source, deep)
    if kind == "fork":
        left = net.conv(source, 4, _odd_kernel(draw))
        right = net.conv(source, 4, 1)
        return net.add(left, right)
    kernel = draw(st.integers(1, min(3, rows, columns)))
    pad = draw(st.integers(0, kernel // 2))
    return net.conv(source, draw(st.sampled_from((1, 4, 9, 16))), kernel, draw(st.integers(1, 2)), pad,
                    relu=draw(st.booleans()))  # fmt: skip


def _odd_kernel(draw: st.DrawFn) -> int:
    return draw(st.sampled_from((1, 3)))


@st.composite
def systems(draw: st.DrawFn, dataflow: Dataflow) -> System:
    """ISAAC made small, tight and odd."""
    data: dict[str, Any] = dict(ISAAC)
    data["chips"] = draw(st.sampled_from((1, 2, 3, 4, "auto", "auto")))
    data["chip_graph"] = {"kind": draw(st.sampled_from(("mesh", "ring"))), "columns": None}
    data["host"] = ISAAC["host"] | {
        "gb_per_s": draw(st.sampled_from((6.4, 0.07, 0.01))), "latency_ns": draw(st.sampled_from((0, 35))),
    }  # fmt: skip
    data["chip"] = draw(_chips())
    data["pipeline"] = draw(_pipelines())
    data["mapping"] = draw(_mappings(dataflow))
    return System.model_validate(data)


@st.composite
def _chips(draw: st.DrawFn) -> dict[str, Any]:
    chip = ISAAC["chip"]
    topology = draw(_topologies())
    routers = topology["routers"] if "routers" in topology else math.prod(topology["shape"])
    concentration = draw(st.integers(1, 3))
    places = routers * concentration
    noc = chip["noc"] | {
        "topology": topology, "concentration": concentration,
        "flit_bits": draw(st.sampled_from((8, 32, 256))), "clock_ghz": draw(st.sampled_from(CLOCKS_GHZ)),
        "router": {"routing_cycles": draw(st.integers(0, 2)), "inject_latency": draw(st.integers(1, 2)),
                   "eject_latency": draw(st.integers(1, 3))},
        "routing": draw(st.sampled_from((None, {"kind": "up_down", "root": routers - 1}, {"kind": "shortest_path"}))),
        "header_flits": draw(st.integers(0, 2)), "multicast": draw(st.sampled_from(("tree", "unicast"))),
        "io_router": draw(st.integers(0, routers - 1)),
    }  # fmt: skip
    links = chip["links"] | {
        "gb_per_s": draw(st.sampled_from((6.4, 0.3))), "latency_ns": draw(st.sampled_from((5, 0))),
    }  # fmt: skip
    tiles = draw(st.integers(min(2, places), places))
    return chip | {"tiles": tiles, "tile": draw(_tiles()), "noc": noc, "links": links}


@st.composite
def _topologies(draw: st.DrawFn) -> dict[str, Any]:
    """A mesh or torus of up to three dimensions, or a small world; channels of different latency and width."""
    if draw(st.integers(0, 4)) == 0:
        return {"kind": "small_world", "routers": 6, "neighbours": 2, "rewiring": 0.5, "link": draw(_LINKS)}
    shape = draw(st.sampled_from(((1, 1), (2, 1), (3,), (2, 2), (3, 2), (2, 1, 2), (4, 2))))
    links = draw(st.lists(_LINKS, min_size=len(shape), max_size=len(shape)))
    return {"kind": draw(st.sampled_from(("mesh", "mesh", "torus"))), "shape": shape, "links": links}


_LINKS = st.fixed_dictionaries({"latency": st.integers(1, 3), "width_bits": st.sampled_from((None, None, 8, 12))})


@st.composite
def _tiles(draw: st.DrawFn) -> dict[str, Any]:
    tile = ISAAC["chip"]["tile"]
    ima = tile["ima"]
    crossbars, size, adcs = draw(st.integers(1, 4)), draw(st.sampled_from((8, 16, 32))), draw(st.integers(1, 3))
    crossbar = ima["crossbar"] | {
        "rows": draw(st.sampled_from((4, 16, 128))), "columns": size,
        "cell_bits": draw(st.sampled_from((2, 4))), "active_wordlines": draw(st.sampled_from((None, 3, 4))),
        "read_ns": draw(st.sampled_from((100, 30.3))),
    }  # fmt: skip
    adc = ima["adc"] | {"count": adcs, "columns": -(-crossbars * size // adcs),
                        "sample_rate_gsps": draw(st.sampled_from((1.28, 0.11)))}  # fmt: skip
    dac = ima["dac"] | {"bits": draw(st.sampled_from((1, 3, 8)))}
    units = {
        name: tile[name] | {
            "count": draw(st.integers(1, 2)), "values_per_clock": draw(st.sampled_from((1.0, 0.1, 2.5, 0.7))),
            "clock_ghz": draw(st.sampled_from(CLOCKS_GHZ)),
        }
        for name in ("sigmoid", "maxpool", "shift_add", "vector")
    }  # fmt: skip
    edram = tile["edram"] | {
        "kib": draw(st.sampled_from((64, 1, 1))), "banks": draw(st.sampled_from((1, 2, 3, 8))),
        "width_bits": draw(st.sampled_from((4, 24, 256))), "clock_ghz": draw(st.sampled_from(CLOCKS_GHZ)),
    }  # fmt: skip
    bus = tile["bus"] | {"wires": draw(st.sampled_from((3, 16, 384))), "clock_ghz": draw(st.sampled_from(CLOCKS_GHZ))}
    ima = ima | {"crossbars": crossbars, "crossbar": crossbar, "adc": adc, "dac": dac}
    return tile | units | {"imas": draw(st.integers(1, 3)), "ima": ima, "edram": edram, "bus": bus}


def _resources(stage: dict[str, Any]) -> st.SearchStrategy[list[str]]:
    """All that a stage occupies, now and then without one of them."""
    every = list(stage["resource"])
    if stage["stage"] in ("crossbar_read", "shift_add"):
        return st.just(every)
    return st.sampled_from([every, every, every, every[1:]])


@st.composite
def _pipelines(draw: st.DrawFn) -> dict[str, Any]:
    pipeline = ISAAC["pipeline"]
    if draw(st.booleans()):
        return pipeline
    dynamic = draw(st.booleans())
    stages = [
        stage | {"latency_ns": draw(st.sampled_from((100, 20, 7.5, 0.001))), "resource": draw(_resources(stage))}
        for stage in pipeline["stages"]
    ]
    return pipeline | {
        "schedule": "dynamic" if dynamic else "slotted",
        "slot_ns": None if dynamic else draw(st.sampled_from((100, 33.3, 1))),
        "stages": stages,
    }


@st.composite
def _mappings(draw: st.DrawFn, dataflow: Dataflow) -> dict[str, Any]:
    matrices = [node for node in dataflow.nodes if node.kind == "mvm"]
    stated = {node.name: draw(st.integers(1, 5)) for node in matrices if draw(st.integers(0, 3)) == 0}
    replication = draw(st.sampled_from(("balanced", "none")))
    return ISAAC["mapping"] | {
        "weight_bits": draw(st.sampled_from((4, 8, 16))), "input_bits": draw(st.sampled_from((3, 16, 64, 64))),
        "replication": replication,
        "interval_windows": draw(st.sampled_from((None, None, 4, 9))) if replication == "balanced" else None,
        "layer_replication": stated, "windows": draw(st.sampled_from(("strips", "interleaved"))),
        "crossbar_order": draw(st.sampled_from(("columns", "rows"))),
        "placement": draw(st.sampled_from(("snake", "bands"))),
        "spill": draw(st.sampled_from(("error", "dram", "dram", "dram"))),
    }  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One random run."""

    dataflow: Dataflow
    system: System
    network: str
    batch: int

    def program(self) -> Program:
        """The mapping of the case; a case that does not fit its system is not counted as an example."""
        try:
            program = map_network(self.dataflow, self.system, self.network)
        except InputError:
            reject()
        assume(program.windows.position.size * self.batch <= 1500)  # what SimPy does in a second
        return program


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A random network on a random system."""
    dataflow = draw(networks())
    return Case(
        dataflow, draw(systems(dataflow)), draw(st.sampled_from(("packet", "packet", "ideal"))), draw(st.integers(1, 4))
    )
