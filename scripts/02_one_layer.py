"""One layer: copies of its weights make it faster until something else is the limit.

    python scripts/02_one_layer.py
"""

import tempfile
from pathlib import Path

import pimsim
from pimsim.workload import load_workload

LAYER = """
format: pimsim-workload-1
name: one-layer
inputs: {image: [64, 56, 56]}
layers:
  - {type: conv, name: conv, channels: 128, kernel: 3, padding: 1}
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "one-layer.yaml"
        file.write_text(LAYER)
        layer = load_workload(file)
    print("copies  crossbars     latency  crossbars busy  bottleneck")
    for copies in (1, 4, 16, 64):
        result = pimsim.simulate(
            layer, "isaac-ce", overrides=[f"mapping.layer_replication.conv={copies}", "mapping.interval_windows=3136"]
        )
        usage = result.usage
        print(
            f"{copies:6}  {usage.crossbars_used:9}  {result.times.latency_ps / 1e6:7.1f} us"
            f"  {100 * usage.crossbar_busy_share:13.1f}%  {result.bottleneck}"
        )


if __name__ == "__main__":
    main()
