"""Heat, noise, wear: how warm a run makes a 3D chip, how often its network is right then, how long its cells last.

    python scripts/10_heat.py [FOLDER]

The same from the command line:

    pimsim run mlp-digits --arch hetero-3d --mode train --batch 8 --out run
    pimsim thermal run --transient --out heat
    pimsim infer mlp-digits --arch hetero-3d --data digits --device DEVICE.yaml --temperature-from run
    pimsim lifetime run --epochs 300 --images 1437
"""

import sys
import tempfile
from pathlib import Path

import pimsim
from pimsim.config.device import Device
from pimsim.heat import Heat, accuracy_at_temperatures, layer_temperatures, temperatures
from pimsim.lifetime import training_life
from pimsim.report.heat import save_heat
from pimsim.results import Result

NETWORK, CHIP = "mlp-digits", "hetero-3d"
CELLS = {  # made up: noisy reads, and cells that forget sooner the warmer they are
    "format": "pimsim-device-1", "name": "cells of my own", "source": "a tutorial",
    "cell": {"g_min_us": 2.0, "g_max_us": 200.0},
    "read_noise": {"voltage_v": 0.01, "frequency_mhz": 300.0, "temperature_k": 300.0},
    "retention": {"time_s": 1e4, "tau_s": 1e6, "activation_ev": 0.8, "temperature_k": 300.0,
                  "reference_temperature_k": 300.0},
}  # fmt: skip


def heat_of(result: Result, folder: Path) -> Heat:
    """Every tier's temperature, the balance, and what a worse heat sink would do."""
    heat = temperatures(result)
    found, spot = heat.hottest, heat.hottest.hottest
    print(f"{heat.name}: {heat.heat_in_w:.2f} W go in, {heat.heat_out_w:.2f} W come out")
    for tier, kind in enumerate(heat.kinds):
        own = heat.power_w[heat.tier == tier].sum()
        print(f"  tier {tier}, {kind:5} {own:6.3f} W   mean {found.tier_mean_k[tier] - 273.15:.1f} °C, hottest cell "
              f"{found.tier_max_k[tier] - 273.15:.1f} °C")  # fmt: skip
    print(f"  hottest spot: tier {spot.tier} at ({1e3 * spot.x_m:.1f}, {1e3 * spot.y_m:.1f}) mm")
    worse = temperatures(result, overrides=["chip.thermal.convection_k_per_w=1"])
    print(f"  with a sink of 1 K/W instead of 0.1: {worse.hottest.hottest.temperature_k - 273.15:.1f} °C")
    save_heat(found, folder, heat.name, kinds=heat.kinds, formats=("png",))
    print(f"  picture: {folder / 'heat.png'}")
    return heat


def accuracy_of(result: Result, heat: Heat) -> None:
    """The loop closed: heat, noise, accuracy."""
    print("\nCrossbars are as warm as their tiles:", ", ".join(
        f"{name} {kelvin - 273.15:.1f} °C" for name, kelvin in layer_temperatures(result, heat=heat).items()))
    found = accuracy_at_temperatures(NETWORK, CHIP, "digits", result, device=Device.model_validate(CELLS), heat=heat,
                                     images=100)  # fmt: skip
    for at, each in zip(found.values, found.results, strict=True):
        assert each.accuracy is not None
        print(f"  {at:24} {each.accuracy.share:.0%} right, {each.agreement_fixed.share:.0%} as in exact integers")


def life_of(result: Result) -> None:
    """What training does to the cells."""
    for levelling in ("none", "start_gap"):
        found = training_life(result, epochs=300, images=1437, endurance=(1e8, 0.2), levelling=levelling)
        (life,) = found.lives
        print(f"  wear levelling {levelling:9}  first cell dies after {life.trainings:,.0f} trainings of "
              f"{found.training_s:.2f} s, in {' or '.join(found.first)}")  # fmt: skip


def main(folder: Path) -> None:
    result = pimsim.simulate(NETWORK, CHIP, mode="train", batch=8)
    heat = heat_of(result, folder)
    accuracy_of(result, heat)
    print("\n300 epochs of 1,437 images, again and again:")
    life_of(result)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as name:
            main(Path(name))
