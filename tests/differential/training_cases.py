"""Random small networks in training, on random small chips of ReRAM tiles and GPU cores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import assume, reject
from hypothesis import strategies as st

from pimsim.config.records import System
from pimsim.errors import InputError
from pimsim.mapping.compile import map_network
from pimsim.mapping.program import Program
from pimsim.workload.dataflow import Dataflow
from pimsim.workload.training import Training, expand_training
from tests.differential.random_cases import CLOCKS_GHZ, systems
from tests.networks import Network

_COST = {"power_mw": 1000.0, "area_mm2": 2.0, "source": "of a test"}


@st.composite
def trained_networks(draw: st.DrawFn) -> Dataflow:
    """A chain of up to three layers, with BatchNorm, pools and shortcuts."""
    net = Network()
    x = net.input(draw(st.integers(1, 5)), draw(st.integers(1, 5)), draw(st.sampled_from((1, 2, 4))))
    if draw(st.integers(0, 9)) == 0:
        x = net.batch_norm(x)
    for _ in range(draw(st.integers(1, 3))):
        x = draw(_block(net, x))
    if draw(st.booleans()):
        x = net.fc(x, draw(st.sampled_from((1, 3))))
    return net.finish()


@st.composite
def _block(draw: st.DrawFn, net: Network, source: int) -> int:
    rows, columns = net.nodes[source].grid if not net.nodes[source].reduces else (1, 1)
    kind = draw(st.sampled_from(("conv", "conv", "normalised", "normalised", "residual", "pool", "mean", "grouped")))
    if kind == "pool" and min(rows, columns) >= 2:
        return net.pool(net.conv(source, 2, 1), 2, draw(st.integers(1, 2)))
    if kind == "mean":
        return net.mean(net.conv(source, 3, 1))
    if kind == "grouped":
        groups = draw(st.sampled_from([g for g in (1, 2, 4) if net.nodes[source].channels % g == 0]))
        return net.conv(source, 4, 3, groups=groups)
    if kind == "residual":
        channels = net.nodes[source].channels
        deep = net.conv(source, channels, draw(st.sampled_from((1, 3))))
        if draw(st.booleans()):
            deep = net.batch_norm(deep)
        return net.add(deep, source)
    x = net.conv(source, draw(st.sampled_from((1, 4, 5))), draw(st.sampled_from((1, 3))), draw(st.integers(1, 2)),
                 relu=draw(st.booleans()))  # fmt: skip
    return net.batch_norm(x) if kind == "normalised" else x


@st.composite
def heterogeneous(draw: st.DrawFn, dataflow: Dataflow) -> System:
    """A small odd system, of whose tiers one or two are GPU cores."""
    data: dict[str, Any] = draw(systems(dataflow)).model_dump(mode="json")
    chip = data["chip"]
    tiers = draw(st.sampled_from((("reram", "gpu"), ("gpu", "reram"), ("reram", "gpu", "reram"),
                                  ("gpu", "reram", "gpu"))))  # fmt: skip
    shape = (*draw(st.sampled_from(((1, 1), (2, 1), (2, 2)))), len(tiers))
    link = st.fixed_dictionaries({"latency": st.integers(1, 3), "width_bits": st.sampled_from((None, None, 8, 12))})
    links = [draw(link), draw(link), draw(link) | {"vertical": True}]
    chip["noc"] |= {"topology": {"kind": "mesh", "shape": shape, "links": links}, "routing": None,
                    "io_router": 0}  # fmt: skip
    chip["tiers"] = tiers
    chip["tiles"] = chip["noc"]["concentration"] * shape[0] * shape[1] * shape[2]
    chip["tile"]["edram"]["kib"] = draw(st.sampled_from((64, 64, 4)))
    chip["tile"]["ima"]["crossbar"] |= {
        "rows": draw(st.sampled_from((4, 16, 128))), "write_row_ns": draw(st.sampled_from((85.7, 3.0))),
        "write_pulses": draw(st.integers(1, 3)),
    }  # fmt: skip
    chip["gpu_core"] = {
        "multiprocessors": draw(st.integers(1, 2)), "clock_ghz": draw(st.sampled_from(CLOCKS_GHZ)),
        "flops_per_clock": draw(st.sampled_from((1, 64))), "value_bytes": draw(st.sampled_from((2, 4))),
        "launch_ns": draw(st.sampled_from((0, 35.5, 1000))), "occupancy": draw(st.sampled_from((1.0, 0.3))),
        "memory": {"mib": draw(st.sampled_from((1, 64))), "gb_per_s": draw(st.sampled_from((16.0, 0.7, 0.05))),
                   "latency_ns": draw(st.sampled_from((0, 50))), "pj_per_bit": 1.0, "source": "of a test"},
        "cost": _COST,
    }  # fmt: skip
    data["mapping"]["layer_replication"] = {}
    return System.model_validate(data)


@dataclass(frozen=True)
class TrainingCase:
    """One random run of training."""

    dataflow: Dataflow
    system: System
    network: str
    batch: int
    iterations: int
    sub_batch: int | None
    weight_gradient: str
    transposed: str
    gradient_images: int

    def program(self) -> Program:
        """The mapping of the case; a case that does not fit its system is not counted as an example."""
        rows, tiers = self.system.chip.tile.ima.crossbar.rows, self.system.chip.tiers
        assert tiers is not None
        cores = self.system.chip.tiles // len(tiers) * sum(kind == "gpu" for kind in tiers)
        try:
            options = Training(self.batch, min(rows, 16), cores, "sub-batch" if self.sub_batch else "batch",
                               self.sub_batch, self.weight_gradient, self.transposed, self.gradient_images)  # fmt: skip
            program = map_network(expand_training(self.dataflow, options), self.system, self.network)
        except InputError:
            reject()
        assume(program.windows.position.size * self.batch * self.iterations <= 6000)  # what SimPy does in seconds
        return program


@st.composite
def training_cases(draw: st.DrawFn) -> TrainingCase:
    """A random network in training on a random system."""
    dataflow = draw(trained_networks())
    batch = draw(st.integers(2, 4))
    sub_batch = draw(st.sampled_from((None, None, 2))) if batch == 4 else None
    return TrainingCase(
        dataflow, draw(heterogeneous(dataflow)), draw(st.sampled_from(("packet", "packet", "ideal"))), batch,
        draw(st.integers(1, 3)), sub_batch, draw(st.sampled_from(("gpu", "gpu", "outer"))),
        draw(st.sampled_from(("copy", "array"))),
        draw(st.sampled_from([n for n in range(1, batch + 1) if batch % n == 0])),
    )  # fmt: skip
