"""Whole networks on crossbars: CPU seconds an image, where they go, memory.  Printed, never passed or failed on.

    python -m tests.benchmarks.inference                   everything (some minutes)
    python -m tests.benchmarks.inference resnet profile    only what is named: resnet profile memory networks

ResNet-20's shape with random weights and random images in CIFAR-10's shape on isaac-ce; one thread, CPU seconds,
medians of RUNS after one run that is not counted.  "Crossbars alone" is what the network takes when its layers are
executed on crossbars and nothing else: quantised, laid out as vectors, multiplied, scaled, with the exact product that
every layer is compared with, and all that is digital; a call of ``infer`` executes the network in floating point too.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # before numpy is imported

import cProfile  # noqa: E402
import pstats  # noqa: E402
import resource  # noqa: E402
import statistics  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import onnx  # noqa: E402

import pimsim  # noqa: E402
from pimsim.config import load_system  # noqa: E402
from pimsim.datasets import load_dataset  # noqa: E402
from pimsim.errors import InputError  # noqa: E402
from pimsim.functional.crossbar import program_matrix  # noqa: E402
from pimsim.functional.network.executor import Executor  # noqa: E402
from pimsim.functional.network.graph import build_network  # noqa: E402
from pimsim.functional.network.preparation import images_at_once, on_crossbars, prepare  # noqa: E402
from pimsim.mapping.compile import map_network  # noqa: E402
from pimsim.workload.lowering import lower  # noqa: E402
from pimsim.workload.onnx_import import import_model  # noqa: E402
from tests.benchmarks.crossbars import NOISY, interleaved, processor  # noqa: E402
from tests.benchmarks.networks import resnet20  # noqa: E402

REQUIRED_S = 0.05  #: an image, ResNet-20's shape, exact
IMAGES = 20  #: a run
SLOW_IMAGES = 5  #: a run where conversions are done one by one
MEMORY_IMAGES = (64, 512)
SHIPPED = (("mlp-digits", "digits"), ("lstm-digits", "digits"), ("lenet5-mnist5k", "mnist5k"),
           ("lstm-mnist5k", "mnist5k"), ("lenet5-fashion", "fashion-mnist"),
           ("resnet8-fashion", "fashion-mnist"))  #: networks and their data  # fmt: skip
FIRST = 1000  #: number of the first image that is timed: the first few of a call are those that histograms show
PARTS = (
    ("quantise inputs", "network/quantisation.py", "integers"),
    ("windows as vectors", "network/windows.py", "vectors_of"),
    ("products on crossbars", "functional/crossbar.py", "multiply"),
    ("exact products to compare with", "network/products.py", "exact"),
    ("layers, all of the above included", "network/layers.py", "run"),
)  #: what is told of a profile: file and function, with all that they call


def images(count: int) -> np.ndarray:
    """Random images in the shape of CIFAR-10's."""
    return np.random.default_rng(1).normal(0, 1, (count, 3, 32, 32)).astype(np.float32)


class OnCrossbars:
    """ResNet-20's shape, ready to be executed."""

    def __init__(self, **options: Any) -> None:
        model = resnet20()
        workload = import_model(model)
        dataflow = lower(workload)
        program = map_network(dataflow, load_system("isaac-ce"))
        self.executor = Executor(build_network(model, workload, dataflow))
        self.at_once = images_at_once(program)
        prepared = prepare(self.executor, program, [images(8)], program_matrix)
        mitigation = program.system.mapping.mitigation
        self.fixed, self.crossbars = on_crossbars(self.executor.network, prepared, 10**6, mitigation,
                                                  **{"device": None, "seed": 0, "tier": None, **options})  # fmt: skip
        self.tiers = sorted({tier for step in self.crossbars for each in step for matrix in each.matrices
                             for tier in matrix.tiers})  # fmt: skip

    def alone(self, batch: np.ndarray) -> None:
        """Crossbars alone."""
        self._batched(batch, lambda part, first: self.executor.alone(part, self.crossbars, first))

    def together(self, batch: np.ndarray) -> None:
        """As in a call of ``infer``: beside floating point, layers compared."""
        self._batched(batch, lambda part, first: self.executor.together(part, self.fixed, self.crossbars, first))

    def floats(self, batch: np.ndarray) -> None:
        """In floating point."""
        self._batched(batch, lambda part, _: self.executor.floats(part))

    def first_images(self) -> None:
        """Crossbars alone, for a batch that histograms show."""
        self.executor.alone(images(self.at_once), self.crossbars, 0)

    def _batched(self, batch: np.ndarray, execute: Callable[[np.ndarray, int], object]) -> None:
        for first in range(0, len(batch), self.at_once):
            execute(batch[first : first + self.at_once], FIRST + first)


