"""Training on ReRAM tiles and GPU cores: from a network to phases, traffic and the price of BatchNorm.

    python scripts/11_training.py [FOLDER]
"""

import sys
import tempfile
from pathlib import Path

import pimsim
from pimsim.report.plots import save_plots

BATCH = 4


def train(norm: str) -> pimsim.results.Result:
    """One iteration of ResNet-20 on CIFAR-10's shapes."""
    return pimsim.simulate("resnet20-cifar", "hetero-3d", mode="train", batch=BATCH,
                           overrides=[f"training.norm={norm}"])  # fmt: skip


def main(folder: Path) -> None:
    result = train("batch")
    training = result.training
    print(f"{result.source.workload} on {result.source.system}, batches of {BATCH}\n")
    begin = training.phases[0].first_start_ps
    for phase in training.phases:
        first, last = ((at - begin) / 1e6 for at in (phase.first_start_ps, phase.last_output_ps))
        print(f"  {phase.phase:9} {first:8.1f} to {last:8.1f} us   {phase.layers:3} layers   "
              f"{phase.dynamic_pj / 1e9:6.2f} mJ")  # fmt: skip
    print("\nBatchNorm lets no image through before its batch is complete.  What that costs:")
    for norm in ("batch", "group", "none"):
        found = (result if norm == "batch" else train(norm)).training
        print(f"  norm: {norm:6} {found.time_per_image_ps / 1e6:8.1f} us an image, "
              f"GPU cores busy {found.core_utilisation:.0%}")  # fmt: skip
    print(f"\n{result.traffic.between_kinds / 2**20:.1f} MiB change between ReRAM tiles and GPU cores, "
          f"{training.saved_bytes['gpu_memory'] / 2**20:.1f} MiB wait for the backward pass")  # fmt: skip
    save_plots(result, folder, ("png",))
    print(f"The phases of every layer: {folder / 'training.png'}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
