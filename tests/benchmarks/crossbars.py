"""Products in crossbars: CPU seconds on one unit of work, and CrossSim beside it.  Printed, never passed or failed on.

    python -m tests.benchmarks.crossbars                     everything (two to three minutes)
    python -m tests.benchmarks.crossbars multiply values     only what is named: multiply program threads values

The unit of work: a matrix of 1024 x 1024 weights of 16 bits (offset or flip encoding) in 8 slices of 2-bit cells meets
256 vectors of 16-bit unsigned inputs, driven bit by bit; crossbars of 128 x 128 and an 8-bit ADC that saturates, one
level a step: 268.4 million conversions.  One thread, CPU seconds, medians of RUNS after one run that is not counted;
everything named is interleaved.

CrossSim (3.2; BITSLICED core with OFFSET slices and DIGITAL_OFFSET, 128 rows, 1-bit input slices, an ADC conversion for
each, infinite on/off ratio) runs beside where its package ``simulator`` can be imported.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # before numpy is imported

import platform  # noqa: E402
import statistics  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Mapping  # noqa: E402
from dataclasses import dataclass, replace  # noqa: E402
from pathlib import Path  # noqa: E402
from threading import Thread  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

from pimsim.config.device import Device  # noqa: E402
from pimsim.functional import Arithmetic, ProgrammedMatrix, program_matrix  # noqa: E402
from pimsim.reference.crossbar import reference_matmul  # noqa: E402

try:
    import simulator as crosssim
except ImportError:
    crosssim = None

RUNS = 5
VECTORS, ROWS, OUTPUTS = 256, 1024, 1024
CONVERSIONS = VECTORS * OUTPUTS * (ROWS // 128) * 8 * 16
OFFSET = Arithmetic(signed_inputs=False, encoding="offset")
FLIP = Arithmetic(signed_inputs=False, encoding="flip")
IDEAL_ADC = replace(FLIP, adc_bits=0)
SIGMA = 0.02  #: programming error, of the range of conductances
FEW = 2  #: vectors for CrossSim with read noise, which it draws anew for every cell in every conversion


def _device(**parts: Mapping[str, Any]) -> Device:
    cell = {"g_min_us": 0.5, "g_max_us": 500.0}
    record = {"format": "pimsim-device-1", "name": "benchmark", "source": "a benchmark", "cell": cell, **parts}
    return Device.model_validate(record)


PROGRAMMING = {"sigma": SIGMA, "relative_to": "range"}
READ_NOISE = {"voltage_v": 0.01, "frequency_mhz": 100.0, "temperature_k": 300.0}
OFF = _device(programming=PROGRAMMING)
NOISY = _device(read_noise=READ_NOISE)
OFF_AND_NOISY = _device(programming=PROGRAMMING, read_noise=READ_NOISE)


@dataclass(frozen=True)
class Case:
    """A way of computing the unit of work."""

    name: str
    arithmetic: Arithmetic
    device: Device | None = None
    tier: str | None = None
    required_s: float | None = None  #: figure to reach


CASES = (
    Case("T0: a GEMM, no column can clip", OFFSET, required_s=0.02),
    Case("T1: bits counted, offset", OFFSET, tier="T1", required_s=0.25),
    Case("T1: bits counted, flip", FLIP, tier="T1", required_s=0.25),
    Case("T2: tables, ideal levels", OFFSET, tier="T2", required_s=0.6),
    Case("T2: tables, programming error", OFFSET, OFF, required_s=0.6),
    Case("T3: bits counted, noisy reads", OFFSET, NOISY, required_s=0.4),
    Case("T3: tables, noisy reads and programming error", OFFSET, OFF_AND_NOISY),
    Case("T3b: noisy reads, ideal ADC", IDEAL_ADC, NOISY),
    Case("T3b: noisy reads, forced upon 8 bits", OFFSET, NOISY, tier="T3b"),
)


def operands(vectors: int = VECTORS, rows: int = ROWS, outputs: int = OUTPUTS) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (V, K) and weights (K, N); the smallest weight is left out, which CrossSim does not have."""
    random = np.random.default_rng(0)
    return random.integers(0, 1 << 16, (vectors, rows)), random.integers(-(2**15) + 1, 2**15, (rows, outputs))


