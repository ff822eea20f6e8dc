"""The same seed gives the same on any number of threads, and figures that wide integers do not break."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pimsim
from pimsim.config.records import Mapping
from pimsim.functional.network.products import power
from pimsim.functional.network.quantisation import RANGE_BITS, Range, input_quantiser
from tests.unit.inference_networks import images_for, saved
from tests.unit.onnx_models import Graph

NOISY = {
    "format": "pimsim-device-1", "name": "noisy", "cell": {"g_min_us": 1.0, "g_max_us": 100.0},
    "programming": {"sigma": 0.02, "relative_to": "range"},
    "read_noise": {"thermal": False, "shot": False, "other": {"sigma": 0.05, "relative_to": "range"}},
}  # fmt: skip
OF_FLOAT = ("float_signal", "float_noise")  #: BLAS adds floating point in an order that depends on threads
SHOWN = ("histogram_codes", "histogram_counts")  #: sums in floating point without noise, which may lie on an edge

RUN = """
import sys
import numpy as np
import pimsim
from pimsim.results.inference import inference_json
network, images, device = sys.argv[1:]
print(inference_json(pimsim.infer(network, "isaac-ce", np.load(images), device=device, seed=3)))
"""


def test_squares_of_wide_integers_are_summed_without_overflow() -> None:
    wide = np.array([[2**60, -(2**60)], [2**33, 1]], np.int64)
    assert power(wide) == pytest.approx(2 * 2.0**120 + 2.0**66 + 1)


def test_wide_integers_have_a_signal() -> None:
    wide = ["mapping.input_bits=28", "mapping.weight_bits=24", "chip.tile.ima.adc.bits=5"]
    result = pimsim.infer("mlp-digits", "isaac-ce", "digits", images=2, calibration=2, overrides=wide)
    for layer in result.layers:
        assert layer.exact_signal > 2.0**80
        assert layer.exact_snr_db is not None and -40 < layer.exact_snr_db < 40


def test_a_calibrated_range_is_rounded_up_a_little() -> None:
    def largest(seen: float) -> float:
        return input_quantiser(Range(seen), 8, Mapping(unsigned_inputs=True))[0].scale * 255

    for seen in np.random.default_rng(0).lognormal(0, 5, 200):
        assert seen <= largest(seen) * (1 + 1e-15)
        assert largest(seen) <= seen * (1 + 2.0 ** (1 - RANGE_BITS))
    assert largest(1.0) == 1.0 and largest(0.75) == 0.75
    assert largest(1.7000001) == largest(1.7000002)


def test_crossbars_do_not_depend_on_the_threads_of_blas(tmp_path: Path) -> None:
    """With these images, the largest float values of both inner layers differ between one and two threads."""
    g = Graph(17)
    x = g("Relu", g("Conv", g.input("x", ["N", 8, 8, 8]), g.weight(16, 8, 3, 3), pads=[1] * 4))
    x = g("Relu", g("Conv", x, g.weight(16, 16, 3, 3), strides=[2, 2], pads=[1] * 4))
    network = saved(g.model(g("Gemm", g("Flatten", x), g.weight(256, 4))), tmp_path / "cnn.onnx")
    np.save(tmp_path / "images.npy", images_for((64, 8, 8, 8), seed=5))
    (tmp_path / "noisy.yaml").write_text(json.dumps(NOISY))
    one, two = (_with_threads(threads, network, tmp_path) for threads in (1, 2))
    assert one["agreement_fixed"]["count"] < 64  # the noise is felt
    assert one == two


def _with_threads(threads: int, network: str, folder: Path) -> Any:
    """Everything that a run of its own process says of crossbars and integers."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, network, str(folder / "images.npy"), str(folder / "noisy.yaml")],
        env={**os.environ, "OPENBLAS_NUM_THREADS": str(threads)}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    result = json.loads(done.stdout)
    for layer in result["layers"]:
        for name in (*OF_FLOAT, *SHOWN):
            del layer[name]
    return result
