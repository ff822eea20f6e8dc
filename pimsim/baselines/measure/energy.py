"""Energy meters of processors: what was drawn from one moment to the next, where the processor tells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Meter = Callable[[], float]  #: energy since some fixed moment [uJ]

RAPL = Path("/sys/class/powercap/intel-rapl:0")  #: first package; AMD's counters are there too


def energy_meter(kind: str) -> tuple[Meter | None, str]:
    """The meter of a device (cpu or cuda) and what it counts; None, and why, where there is none."""
    return _of_gpu() if kind == "cuda" else _of_cpu()


def _of_cpu() -> tuple[Meter | None, str]:
    counter = RAPL / "energy_uj"
    try:
        float(counter.read_text())
        wraps_at = float((RAPL / "max_energy_range_uj").read_text())
    except (OSError, ValueError):
        return None, "energy not measured: the processor's counters (RAPL) cannot be read here"
    return _unwrapped(lambda: float(counter.read_text()), wraps_at), "energy of the processor's package, from RAPL"


def _unwrapped(read: Meter, wraps_at: float) -> Meter:
    """A counter that starts anew at ``wraps_at``; it must be read once a round at least."""
    state = {"last": read(), "rounds": 0.0}

    def total() -> float:
        now = read()
        if now < state["last"]:
            state["rounds"] += wraps_at
        state["last"] = now
        return state["rounds"] + now

    return total


def _of_gpu() -> tuple[Meter | None, str]:
    try:
        import pynvml

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except ImportError:
        return None, "energy not measured: needs NVIDIA's NVML (pip install nvidia-ml-py)"
    except Exception as error:  # NVML's own exceptions: an older GPU, no driver
        return None, f"energy not measured: NVML says {error}"
    return (
        lambda: 1e3 * float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)),
        "energy of the board, from NVML's counter",
    )
