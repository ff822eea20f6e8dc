"""System, network and device descriptions: records, YAML files, overrides.

>>> from pimsim.config import load_system
>>> load_system("isaac-ce", ["chip.tile.imas=8"]).chip.tile.imas
8
"""

from pimsim.config.device import Device
from pimsim.config.loading import (
    config_hash,
    load_device,
    load_network,
    load_system,
    naming_keys,
    resolved,
    shipped_devices,
    shipped_networks,
    shipped_systems,
)
from pimsim.config.network import Network
from pimsim.config.records import Noc, System

__all__ = [
    "Device",
    "Network",
    "Noc",
    "System",
    "config_hash",
    "load_device",
    "load_network",
    "load_system",
    "naming_keys",
    "resolved",
    "shipped_devices",
    "shipped_networks",
    "shipped_systems",
]
