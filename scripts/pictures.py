"""The pictures of README.md, made from what is shipped.

    python -m scripts.pictures                      all of them, into scripts/images (some minutes)
    python -m scripts.pictures study-pareto         those that are named
    python -m scripts.pictures --quick --out DIR    the same pictures of smaller examples (some seconds)

The pictures are those of `pimsim run --out`, `pimsim pareto --plot`, `pimsim report` and `pimsim infer --out`.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

import pimsim
from pimsim.report.heat import draw_map
from pimsim.report.page import against
from pimsim.report.page.versus import set_beside
from pimsim.report.plots import losses, pareto, style, training
from pimsim.report.plots import sweep as of_sweep
from pimsim.sweep import load_study, load_sweep, run_sweep

ROOT = Path(__file__).resolve().parent
FOLDER = ROOT / "images"
STUDY = ROOT / "study_vgg_resnet.yaml"
OBJECTIVES = ("latency_ns", "energy_pJ", "area_mm2")
DOTS_PER_INCH = 105


def vgg16_losses(quick: bool) -> Figure:
    """Where each layer's time goes, links shared."""
    network, system = ("lenet5", "isaac-ce") if quick else ("vgg16", "isaac-ce-16")
    return losses.draw(pimsim.simulate(network, system, batch=8))


def study_pareto(quick: bool) -> Figure:
    """The shipped study, by the analytical model."""
    sweep = replace(load_sweep(STUDY), fidelity="analytical")
    if quick:
        sweep = replace(sweep, workloads=["lenet5"])
    with tempfile.TemporaryDirectory() as folder:
        study = load_study(run_sweep(sweep, f"{folder}/study", workers=0).folder)
    values = {name: study.numbers(name) for name in OBJECTIVES}
    return pareto.draw(values, study.front(OBJECTIVES), study.columns["workload"])


def gpu_speedup(quick: bool) -> Figure:
    """Chips beside the rooflines of GPUs, one image at a time."""
    networks = ["lenet5", "mnist-mlp"] if quick else ["alexnet", "vgg16", "resnet18", "resnet50", "mobilenetv2"]
    named = {name: pimsim.simulate(name, "isaac-ce-16") for name in networks}
    pairs, _ = set_beside(named, ["gtx-1080-ti", "v100", "h100"])
    return against.drawings(named, pairs)[0].draw()


def adc_accuracy(quick: bool) -> Figure:
    """Accuracy of a shipped network against the resolution of the converters."""
    from pimsim.inference import sweep

    bits, images = ([6, 8], 20) if quick else ([4, 5, 6, 7, 8, 9], None)
    return of_sweep.draw(sweep("mlp-digits", "isaac-ce", "digits", "chip.tile.ima.adc.bits", bits, images=images))


def training_phases(quick: bool) -> Figure:
    """An iteration of training: phases, traffic between tiers, GPU cores."""
    network, batch = ("lenet5", 2) if quick else ("resnet20-cifar", 16)
    result = pimsim.simulate(network, "hetero-3d", mode="train", batch=batch)
    assert result.training is not None
    return training.draw(result, result.training)


def training_heat(quick: bool) -> Figure:
    """Temperatures of all tiers in training."""
    from pimsim.heat import temperatures

    network, batch = ("lenet5", 2) if quick else ("resnet18-cifar", 128)
    heat = temperatures(pimsim.simulate(network, "hetero-3d", mode="train", batch=batch))
    return draw_map(heat.hottest, heat.name, heat.kinds)


PICTURES: dict[str, Callable[[bool], Figure]] = {
    "vgg16-losses": vgg16_losses,
    "study-pareto": study_pareto,
    "gpu-speedup": gpu_speedup,
    "adc-accuracy": adc_accuracy,
    "training-phases": training_phases,
    "training-heat": training_heat,
}


def _save(figure: Figure, file: Path) -> None:
    """With a palette of 256 colours, which makes files a third as large."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DOTS_PER_INCH, bbox_inches="tight", pad_inches=0.15)
    with Image.open(drawn) as picture:
        palette = picture.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        palette.save(file, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the pictures of README.md.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PICTURES))
    parser.add_argument("--quick", action="store_true", help="smaller examples")
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="DIR")
    given = parser.parse_args()
    if unknown := set(given.names) - set(PICTURES):
        parser.error(f"there is no picture {', '.join(sorted(unknown))}; there are: {', '.join(PICTURES)}")
    given.out.mkdir(parents=True, exist_ok=True)
    for name in given.names or PICTURES:
        with style.in_style():
            file = given.out / f"{name}.png"
            _save(PICTURES[name](given.quick), file)
        print(f"{file}: {file.stat().st_size / 1000:,.0f} kB")


if __name__ == "__main__":
    main()
