"""A chip of your own: a YAML file that says what differs from a shipped one, and a small study around it.

    python scripts/04_chip_of_your_own.py
"""

import itertools
import tempfile
from pathlib import Path

import pimsim
from pimsim.config import load_system
from pimsim.technology import peak_metrics

CHIP = """
base: isaac-ce
name: small-tiles
chips: auto
chip:
  tiles: 96
  noc: {topology: {kind: mesh, shape: [6, 4]}}
  tile:
    imas: 8
    edram: {kib: 32}
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "small-tiles.yaml"
        file.write_text(CHIP)
        print("IMAs/tile  ADC bits  chips  TOPS/chip     mm2  latency us  energy uJ")
        for imas, bits in itertools.product((4, 8), (7, 8)):
            changes = [f"chip.tile.imas={imas}", f"chip.tile.ima.adc.bits={bits}"]
            system = load_system(file, changes)
            result = pimsim.simulate("lenet5", system)
            print(
                f"{imas:9}  {bits:8}  {result.usage.chips_used:5}  {peak_metrics(system).tops:9.2f}"
                f"  {result.costs.area_mm2:6.1f}  {result.times.latency_ps / 1e6:10.1f}"
                f"  {result.costs.energy_pj / 1e6:9.2f}"
            )


if __name__ == "__main__":
    main()
