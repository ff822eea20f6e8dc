"""What a configuration asks for that the model does not check by time or energy: named in every result."""

from __future__ import annotations

from math import ceil

from pimsim.config.records import System
from pimsim.mapping.arithmetic import largest_sum
from pimsim.workload.dataflow import Node

NAMED = 3  #: nodes that a note names, at most


def cautions(system: System) -> list[str]:
    """Sentences about keys that make a chip cheaper than it could be, and that nothing else would reveal."""
    ima, word = system.chip.tile.ima, system.mapping.input_bits
    found = []
    wanted = adc_bits_needed(system)
    if ima.adc.range == "levels" and 0 < ima.adc.bits < wanted:
        found.append(
            f"ADCs of {ima.adc.bits} bits are narrower than the {wanted} bits that {ima.crossbar.wordlines} wordlines, "
            f"{ima.dac.bits}-bit DACs and {ima.crossbar.cell_bits}-bit cells can need: sums may clip, which "
            "`pimsim infer` shows and a run does not"
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
    if (copies := system.mapping.mitigation.most_copies) > 1:
        found.append(
            "time, energy, area and writes are those of one copy of each layer: mapping.mitigation asks for up to "
            f"{copies} that vote, which `pimsim infer` executes and a run does not"
        )
    return found


def adc_bits_needed(system: System) -> int:
    """Resolution that loses nothing: bits of the largest sum that a column can reach with the chip's encoding of
    weights.  9 for ISAAC, 8 with its flip encoding (agrees with CrossSim's ISAAC preset)."""
    ima = system.chip.tile.ima
    most = largest_sum(ima.crossbar.wordlines, ima.dac.bits, ima.crossbar.cell_bits, ima.crossbar.encoding)
    return most.bit_length()


def _outputs(system: System) -> int:
    """Weights in a row of all crossbars of an IMA."""
    ima = system.chip.tile.ima
    return ima.crossbars * (ima.crossbar.columns // ima.crossbar.columns_of_weight(system.mapping.weight_bits))


def notes_of(nodes: tuple[Node, ...]) -> list[str]:
    """Every note once, behind the names of the nodes that it is about."""
    about: dict[str, list[str]] = {}
    for node in nodes:
        for note in node.notes:
            about.setdefault(note, []).append(node.name)
    return [f"{', '.join(names[:NAMED])}{f' and {len(names) - NAMED} more' if len(names) > NAMED else ''}: {note}"
            for note, names in about.items()]  # fmt: skip
