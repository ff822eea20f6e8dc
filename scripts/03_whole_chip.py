"""A whole network on a whole system: tables, plots, and why time was lost.

    python scripts/03_whole_chip.py [FOLDER]
"""

import sys
import tempfile
from pathlib import Path

import pimsim
from pimsim.report.plots import save_plots


def interval(result: pimsim.results.Result) -> str:
    """Time between outputs in steady state, if the batch was long enough."""
    ps = result.times.output_interval_ps
    return f"{ps / 1e6:7.1f} us" if ps else f"needs a batch of {result.times.steady_batch}"


def main(folder: Path) -> None:
    contended = pimsim.simulate("resnet18", "isaac-ce", batch=12)
    print(contended)
    ideal = pimsim.simulate("resnet18", "isaac-ce", batch=12, noc="ideal")
    banded = pimsim.simulate("resnet18", "isaac-ce", batch=12, overrides=["mapping.placement=bands"])
    print("\nTime between images:")
    for name, result in (("shared links", contended), ("shared links, bands", banded), ("ideal network", ideal)):
        print(f"  {name:20} {interval(result)}")
    save_plots(contended, folder)
    print(f"\nPlots are in {folder}: {', '.join(sorted(path.name for path in folder.glob('*.png')))}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
