"""The flit-level network alone: flit-hops a CPU second, threads, compilation, and BookSim 2 beside it.

    python -m tests.benchmarks.noc                     8x8 and 8x8x8 meshes, 4 VCs x 8 flits, packets of 5 flits
    python -m tests.benchmarks.noc path/to/booksim     interleaved with BookSim 2 on the same networks and loads

A flit-hop is a flit over one channel, those from and to its terminals included.  Medians of RUNS.
"""

from __future__ import annotations

import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

from pimsim.network.packets import Arrivals, Packets
from pimsim.network.traffic import bernoulli_packets, uniform
from pimsim.noc import build_network
from pimsim.noc.network import BuiltNetwork, route

RUNS = 5
FLITS = 5  #: of a packet
LOADS = (("mesh-8x8", 0.04, 300_000), ("mesh-8x8", 0.2, 100_000), ("mesh-8x8", 0.365, 60_000),
         ("mesh-8x8x8", 0.355, 6_000))  #: network, load, cycles  # fmt: skip
BOOKSIM = """
topology = mesh; k = 8; n = {n}; routing_function = dor; num_vcs = 4; vc_buf_size = 8; router = iq;
vc_allocator = islip; sw_allocator = islip; alloc_iters = 1; injection_rate_uses_flits = 1; warmup_periods = 1;
sample_period = {period}; max_samples = 1; sim_type = throughput; seed = 1; traffic = uniform; packet_size = 5;
injection_rate = {load}; deadlock_warn_timeout = 1000000;
"""
BESIDE = (("mesh-8x8", 0.365, 2, 8000), ("mesh-8x8x8", 0.355, 3, 700))  #: network, load, dimensions, sample period
ONE_PACKET = """
import time
import numpy as np
from pimsim.network.packets import Packets
from pimsim.noc import build_network
from pimsim.noc.network import route
mesh = build_network("mesh-8x8")
begin = time.process_time()
route(mesh, Packets(*(np.array([value]) for value in (0, 63, 5, 0))))
print(time.process_time() - begin)
"""


def offered(network: BuiltNetwork, load: float, cycles: int) -> Packets:
    """Uniform traffic."""
    return bernoulli_packets(uniform(network.topology), load, FLITS, cycles, 1)


def flit_hops(packets: Packets, arrivals: Arrivals) -> int:
    """Of packets that have all arrived."""
    return int((packets.size * (arrivals.hops + 1)).sum())


def rate(network: BuiltNetwork, packets: Packets) -> float:
    """Flit-hops a CPU second."""
    begin = time.process_time()
    arrivals = route(network, packets)
    return flit_hops(packets, arrivals) / (time.process_time() - begin)


def rate_of_booksim(booksim: str, load: float, n: int, period: int) -> float:
    """The same of BookSim 2; it prints flits accepted a cycle, and mean hops."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "run.cfg"
        config.write_text(BOOKSIM.format(n=n, load=load, period=period))
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        out = subprocess.run([booksim, str(config)], capture_output=True, text=True, check=False).stdout
        cpu_s = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    cycles, accepted, hops = (float(re.findall(pattern + r"\s*=?\s*([\d.]+)", out)[-1]) for pattern in (
        "Time taken is", "Accepted flit rate average", "Hops average"))  # fmt: skip
    return cycles * 8**n * accepted * (hops + 1) / cpu_s


def threads_gain(network: BuiltNetwork, packets: Packets) -> float:
    """How much sooner two runs end side by side than one after another, by wall clock."""

    def seconds(work: Callable[[], object]) -> float:
        begin = time.perf_counter()
        work()
        return time.perf_counter() - begin

    def both() -> None:
        pair = [Thread(target=route, args=(network, packets)) for _ in range(2)]
        for each in pair:
            each.start()
        for each in pair:
            each.join()

    return 2 * seconds(lambda: route(network, packets)) / seconds(both)


def first_calls() -> tuple[float, float]:
    """CPU seconds of the first packet in a process that compiles, and in the next one."""
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "PIMSIM_CACHE_DIR": folder}
        command = [sys.executable, "-c", ONE_PACKET]
        cold, warm = (subprocess.run(command, env=env, capture_output=True, check=True).stdout for _ in range(2))
    return float(cold), float(warm)


def main(booksim: str | None) -> None:
    """Print everything."""
    for name, load, cycles in LOADS:
        network = build_network(name)
        packets = offered(network, load, cycles)
        route(network, packets)
        rates = [rate(network, packets) for _ in range(RUNS)]
        print(f"{name:12} load {load:5}: {statistics.median(rates) / 1e6:5.1f} M flit-hops/s "
              f"({min(rates) / 1e6:.1f} to {max(rates) / 1e6:.1f})", flush=True)  # fmt: skip
    mesh = build_network("mesh-8x8")
    packets = offered(mesh, 0.3, 200_000)
    gains = [threads_gain(mesh, packets) for _ in range(RUNS)]
    print(f"two runs on two threads: {statistics.median(gains):.2f} times as fast "
          f"({min(gains):.2f} to {max(gains):.2f})")  # fmt: skip
    cold, warm = first_calls()
    print(f"first packet: {cold:.1f} CPU s with compilation, {warm:.2f} in the next process")
    for name, load, n, period in BESIDE if booksim else ():
        network = build_network(name)
        packets = offered(network, load, 4 * period)
        pairs = [(rate(network, packets), rate_of_booksim(str(booksim), load, n, period)) for _ in range(RUNS)]
        ours, theirs = (statistics.median(values) for values in zip(*pairs, strict=True))
        print(f"{name:12} load {load:5}: {ours / theirs:.1f} times BookSim 2 "
              f"({ours / 1e6:.1f} M against {theirs / 1e6:.3f} M)")  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
