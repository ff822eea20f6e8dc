"""Every check of `pimsim validate`, in the order in which they are shown."""

from __future__ import annotations

from pimsim.validate.checks import Check
from pimsim.validate.energy import energy_checks
from pimsim.validate.isaac import isaac_checks
from pimsim.validate.pipelayer import pipelayer_checks
from pimsim.validate.throughput import throughput_checks
from pimsim.validate.training import training_checks


def run_checks(simulated: bool = False) -> list[Check]:
    """All checks against published figures; a few seconds.

    Args:
        simulated: run ISAAC's networks and training on the engine, too, which takes minutes.

    Raises:
        InputError: a shipped system or network cannot be read.
    """
    checks = [*isaac_checks(), *throughput_checks(simulated), *energy_checks(), *pipelayer_checks()]
    return [*checks, *training_checks()] if simulated else checks
