"""A whole chip on its flit-level network: CPU seconds, flit-hops, and what the networks make of the same run.

    python -m tests.benchmarks.flit_chip            VGG-16 on isaac-ce-16, 196 windows a replica
    python -m tests.benchmarks.flit_chip filled     chips filled with replicas
"""

from __future__ import annotations

import statistics
import sys

from pimsim.arch.run import run_compiled
from pimsim.config import load_system
from pimsim.mapping.compile import map_network
from pimsim.network.fabric import INJECT
from tests.benchmarks.engine import cpu_s
from tests.networks import vgg16

RUNS = 3


def main(keys: list[str]) -> None:
    """VGG-16 at 224x224, one image, by tree and by unicast."""
    dataflow = vgg16(classifier=True)
    print(f"{'VGG-16 224x224, isaac-ce-16, one image':42}{'CPU s':>8}{'flit-hops':>14}{'M a s':>8}{'latency us':>12}")
    for multicast in ("tree", "unicast"):
        system = load_system("isaac-ce-16", [f"chip.noc.multicast={multicast}", *keys])
        latency = {}
        for network in ("ideal", "packet", "flit"):
            program = map_network(dataflow, system, network)
            timing = run_compiled(program)  # also warms up
            latency[network] = timing.image_done_ps[0] / 1e6
            run = statistics.median(cpu_s(lambda p=program: run_compiled(p)) for _ in range(RUNS))
            row = f"{multicast + ', ' + network:42}{run:8.2f}"
            if network == "flit":
                hops = int(timing.ports["link"].count[program.fabric.link_kinds() != INJECT].sum())
                row += f"{hops:14,}{hops / run / 1e6:8.1f}"
            else:
                row += " " * 22
            print(f"{row}{latency[network]:12.1f}", flush=True)
        packet, ideal = (latency["flit"] / latency[name] for name in ("packet", "ideal"))
        print(f"  flit takes {packet:.2f} times as long as packet, {ideal:.2f} times as long as ideal")


if __name__ == "__main__":
    main([] if "filled" in sys.argv[1:] else ["mapping.interval_windows=196"])
