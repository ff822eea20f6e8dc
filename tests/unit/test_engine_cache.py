"""Compiled code is found again by the next process, and never outlives an edit to what it calls."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

RUN = """
import sys
from pathlib import Path
from numba.core import event

class Compilations(event.Listener):
    count = 0
    def on_start(self, event): Compilations.count += 1
    def on_end(self, event): pass

event.register("numba:compile", Compilations())
from pimsim.arch.run import run_compiled
from pimsim.config import load_system
from pimsim.mapping.compile import map_network
sys.path.insert(0, sys.argv[1])
from tests.networks import Network
net = Network()
net.conv(net.input(4, 4, 2), 3)
program = map_network(net.finish(), load_system("isaac-ce", ["mapping.interval_windows=16"]))
timing = run_compiled(program, components=[Path(path) for path in sys.argv[2:]])
print(int(timing.image_done_ps[0]), Compilations.count)
"""

SLOW_WRITE = """
from pimsim.arch.layout import LEAF
from pimsim.engine.events import schedule
from pimsim.engine.registry import event

@event("deliver")
def write_slowly(M, T, at, H, now, leaf):
    schedule(M, at, H, now + {delay}, at.begin_arrived + leaf)
"""


def run(cache: Path, *components: Path) -> tuple[int, int]:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(RUN), str(root), *map(str, components)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PIMSIM_CACHE_DIR": str(cache), "PYTHONPATH": str(root)},
    )
    time_ps, compilations = done.stdout.split()
    return int(time_ps), int(compilations)


def test_a_second_process_compiles_nothing_and_an_edited_component_counts(tmp_path):
    cache, component = tmp_path / "cache", tmp_path / "slow_write.py"
    own, compiled = run(cache)
    assert compiled > 0
    assert run(cache) == (own, 0)

    component.write_text(SLOW_WRITE.format(delay=1_000_000))
    slow, _ = run(cache, component)
    component.write_text(SLOW_WRITE.format(delay=3_000_000))
    slower, _ = run(cache, component)
    assert own < slow < slower
    assert run(cache, component) == (slower, 0)
    assert run(cache) == (own, 0)
