"""The loop closed: the heat of a run warms the crossbars, whose noise then decides how often a network is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pimsim.config.device import Device
from pimsim.config.loading import load_device
from pimsim.errors import InputError
from pimsim.functional.network.images import read_images
from pimsim.functional.temperature import named, own_temperature
from pimsim.heat.chips import Heat, temperatures
from pimsim.inference import CALIBRATION_IMAGES, Data, infer, matrix_names, part_of, read_network
from pimsim.remapping import program_of
from pimsim.results.inference import SWEEP_FORMAT, InferenceSweep
from pimsim.results.record import Result
from pimsim.version import __version__


def layer_temperatures(
    result: Result,
    workload: str | Path | None = None,
    *,
    heat: Heat | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
) -> dict[str, float]:
    """Temperature of the crossbars of each layer of a run [K]: the mean over them, all replicas together.

    Args:
        result: of a run.
        workload: the network that was run; None: the shipped one of that name.
        heat: of that run, from :func:`pimsim.heat.temperatures`; None: with the package that the system has.
        input_shapes: shape by input name, as for the run.

    Raises:
        InputError: the result is of another network; as :func:`pimsim.heat.temperatures`.
    """
    program = program_of(result, workload, input_shapes)
    kelvin = (heat or temperatures(result)).temperature_k[program.slices.tile]
    layer = program.replicas.layer[program.slices.replica]
    found = {}
    for number, node in enumerate(program.dataflow.nodes):
        own = layer == number
        if node.has_crossbars:
            found[node.name] = float(np.average(kelvin[own], weights=program.slices.crossbars[own]))
    return found


def accuracy_at_temperatures(
    workload: str | Path,
    system: Any,
    data: Data,
    result: Result,
    *,
    device: str | Path | Device | None,
    heat: Heat | None = None,
    device_overrides: Sequence[str] = (),
    images: int | None = None,
    calibration: int = CALIBRATION_IMAGES,
    progress: Any = None,
    **options: Any,
) -> InferenceSweep:
    """A network executed with cells as warm as its device says, as the air, each layer as warm as the run makes it, and
    all as warm as the hottest tile.

    Args:
        workload, system, data, device, device_overrides, images, calibration, options: as of
            :func:`pimsim.inference.infer`.
        result: of a run of the same network, whose heat it is; the system may differ from its system.
        heat: of that run; None: with the package that its system has.
        progress: called now and then with images done and images in all.

    Raises:
        InputError: as :func:`pimsim.inference.infer`; layers that the result does not have; nothing of the device
            depends on temperature.
    """
    cells = device if isinstance(device, Device | None) else load_device(device, device_overrides)
    given = own_temperature(cells)
    heat = heat or temperatures(result)
    own = _of_layers(workload, system, result, heat, options)
    layers = list(own)
    hottest, air = float(heat.temperature_k.max()), heat.hottest.ambient_k
    points = {
        f"{given:.1f} K (device)": None,
        f"{air:.1f} K (air)": dict.fromkeys(layers, air),
        f"{_range(own)} K (each layer)": own,
        f"{hottest:.1f} K (hottest tile)": dict.fromkeys(layers, hottest),
    }
    both = read_images(data, images, calibration)
    results = tuple(
        infer(workload, system, both, device=cells, temperatures_k=point,  # type: ignore[arg-type]
              progress=part_of(progress, n, len(points)), **options)
        for n, point in enumerate(points.values())
    )  # fmt: skip
    return InferenceSweep(SWEEP_FORMAT, __version__, "temperature", tuple(points), results)


def _of_layers(
    workload: str | Path, system: Any, result: Result, heat: Heat, options: Mapping[str, Any]
) -> dict[str, float]:
    """Temperatures of the layers of the network that is executed."""
    shapes = options.get("input_shapes")
    network, _ = read_network(workload, system, options.get("overrides", ()), shapes)
    names, known = matrix_names(network), {layer.name for layer in result.layers if layer.crossbars}
    if missing := [name for name in names if name not in known]:
        source = result.source
        raise InputError(f"the result of {source.workload} on {source.system} has no crossbars of {named(missing)}",
                         allowed=f"a result of a run of {network.name} on a chip with crossbars")  # fmt: skip
    found = layer_temperatures(result, workload, heat=heat, input_shapes=shapes)
    return {name: found[name] for name in names}


def _range(kelvin: Mapping[str, float]) -> str:
    low, high = f"{min(kelvin.values()):.1f}", f"{max(kelvin.values()):.1f}"
    return low if low == high else f"{low} to {high}"