def interleaved(works: Mapping[str, Callable[[], object]]) -> dict[str, list[float]]:
    """CPU seconds of RUNS runs of each, after a run that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for run in range(RUNS + 1):
        for name, work in works.items():
            begin = time.process_time()
            work()
            if run:
                seconds[name].append(time.process_time() - begin)
    return seconds


def _print(name: str, seconds: list[float], note: str = "") -> None:
    spread = f"{statistics.median(seconds):8.4f} ({min(seconds):.4f} to {max(seconds):.4f})"
    print(f"  {name:50}{spread}  {note}".rstrip(), flush=True)


def processor() -> str:
    """The processor's name and whether it counts the ones of many words at once (AVX-512 VPOPCNTDQ)."""
    found: dict[str, str] = {}
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            found.setdefault(key.strip(), value.strip())
    except OSError:
        pass
    name = f"{found.get('model name') or platform.processor() or platform.machine()} family {found.get('cpu family')}"
    words = found.get("flags", "").split()
    return f"{name}, VPOPCNTDQ: {('yes' if 'avx512_vpopcntdq' in words else 'no') if words else 'unknown'}"


def programmed(case: Case, weights: np.ndarray, inputs: np.ndarray) -> ProgrammedMatrix:
    """The case's matrix, ready to be multiplied."""
    matrix = program_matrix(weights, case.arithmetic, device=case.device, tier=case.tier)
    if matrix.approximate:
        matrix.match_moments(inputs)
    return matrix


def multiply() -> None:
    """The unit of work in every tier, and CrossSim's."""
    inputs, weights = operands()
    matrices = {case.name: programmed(case, weights, inputs) for case in CASES}
    works: dict[str, Callable[[], object]] = {
        name: lambda matrix=matrix: matrix.multiply(inputs) for name, matrix in matrices.items()
    }  # fmt: skip
    for name, (core, vectors) in _crosssim_cores(inputs, weights).items():
        works[name] = lambda core=core, vectors=vectors: core @ vectors
    seconds = interleaved(works)
    print(f"CPU s for {CONVERSIONS / 1e6:.1f} M conversions; median (least to most)")
    for case in CASES:
        tiers = ", ".join(matrices[case.name].tiers)
        wanted = f"to reach: {case.required_s}" if case.required_s else ""
        _print(case.name, seconds.pop(case.name), f"{tiers:4}{wanted}")
    for name, taken in seconds.items():
        _print(name, taken)
    if crosssim is None:
        print("  CrossSim is not installed: no package is called simulator")


def program() -> None:
    """Programming the same matrices."""
    inputs, weights = operands()
    seconds = interleaved({case.name: lambda case=case: programmed(case, weights, inputs) for case in CASES})
    print("CPU s to program the matrix (T3b forced: to match moments too)")
    for name, taken in seconds.items():
        _print(name, taken)


def threads() -> None:
    """Two products at a time on two threads, by wall clock."""
    inputs, weights = operands()
    for case in CASES[:2]:
        matrix = programmed(case, weights, inputs)
        gains = [_gain(lambda matrix=matrix: matrix.multiply(inputs)) for _ in range(RUNS + 1)][1:]
        print(f"{case.name}: two on two threads {statistics.median(gains):.2f} times as fast as one after another "
              f"({min(gains):.2f} to {max(gains):.2f})")  # fmt: skip


