"""Ports: whatever serves one job after another, in the order in which they ask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import simpy
from simpy.events import ProcessGenerator
from simpy.resources.resource import Request

from pimsim.mapping.program import UNITS, Program
from pimsim.mapping.timing import PortCounts


class Port:
    """One or more equal servers behind one queue, with counters."""

    def __init__(self, env: simpy.Environment, servers: int = 1) -> None:
        self.env = env
        self.servers = simpy.Resource(env, servers)
        self.busy_ps, self.wait_ps, self.count = 0, 0, 0

    def hold(self, request: Request, duration: int) -> ProcessGenerator:
        """Process: keep the server for ``duration`` ps, then let it go."""
        self.busy_ps += duration
        yield self.env.timeout(duration)
        self.servers.release(request)


def serve(env: simpy.Environment, *jobs: tuple[Port, int]) -> ProcessGenerator:
    """Ask several ports at once, and when all are free begin to hold each for its own duration [ps].

    Returns at the start of the service, with the time at which each port was free; a port that is free
    before the others waits for them.  A port that would be held for no time is not asked.
    """
    asked = env.now
    requests = [port.servers.request() if duration else None for port, duration in jobs]
    yield env.all_of([request for request in requests if request])
    free = []
    for request, (port, duration) in zip(requests, jobs, strict=True):
        if request:
            port.count += 1
            port.wait_ps += request.usage_since - asked
            env.process(port.hold(request, duration))
        free.append(request.usage_since if request else asked)
    return free


class Ports:
    """All ports of a system, by kind."""

    def __init__(self, env: simpy.Environment, program: Program) -> None:
        tiles = program.fabric.n_tiles
        banks = program.system.chip.tile.edram.banks
        self.host = [Port(env)]
        self.edram = [Port(env, 2 if banks >= 2 and not on_gpu else 1) for on_gpu in program.on_gpu.tolist()]
        self.core = [Port(env) for _ in range(tiles)]  #: of tiles that are GPU cores
        self.bus = [Port(env) for _ in range(tiles)]
        self.units = [[Port(env) for _ in range(tiles)] for _ in UNITS]  #: [unit][tile]
        self.dram = [Port(env) for _ in range(program.chips)]
        self.link = [Port(env) for _ in range(program.fabric.n_links)]

    def counts(self) -> dict[str, PortCounts]:
        """Counters of every kind of port."""
        kinds = {"host": self.host, "edram": self.edram, "bus": self.bus}
        kinds |= dict(zip(UNITS, self.units, strict=True))
        kinds |= {"dram": self.dram, "link": self.link, "core": self.core}
        return {name: _counted(ports) for name, ports in kinds.items()}


def _counted(ports: Sequence[Port]) -> PortCounts:
    rows = np.array([(port.busy_ps, port.wait_ps, port.count) for port in ports], dtype=np.int64).reshape(-1, 3)
    return PortCounts(*rows.T)
