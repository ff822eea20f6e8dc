"""Accuracy of the shipped networks against what the cells and converters are like, as a table in Markdown.

    python -m scripts.accuracy_table [IMAGES [SEEDS]]

Means over seeds (each draws other cells), on the first test images of each network's data.  The table in
workloads/README.md was made by it.
"""

from __future__ import annotations

import sys

import pimsim
from pimsim.config.device import Device

NETWORKS = {
    "mlp-digits": "digits", "lstm-digits": "digits", "lenet5-fashion": "fashion-mnist",
    "resnet8-fashion": "fashion-mnist",
}  # fmt: skip
CELL = {"g_min_us": 0.5, "g_max_us": 500.0}
READ = {"voltage_v": 0.2, "temperature_k": 300.0}


def device(**parts: object) -> Device:
    """Cells of 2 kohm to 2 Mohm (CrossSim's preset of ISAAC), and what else is given."""
    return Device.model_validate({"format": "pimsim-device-1", "name": "table", "source": "2 kohm to 2 Mohm",
                                  "cell": CELL, **parts})  # fmt: skip


CASES: list[tuple[str, Device | None, list[str]]] = [
    ("ideal cells, 8-bit ADC", None, []),
    *((f"ADC of {bits} bits, a level a step", None, [f"chip.tile.ima.adc.bits={bits}"]) for bits in (7, 6, 5)),
    *((f"ADC of {bits} bits, calibrated range", None,
       [f"chip.tile.ima.adc.bits={bits}", "chip.tile.ima.adc.range=calibrated"]) for bits in (7, 6, 5)),
    *((f"programming error {sigma:.1%} of the range", device(programming={"sigma": sigma, "relative_to": "range"}), [])
      for sigma in (0.005, 0.01, 0.02, 0.05)),
    ("programming error 5.0% of the range, differential pairs",
     device(programming={"sigma": 0.05, "relative_to": "range"}), ["chip.tile.ima.crossbar.encoding=differential"]),
    *((f"stuck at high conductance, {rate:.2%} of the cells", device(faults={"stuck_at_1": rate}), [])
      for rate in (0.0001, 0.001, 0.01)),
    *((f"thermal and shot noise at {volts} V, {mhz} MHz",
       device(read_noise={**READ, "voltage_v": volts, "frequency_mhz": float(mhz)}), [])
      for volts, mhz in ((0.2, 1000), (0.01, 1000), (0.003, 100), (0.003, 1000))),
]  # fmt: skip


def main() -> None:
    images = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    seeds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    print("| cells and converters | " + " | ".join(NETWORKS) + " |")
    print("|---|" + "---:|" * len(NETWORKS))
    for name, cells, changes in CASES:
        shares = []
        for network, data in NETWORKS.items():
            runs = [
                pimsim.infer(network, "isaac-ce", data, images=images, device=cells, overrides=changes, seed=seed)
                for seed in range(seeds if cells else 1)
            ]
            right = [run.accuracy.share for run in runs if run.accuracy is not None]
            shares.append(f"{sum(right) / len(right):.1%}")
        print(f"| {name} | " + " | ".join(shares) + " |", flush=True)


if __name__ == "__main__":
    main()
