"""The command as a process of its own: start, Ctrl-C, closed pipes, full disks, equal bytes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PIMSIM = (sys.executable, "-m", "pimsim")
ROOT = Path(__file__).resolve().parents[2]
LENET = ("run", "lenet5", "--arch", "isaac-ce")


def pimsim(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*PIMSIM, *arguments], capture_output=True, text=True, env=environment, check=False, timeout=300, **options
    )  # type: ignore[call-overload,no-any-return]


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert pimsim(*LENET, "--batch", "8", "--out", str(tmp_path / name), "--quiet").returncode == 0
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert "result.json" in files and "timeline.svg" in files
    for name in files:
        same = (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        assert same or name == "run_info.json", name


def test_help_imports_nothing_that_takes_long() -> None:
    code = (
        "import sys; from pimsim.cli import main; main(['--help']);"
        "slow = {'numba', 'numpy', 'matplotlib', 'onnx', 'pydantic', 'networkx'} & set(sys.modules);"
        "sys.exit(f'imported {slow}' if slow else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


def test_ctrl_c_ends_with_130_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    outputs = ("--out", str(tmp_path / "a" / "out"), "--trace", str(tmp_path / "t.json"))
    arguments = [*PIMSIM, *LENET, "--batch", "50000", *outputs]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    deadline = time.monotonic() + 120  # the first run compiles before it simulates
    while time.monotonic() < deadline and not any(path.stat().st_size > 10**6 for path in tmp_path.glob(".t.json*")):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error.strip() == "pimsim: interrupted"
    assert not list(tmp_path.iterdir())


def test_ctrl_c_while_starting_is_quiet_too() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    arguments = [*PIMSIM, "run", "vgg16", "--arch", "isaac-ce-16", "--batch", "64"]
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert (process.returncode, out, error.strip()) == (130, "", "pimsim: interrupted")


def test_a_closed_pipe_is_quiet() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for options in ((), ("--json",)):
        process = subprocess.Popen(
            [*PIMSIM, *LENET, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=60) == 1
        process.stderr.close()


def test_an_output_on_a_full_disk_is_one_line() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for options in ((), ("--json",)):
        with open("/dev/full", "w") as full:
            command = [*PIMSIM, *LENET, *options]
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment, check=False)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "No space left on device" in done.stderr


def test_a_closed_stdout_is_quiet() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for command in (("schema", "system"), LENET):
        line = f"{sys.executable} -m pimsim {' '.join(command)} >&-"
        done = subprocess.run(["sh", "-c", line], stderr=subprocess.PIPE, text=True, env=environment, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_cache_that_cannot_be_kept_goes_with_the_process(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code = "from pimsim.engine.cache import use_cache; print(use_cache(), use_cache())"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PIMSIM_CACHE_DIR": str(tmp_path / "file" / "cache"),
                   "TMPDIR": str(tmp_path)}  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    first, second = done.stdout.split()
    assert first == second and first.startswith(str(tmp_path))
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_errors_go_to_stderr_in_one_line() -> None:
    done = pimsim("run", "lenet5", "--arch", "isaac-ce", "--batch", "0")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