def _gain(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    work()
    middle = time.perf_counter()
    pair = [Thread(target=work) for _ in range(2)]
    for each in pair:
        each.start()
    for each in pair:
        each.join()
    return (middle - begin) / (time.perf_counter() - middle)


def values() -> None:
    """What comes out: the reference, T1 and CrossSim, at 8, 7 and 6 bits."""
    for bits in (8, 7, 6):
        compare_values(bits)


def compare_values(bits: int) -> dict[str, float]:
    """Largest difference from the reference, of its largest value; printed.

    An ADC of CrossSim with GRANULAR range has a step of 2^16 / (2^16 - 1) levels for unsigned 16-bit inputs, while the
    digital offset is taken off without that factor: products are too large by it, and after division by it the offset,
    2^15 x sum of the inputs, counts 2^-16 too little.  With the range CALIBRATED to one level a step there is no such
    term.
    """
    inputs, weights = operands(8, 256, 8)  # whole crossbars: of 200 rows CrossSim makes twice 100
    inputs[:2], weights[:, 0] = 0xFFFF, 2**15 - 1  # sums beyond 8 bits
    arithmetic = replace(OFFSET, adc_bits=bits)
    reference = reference_matmul(inputs, weights, arithmetic)
    found = {"T1": program_matrix(weights, arithmetic, tier="T1").multiply(inputs).values.astype(float)}
    if crosssim is not None:
        offset = 2.0**15 * inputs.sum(axis=1, keepdims=True)
        granular = _crosssim_product(inputs, weights, bits, "GRANULAR")
        found["CrossSim, granular range, as it comes"] = granular
        found["CrossSim, granular range, without the known term"] = granular * (1 - 2.0**-16) - 2.0**-16 * offset
        found["CrossSim, calibrated range"] = _crosssim_product(inputs, weights, bits, "CALIBRATED")
    largest = np.abs(reference.values).max()
    errors = {name: float(np.abs(each - reference.values).max() / largest) for name, each in found.items()}
    print(f"{bits}-bit ADC, {reference.clipped / reference.conversions:.1%} of conversions cut off; "
          "largest difference from the reference, of the largest value:")  # fmt: skip
    for name, error in errors.items():
        print(f"  {name:50}{error:.1e}")
    return errors


# CrossSim: its parameters for the unit of work


def _crosssim_parameters(bits: int = 8, adc_range: str = "GRANULAR", columns: int = 0) -> Any:
    """Columns: of an array; 0: as many as there are outputs, which is faster and changes no value."""
    from simulator.parameters import core_parameters as core
    from simulator.parameters.xbar_parameters import ADCRangeLimits

    p = crosssim.CrossSimParameters()  # type: ignore[union-attr]
    p.core.style, p.core.weight_bits, p.core.rows_max, p.core.cols_max = core.CoreStyle.BITSLICED, 16, 128, columns
    p.core.bit_sliced.style, p.core.bit_sliced.num_slices = core.BitSlicedCoreStyle.OFFSET, 8
    p.core.offset.style = core.OffsetCoreStyle.DIGITAL_OFFSET
    scale = p.core.mapping.weights
    scale.percentile, scale.min, scale.max = None, -(2.0**15) + 1, 2.0**15 - 1
    p.core.mapping.inputs.mvm.min, p.core.mapping.inputs.mvm.max = 0.0, 2.0**16 - 1
    p.xbar.device.cell_bits, p.xbar.device.infinite_on_off_ratio = 2, True
    dac = p.xbar.dac.mvm
    dac.model, dac.bits, dac.signed, dac.input_bitslicing, dac.slice_size = "QuantizerDAC", 16, False, True, 1
    p.xbar.adc.mvm.model = "QuantizerADC"
    adc = p.xbar.adc.mvm  # another record since its model is another
    adc.bits, adc.signed, adc.adc_per_ibit, adc.adc_range_option = bits, False, True, ADCRangeLimits[adc_range]
    if adc_range == "CALIBRATED":
        adc.calibrated_range = [[0.0, (2**bits - 1) / 3]] * 8  # in units of the top level, 3
    return p


def _crosssim_product(inputs: np.ndarray, weights: np.ndarray, bits: int, adc_range: str) -> np.ndarray:
    core = crosssim.AnalogCore(weights.T.astype(float), _crosssim_parameters(bits, adc_range))  # type: ignore[union-attr]
    return np.asarray(core @ inputs.T.astype(float)).T


def _crosssim_cores(inputs: np.ndarray, weights: np.ndarray) -> dict[str, tuple[Any, np.ndarray]]:
    """Programmed cores by name, and the vectors that each meets."""
    if crosssim is None:
        return {}
    square, off, noisy = _crosssim_parameters(columns=128), _crosssim_parameters(), _crosssim_parameters()
    for error, size in ((off.xbar.device.programming_error, SIGMA), (noisy.xbar.device.read_noise, 0.001)):
        error.enable, error.model, error.magnitude = True, "NormalIndependentDevice", size
    variants = (
        ("CrossSim, float64", _crosssim_parameters(), np.float64, VECTORS),
        ("CrossSim, float64, arrays of 128 columns", square, np.float64, VECTORS),
        ("CrossSim, float32", _crosssim_parameters(), np.float32, VECTORS),
        ("CrossSim, float64, programming error", off, np.float64, VECTORS),
        (f"CrossSim, float64, read noise, {FEW} vectors", noisy, np.float64, FEW),
    )
    return {
        name: (crosssim.AnalogCore(weights.T.astype(kind), parameters), inputs[:count].T.astype(kind))
        for name, parameters, kind, count in variants
    }


if __name__ == "__main__":
    print(processor())
    for name in sys.argv[1:] or ("multiply", "program", "threads", "values"):
        globals()[name]()
