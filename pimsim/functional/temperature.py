"""Cells at another temperature: thermal noise of reads, and retention by Arrhenius' law, are what depends on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pimsim.config.base import Spec
from pimsim.config.device import Device
from pimsim.errors import InputError, shown

MOST_NAMED = 6  #: layers that a message names


def temperature_of(device: Device) -> float | None:
    """The temperature for which a device is described [K], that of its reads first; None: nothing depends on it."""
    noise, retention = device.read_noise, device.retention
    thermal = noise.temperature_k if noise is not None and noise.thermal else None
    return thermal if thermal is not None or retention is None else retention.temperature_k


def own_temperature(device: Device | None) -> float:
    """As :func:`temperature_of`.

    Raises:
        InputError: there is no device, or nothing of it depends on temperature.
    """
    if device is None:
        raise InputError("ideal cells are the same at any temperature", key="device", allowed="a device beside it")
    kelvin = temperature_of(device)
    if kelvin is None:
        raise InputError(f"nothing of {device.name} depends on temperature", key="device",
                         allowed="one with thermal read_noise, or with retention.activation_ev")  # fmt: skip
    return kelvin


def at_temperature(device: Device, kelvin: float) -> Device:
    """The same cells at another temperature.

    Raises:
        InputError: nothing of the device depends on temperature, or there is no such temperature.
    """
    if not 0 < kelvin < np.inf:
        raise InputError(f"is {shown(kelvin)}", key="temperatures_k", allowed="more than 0")
    own_temperature(device)
    changed: dict[str, Spec] = {}
    if (noise := device.read_noise) is not None and noise.thermal:
        changed["read_noise"] = noise.model_copy(update={"temperature_k": float(kelvin)})
    if (retention := device.retention) is not None and retention.activation_ev is not None:
        changed["retention"] = retention.model_copy(update={"temperature_k": float(kelvin)})
    return device.model_copy(update=changed)


def at_temperatures(
    device: Device | None, temperatures_k: Mapping[str, float], layers: Sequence[str]
) -> dict[str, Device]:
    """The cells of each layer at its own temperature.

    Raises:
        InputError: as :func:`at_temperature`; there is no device, or a layer has no temperature.
    """
    own_temperature(device)
    assert device is not None
    if missing := [name for name in layers if name not in temperatures_k]:
        raise InputError(f"no temperature is known of {named(missing)}", key="temperatures_k", allowed=named(layers))
    return {name: at_temperature(device, temperatures_k[name]) for name in layers}


def named(layers: Sequence[str]) -> str:
    """The first few of many layers, for a message."""
    words = ", ".join(layers[:MOST_NAMED])
    return words if len(layers) <= MOST_NAMED else f"{words} and {len(layers) - MOST_NAMED} more"
