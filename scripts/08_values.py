"""Values: what comes out of crossbars, for one matrix and for a network, with ideal cells and with real ones.

    python scripts/08_values.py

The same for a network from the command line:

    pimsim device show reram-pytorx
    pimsim infer mlp-digits --arch isaac-ce --data digits --device reram-pytorx --out values
"""

import tempfile
from pathlib import Path

import numpy as np

import pimsim
from pimsim.config import load_device, load_system
from pimsim.functional import crossbar_matmul

CELLS = """
format: pimsim-device-1
name: cells of my own
source: a tutorial
cell: {g_min_us: 2, g_max_us: 200}
programming: {sigma: 0.01, relative_to: range}
read_noise: {voltage_v: 0.2, frequency_mhz: 100, temperature_k: 300}
"""


def one_matrix(device_file: Path) -> None:
    """16-bit integers through ISAAC's crossbars: exact, with a converter that is too narrow, with cells of my own."""
    random = np.random.default_rng(0)
    inputs, weights = random.integers(-(2**15), 2**15, (4, 300)), random.integers(-(2**15), 2**15, (300, 8))
    exact = inputs @ weights
    cases = {
        "8-bit ADCs": (load_system("isaac-ce"), None),
        "6-bit ADCs": (load_system("isaac-ce", ["chip.tile.ima.adc.bits=6"]), None),
        "cells of my own": (load_system("isaac-ce"), load_device(device_file)),
    }
    for name, (system, device) in cases.items():
        product = crossbar_matmul(inputs, weights, system, device)
        error = np.abs(product.values - exact).max() / np.abs(exact).max()
        print(f"{name}: largest error {error:.2%}, {product.clipped} of {product.conversions:,} conversions clipped")


def one_network(device_file: Path) -> None:
    """The same cells in a network: how often it still decides as in exact arithmetic."""
    for sigma in (0.0, 0.01, 0.03):
        result = pimsim.infer("mlp-digits", "isaac-ce", "digits", images=100, device=device_file,
                              device_overrides=[f"programming.sigma={sigma}"])  # fmt: skip
        assert result.accuracy is not None
        ratios = [layer.exact_snr_db for layer in result.layers if layer.exact_snr_db is not None]  # None: no error
        noise = f"lowest signal-to-noise ratio {min(ratios):.1f} dB" if ratios else "every product is exact"
        print(f"programming error of {sigma:.0%} of the range: {result.accuracy.share:.0%} right, "
              f"{result.agreement_fixed.share:.0%} as in exact integers; {noise}")  # fmt: skip


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        cells = Path(folder) / "cells.yaml"
        cells.write_text(CELLS)
        one_matrix(cells)
        one_network(cells)


if __name__ == "__main__":
    main()
