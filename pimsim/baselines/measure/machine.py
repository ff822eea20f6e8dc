"""What the processor at hand says of itself."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

from pimsim.baselines.measured_files import MeasuredDevice

_QUERY = "name,driver_version,clocks.sm,clocks.mem,power.limit,memory.total"


def describe_device(kind: str, threads: int | None) -> MeasuredDevice:
    """Name, memory, driver and clocks as far as they are told.

    Args:
        kind: cpu or cuda.
        threads: of the runtime, on a CPU.
    """
    return _cuda() if kind == "cuda" else _cpu(threads)


def _cpu(threads: int | None) -> MeasuredDevice:
    facts = _cpu_facts()
    name = facts.get("model name") or platform.processor() or platform.machine()
    if "cpu family" in facts and not any(character.isdigit() for character in name):
        name = f"{name} family {facts['cpu family']} model {facts.get('model', '?')}"  # virtual machines hide the name
    clock = {"core": float(facts["cpu MHz"])} if "cpu MHz" in facts else {}
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
    memory = round(pages / 2**30, 1) or None
    return MeasuredDevice(kind="cpu", name=name, threads=threads, memory_gib=memory, clocks_mhz=clock)


def _cpu_facts() -> dict[str, str]:
    """The first processor in Linux's list; nothing elsewhere."""
    facts: dict[str, str] = {}
    path = Path("/proc/cpuinfo")
    for line in path.read_text().splitlines() if path.exists() else ():
        key, separator, value = line.partition(":")
        if not separator and facts:
            break
        facts[key.strip()] = value.strip()
    return facts


def _cuda() -> MeasuredDevice:
    """The first GPU, as nvidia-smi sees it."""
    told = _nvidia_smi()
    if told is None:
        return MeasuredDevice(kind="cuda", name="CUDA device")
    name, driver, core, memory, power, total = told
    clocks = {key: float(value) for key, value in (("sm", core), ("memory", memory)) if _is_number(value)}
    return MeasuredDevice(
        kind="cuda", name=name, driver=driver, clocks_mhz=clocks,
        power_limit_w=float(power) if _is_number(power) else None,
        memory_gib=round(float(total) / 1024, 1) if _is_number(total) else None,
    )  # fmt: skip


def _nvidia_smi() -> list[str] | None:
    command = ["nvidia-smi", f"--query-gpu={_QUERY}", "--format=csv,noheader,nounits", "--id=0"]
    try:
        text = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    fields = [field.strip() for field in text.strip().splitlines()[0].split(",")] if text.strip() else []
    return fields if len(fields) == len(_QUERY.split(",")) else None


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()
