"""`pimsim noc` as a process of its own: equal bytes, fast help, Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOC = (sys.executable, "-m", "pimsim", "noc")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def noc(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run([*NOC, *arguments], capture_output=True, text=True, env=ENVIRONMENT, check=False, timeout=300)


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("src,dst,size,ctime\n0,8;63,4,0\n1,4,2,3\n")
    curve = ("curve", "mesh-8x8", "--traffic", "uniform", "--loads", "0.1,0.2", "--packets", "500")
    for name, threads in (("a", "1"), ("b", "2")):
        done = noc(*curve, "--threads", threads, "--out", str(tmp_path / name), "--quiet")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        done = noc("replay", "mesh-8x8", str(tmp_path / "p.csv"), "--out", str(tmp_path / name), "--quiet")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert {"curve.json", "packets.npz", "channels.png", "latency.svg"} <= set(files)
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_help_imports_nothing_that_takes_long() -> None:
    code = (
        "import sys; from pimsim.cli import main; main(['noc', 'curve', '--help']);"
        "slow = {'numba', 'numpy', 'matplotlib', 'pydantic', 'networkx', 'rich'} & set(sys.modules);"
        "sys.exit(f'imported {slow}' if slow else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


def test_ctrl_c_ends_with_130_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    command = [*NOC, "curve", "mesh-8x8x8", "--traffic", "uniform", "--out", str(tmp_path / "a" / "out")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (tmp_path / "a").exists():
        time.sleep(0.05)
    time.sleep(1.0)  # it has begun to simulate, or to compile
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert (process.returncode, out, error.strip()) == (130, "", "pimsim: interrupted")
    assert not list(tmp_path.iterdir())


def test_a_deadlock_is_told_by_check_and_refused_by_curve() -> None:
    ring = ("--set", "noc.routing={kind: dimension_order, dateline: false}")
    checked = noc("check", "torus-8x8", *ring)
    assert checked.returncode == 1 and "router (7, 0) -> router (0, 0)" in checked.stdout
    refused = noc("curve", "torus-8x8", "--traffic", "tornado", *ring)
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
