"""A study: crossbar size x cell bits x ADC bits x IMAs a tile, and which chips no other one beats.

    python scripts/09_sweep.py

The same on VGG-16 and ResNet-50 from the command line (a study can be stopped with Ctrl-C, and resumed):

    pimsim sweep scripts/study_vgg_resnet.yaml --out study --dry-run
    pimsim sweep scripts/study_vgg_resnet.yaml --out study
    pimsim pareto study --minimize latency_ns,energy_pJ,area_mm2 --plot
"""

import tempfile

from pimsim.sweep import Sweep, grid, load_study, run_sweep

IMA = "chip.tile.ima"
SWEEP = Sweep(
    workloads=["lenet5"],
    systems=["isaac-ce"],
    noc="ideal",
    axes={
        "size": grid([f"{IMA}.crossbar.rows", f"{IMA}.crossbar.columns", f"{IMA}.adc.columns"], [64, 128]),
        "cell_bits": grid(f"{IMA}.crossbar.cell_bits", [1, 2]),
        "adc_bits": grid(f"{IMA}.adc.bits", [6, 7, 8]),
        "imas": grid("chip.tile.imas", [8, 12]),
    },
    conditions=["adc_bits >= cell_bits + log2(size) - 1"],  # no sum is clipped
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        summary = run_sweep(SWEEP, f"{folder}/study", workers=2)
        study = load_study(summary.folder)
        print(f"{summary.done} points in {summary.seconds:.0f} s; no other point beats these:")
        for row in study.rows(study.front(["latency_ns", "energy_pJ", "area_mm2"]), [*SWEEP.axes, "latency_ns"]):
            print(row)


if __name__ == "__main__":
    main()
