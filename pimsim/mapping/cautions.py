"""What a configuration asks for that the model does not check by time or energy: named in every result."""

from __future__ import annotations

from math import ceil, log2

from pimsim.config.records import System


def cautions(system: System) -> list[str]:
    """Sentences about keys that make a chip cheaper than it could be, and that nothing else would reveal."""
    ima, word = system.chip.tile.ima, system.mapping.input_bits
    found = []
    wanted = adc_bits_needed(system)
    if ima.adc.bits < wanted:
        found.append(
            f"ADCs of {ima.adc.bits} bits are narrower than the {wanted} bits that {ima.crossbar.wordlines} wordlines, "
            f"{ima.dac.bits}-bit DACs and {ima.crossbar.cell_bits}-bit cells can need: sums may clip, and values are "
            "not simulated"
        )
    for name, register, values in (
        ("chip.tile.ima.input_register", ima.input_register, ima.crossbars * ima.crossbar.rows),
        ("chip.tile.ima.output_register", ima.output_register, _outputs(system)),
        ("chip.tile.output_register", system.chip.tile.output_register, system.chip.tile.imas * _outputs(system)),
    ):
        needed = ceil(values * word / 8)
        if register.bytes < needed:
            found.append(
                f"{name} holds {register.bytes:,} bytes, a full vector takes {needed:,}: that it must be filled "
                "in parts is not modelled"
            )
    return found


def adc_bits_needed(system: System) -> int:
    """Resolution that loses nothing, ISAAC's flip encoding (one bit less) granted: log2 R + v + w - 2 for one-bit
    inputs or cells, else log2 R + v + w - 1 (recalled; agrees with CrossSim's ISAAC preset)."""
    ima = system.chip.tile.ima
    rows, v, w = ima.crossbar.wordlines, ima.dac.bits, ima.crossbar.cell_bits
    full = ceil(log2(rows)) + v + w - (0 if v > 1 and w > 1 else 1)
    return full - 1


def _outputs(system: System) -> int:
    """Weights in a row of all crossbars of an IMA."""
    ima = system.chip.tile.ima
    return ima.crossbars * (ima.crossbar.columns // -(-system.mapping.weight_bits // ima.crossbar.cell_bits))
