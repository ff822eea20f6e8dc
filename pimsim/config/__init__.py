"""System descriptions: records, YAML files, overrides.

>>> from pimsim.config import load_system
>>> load_system("isaac-ce", ["chip.tile.imas=8"]).chip.tile.imas
8
"""

from pimsim.config.loading import config_hash, load_system, resolved, shipped_systems
from pimsim.config.records import System

__all__ = ["System", "config_hash", "load_system", "resolved", "shipped_systems"]