def resnet() -> None:
    """CPU seconds an image, by what cells and converters are like."""
    exact, counting, noisy = OnCrossbars(), OnCrossbars(tier="T1"), OnCrossbars(device=NOISY)
    many, few = images(IMAGES), images(SLOW_IMAGES)
    works: dict[str, tuple[Callable[[np.ndarray], None], np.ndarray]] = {
        f"crossbars alone, exact ({_tiers(exact)})": (exact.alone, many),
        "beside floating point, compared, exact": (exact.together, many),
        "floating point": (exact.floats, many),
        f"crossbars alone, forced ({_tiers(counting)})": (counting.alone, few),
        f"crossbars alone, noisy reads ({_tiers(noisy)})": (noisy.alone, few),
    }
    seconds = interleaved({name: lambda work=work: work[0](work[1]) for name, work in works.items()})
    print(f"ResNet-20's shape, isaac-ce, {exact.at_once} images at a time: CPU s an image, median (least to most)")
    for name, taken in seconds.items():
        each = [one / len(works[name][1]) for one in taken]
        wanted = f"  to reach: {REQUIRED_S}" if name.startswith("crossbars alone, exact") else ""
        print(f"  {name:50}{statistics.median(each):8.4f} ({min(each):.4f} to {max(each):.4f}){wanted}", flush=True)


def _tiers(network: OnCrossbars) -> str:
    return " and ".join(network.tiers)


def profile() -> None:
    """Where the time of crossbars alone goes, exact."""
    exact, batch = OnCrossbars(), images(IMAGES)
    exact.alone(batch)
    profiler = cProfile.Profile(time.process_time)
    profiler.runcall(exact.alone, batch)
    found = pstats.Stats(profiler)
    whole = found.total_tt  # type: ignore[attr-defined]
    print(f"crossbars alone, exact: {whole / IMAGES * 1e3:.1f} ms an image, of which")
    for name, file, function in PARTS:
        inside = sum(row[3] for key, row in found.stats.items()  # type: ignore[attr-defined]
                     if Path(key[0]).as_posix().endswith(file) and key[2] == function)  # fmt: skip
        print(f"  {name:50}{inside / IMAGES * 1e3:8.1f} ms {inside / whole:6.0%}")
    begin = time.process_time()
    exact.first_images()
    more = time.process_time() - begin - whole / IMAGES * exact.at_once
    print(f"once in a call, for the first images: histograms, {more:.2f} CPU s")


INFER = """
import sys, time
import pimsim
from tests.benchmarks.inference import images, peak_mib
given = images(int(sys.argv[2]))
before, begin = peak_mib(), time.process_time()
pimsim.infer(sys.argv[1], "isaac-ce", given)
print(before, peak_mib(), time.process_time() - begin)
"""


def peak_mib() -> float:
    """Most memory that this process has held: Linux's own figure, as getrusage passes a parent's on to its children."""
    try:
        line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return int(line.split()[1]) / 1024


def memory() -> None:
    """Peak memory of whole calls of ``infer``, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "resnet20.onnx"
        onnx.save(resnet20(), str(path))
        for count in MEMORY_IMAGES:
            out = subprocess.run([sys.executable, "-c", INFER, str(path), str(count)], capture_output=True, text=True,
                                 check=True).stdout  # fmt: skip
            before, most, cpu_s = map(float, out.split())
            print(f"infer, ResNet-20's shape, {count:4} images: peak {most:.0f} MiB, {before:.0f} with the images and "
                  f"before the call; {cpu_s / count:.3f} CPU s an image", flush=True)  # fmt: skip


def networks() -> None:
    """Whole calls of ``infer`` for 1,000 images, or as many as there are."""
    for network, data in SHIPPED:
        try:
            count = min(1000, len(load_dataset(data)))
        except InputError as error:
            print(f"{network:16}{data:15}{error}")
            continue
        begin = time.process_time()
        found = pimsim.infer(network, "isaac-ce", data, images=count)
        cpu_s = time.process_time() - begin
        assert found.accuracy is not None
        print(f"{network:16}{data:15}{count:5} images: {cpu_s:6.2f} CPU s; accuracy {found.accuracy.share:.1%}, "
              f"decided as in fixed point: {found.agreement_fixed.share:.1%}", flush=True)  # fmt: skip


if __name__ == "__main__":
    print(processor())
    for name in sys.argv[1:] or ("resnet", "profile", "memory", "networks"):
        globals()[name]()
