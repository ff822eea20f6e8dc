"""`pimsim infer` as a process of its own: equal bytes, fast help, Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INFER = (sys.executable, "-m", "pimsim", "infer")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
pytest.importorskip("sklearn", reason="the digits are scikit-learn's")


def test_two_runs_write_the_same_bytes_for_any_number_of_threads(tmp_path: Path) -> None:
    arguments = ("mlp-digits", "--arch", "isaac-ce", "--data", "digits", "--images", "40",
                 "--device", "reram-crosssim-isaac", "--quiet")  # fmt: skip
    for name, threads in (("a", "1"), ("b", "2")):
        environment = {**ENVIRONMENT, "OPENBLAS_NUM_THREADS": threads, "NUMBA_NUM_THREADS": threads}
        done = subprocess.run([*INFER, *arguments, "--out", str(tmp_path / name)], capture_output=True, text=True,
                              env=environment, check=False, timeout=300)  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert {"inference.json", "layers.csv", "decisions.png", "layer_values.svg"} <= set(names)
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_help_imports_nothing_that_takes_long() -> None:
    code = (
        "import sys; from pimsim.cli import main; main(['infer', '--help']);"
        "slow = {'numba', 'numpy', 'matplotlib', 'pydantic', 'networkx', 'rich', 'onnx'} & set(sys.modules);"
        "sys.exit(f'imported {slow}' if slow else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


def test_ctrl_c_ends_with_130_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    values = ",".join(str(bits) for bits in range(2, 17))
    command = [*INFER, "lstm-digits", "--arch", "isaac-ce", "--data", "digits", "--sweep",
               f"mapping.weight_bits={values}", "--tier", "T1", "--out", str(tmp_path / "a" / "out")]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (tmp_path / "a").exists():
        time.sleep(0.05)
    time.sleep(1.0)  # it has begun to execute, or to compile
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert (process.returncode, out, error.strip()) == (130, "", "pimsim: interrupted")
    assert not list(tmp_path.iterdir())
