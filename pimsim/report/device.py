"""A device on the terminal and as JSON: what it says in words, and what follows for cells and columns."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from pimsim.config.device import Device, Drift, Endurance, Faults, InField, ReadNoise, Retention, Spread
from pimsim.device.conductance import level_step
from pimsim.device.read_noise import shot_variance, thermal_variance
from pimsim.functional.cells import MEGA, MICRO, program_cells

SHOW_FORMAT, CHECK_FORMAT = "pimsim-device-show-1", "pimsim-device-check-1"
DRAWN = 20_000  #: cells of each level from which the spread between cells is measured
_SHARES = {"range": "of the range of conductances", "step": "of a level step", "value": "of the cell's conductance"}

_LEVELS = {
    "level": "level",
    "conductance_us": "conductance\n[uS]",
    "mean_level": "mean\n[levels]",
    "cell_sigma": "between cells\nsigma [levels]",
    "cell_sigma_of_column": "a column\n[levels]",
    "cell_bits_lost": "bits\nlost",
    "read_sigma": "between reads\nsigma [levels]",
    "read_sigma_of_column": "a column\n[levels]",
    "read_bits_lost": "bits\nlost",
}


def describe_device(device: Device, cell_bits: int, rows: int) -> dict[str, Any]:
    """Everything that `pimsim device show` says, as plain data.

    Args:
        device: checked.
        cell_bits: bits of a cell.
        rows: driven cells of a column.
    """
    return {
        "format": SHOW_FORMAT,
        "device": device.name,
        "source": device.source,
        "cell_bits": cell_bits,
        "rows": rows,
        "parts": dict(part_words(device)),
        "figures": _figures(device, cell_bits),
        "levels": _levels(device, cell_bits, rows),
        "without_effect": device.without_effect(),
    }


def check_document(device: Device) -> dict[str, Any]:
    """What `pimsim device check` says of a sound device, as plain data."""
    return {
        "format": CHECK_FORMAT,
        "device": device.name,
        "sound": True,
        "parts": [key for key, _ in part_words(device)],
        "without_effect": device.without_effect(),
    }


def check_words(document: dict[str, Any]) -> Group:
    """The same for a terminal."""
    parts = ", ".join(document["parts"]) or "none, so its cells are ideal"
    lines = [Text(f"{document['device']}: sound"), Text(f"parts: {parts}", "dim")]
    return Group(*lines, *_idle(document))


def device_tables(document: dict[str, Any]) -> Group:
    """What :func:`describe_device` found, for a terminal."""
    title = f"{document['device']}: {document['cell_bits']} bits a cell, columns of {document['rows']} cells"
    words = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    words.add_column(style="bold", no_wrap=True)
    words.add_column(overflow="fold")
    for key, text in document["parts"].items():
        words.add_row(key.replace("_", " "), Text(text))
    if not document["parts"]:
        words.add_row("cells", "ideal: no part is given")
    for figure in document["figures"].values():
        words.add_row(figure["name"], Text(f"{figure['value']:.4g} {figure['unit']}".strip()))
    notes = [Text(f"source: {document['source']}", "dim")] if document["source"] else []
    levels = _level_table(document["levels"])
    return Group(Text(title, "bold"), words, levels, _explained(document["rows"]), *notes, *_idle(document))


def _level_table(levels: list[dict[str, float | None]]) -> Table:
    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    shown = [key for key in _LEVELS if any(level[key] is not None for level in levels)]
    for key in shown:
        table.add_column(_LEVELS[key], justify="right", no_wrap=True)
    for level in levels:
        table.add_row(*(f"{level[key]:.4g}" for key in shown))
    return table


def _explained(rows: int) -> Text:
    return Text(f"a column: {rows} driven cells of this level, none of them stuck; between cells: fixed by a write; "
                "bits lost: log2 sqrt(1 + 12 sigma^2), next to the rounding to a level", "dim")  # fmt: skip


def _idle(document: dict[str, Any]) -> list[Text]:
    return [Text(f"note: {key} has no effect: {why}", "yellow") for key, why in document["without_effect"].items()]


def _figures(device: Device, cell_bits: int) -> dict[str, dict[str, Any]]:
    """Numbers that follow from the conductances: by key, with name, value and unit."""
    if device.cell is None:
        return {}
    g_min, g_max = device.cell.g_min_us * MICRO, device.cell.g_max_us * MICRO
    found = [("level_step", "level step", level_step(g_min, g_max, cell_bits) / MICRO, "uS")]
    if g_min > 0:
        found.insert(0, ("on_off_ratio", "on/off ratio", g_max / g_min, ""))
    noise = device.read_noise
    if noise is not None and noise.frequency_mhz is not None and noise.voltage_v is not None:
        frequency_hz, voltage_v = noise.frequency_mhz * MEGA, noise.voltage_v
        high = np.array([g_max])
        if noise.thermal:
            variance = thermal_variance(high, frequency_hz=frequency_hz, voltage_v=voltage_v,
                                        temperature_k=noise.temperature_k or 0.0)  # fmt: skip
            found.append(("thermal_sigma", "thermal noise at g_max", math.sqrt(variance[0]) / MICRO, "uS"))
        if noise.shot:
            variance = shot_variance(high, frequency_hz=frequency_hz, voltage_v=voltage_v)
            found.append(("shot_sigma", "shot noise at g_max", math.sqrt(variance[0]) / MICRO, "uS"))
    return {key: {"name": name, "value": value, "unit": unit} for key, name, value, unit in found}


def _levels(device: Device, cell_bits: int, rows: int) -> list[dict[str, float | None]]:
    """One row a level; cells that are stuck, and the crossbar's wires, are left out."""
    field = device.in_field and device.in_field.model_copy(update={"failures_per_read": 0.0})
    serving = device.model_copy(
        update={"faults": None, "endurance": None, "line_resistance": None, "in_field": field}
    )  # fmt: skip
    count = 2**cell_bits
    targets = np.repeat(np.arange(count)[:, None], DRAWN, axis=1)
    conductances = [None] * count
    if device.cell is not None:
        conductances = np.linspace(device.cell.g_min_us, device.cell.g_max_us, count).tolist()
    cells = program_cells(targets, cell_bits, serving, seed=0, layer="show")
    means, spreads = cells.level.mean(axis=1, dtype=np.float64), cells.level.std(axis=1, dtype=np.float64)
    variances = np.zeros(count) if cells.variance is None else cells.variance.mean(axis=1, dtype=np.float64)
    reads = np.sqrt(variances)
    found: list[dict[str, float | None]] = []
    for level, conductance_us in enumerate(conductances):
        row = {"level": level, "conductance_us": conductance_us, "mean_level": float(means[level])}
        for word, sigma in (("cell", spreads[level]), ("read", reads[level])):
            of_column = float(sigma) * math.sqrt(rows)
            lost = math.log2(math.sqrt(1 + 12 * of_column**2))
            row |= {f"{word}_sigma": float(sigma), f"{word}_sigma_of_column": of_column, f"{word}_bits_lost": lost}
        found.append(row)
    return found


def part_words(device: Device) -> Iterator[tuple[str, str]]:
    """(key, what it says) of every part that a device has."""
    cell, telegraph, wires = device.cell, device.random_telegraph, device.line_resistance
    if cell is not None:
        kept = "stays in the sums" if cell.off_current == "kept" else "is subtracted"
        yield "cell", f"{cell.g_min_us:g} to {cell.g_max_us:g} uS; the current of cells at 0 {kept}"
    if device.programming is not None:
        yield "programming", f"error of {_spread(device.programming)}, drawn at every write"
    if device.variation is not None and device.variation.device_to_device is not None:
        yield "variation.device_to_device", f"{_spread(device.variation.device_to_device)}, fixed for each cell"
    if device.variation is not None and device.variation.cycle_to_cycle is not None:
        yield "variation.cycle_to_cycle", f"{_spread(device.variation.cycle_to_cycle)}, drawn at every write"
    if device.read_noise is not None:
        yield "read_noise", _read_noise(device.read_noise)
    if telegraph is not None:
        yield "random_telegraph", (f"in {telegraph.probability:.4g} of the reads the resistance differs by the "
                                   f"fraction {telegraph.b:g} + {telegraph.a_us:g} uS / G: a conductance "
                                   f"{telegraph.sign}")  # fmt: skip
    if device.drift is not None:
        yield "drift", _drift(device.drift)
    if device.retention is not None:
        yield "retention", _retention(device.retention)
    if device.faults is not None:
        yield "faults", _faults(device.faults)
    if device.in_field is not None:
        yield "in_field", _in_field(device.in_field)
    if wires is not None:
        yield "line_resistance", (f"{wires.wire_ohm:g} ohm a cell, {wires.source_ohm:g} ohm to drive, "
                                  f"{wires.sink_ohm:g} ohm to sense; {wires.solver}")  # fmt: skip
    if device.endurance is not None:
        yield "endurance", _endurance(device.endurance)


def _spread(spread: Spread) -> str:
    return f"sigma {spread.sigma * 100:.4g} % {_SHARES[spread.relative_to]}"


def _read_noise(noise: ReadNoise) -> str:
    kinds = [word for word in ("thermal", "shot") if getattr(noise, word)]
    words = []
    if kinds:
        words.append(f"{' and '.join(kinds)}, {noise.frequency_mhz:g} MHz, {noise.voltage_v:g} V")
        words += [f"{noise.temperature_k:g} K"] if noise.thermal else []
    if noise.other is not None:
        words.append(f"other noise of {_spread(noise.other)}")
    return ", ".join(words) or "none"


def _drift(drift: Drift) -> str:
    return (f"(t / {drift.reference_time_s:g} s)^-nu at {drift.time_s:g} s, nu {drift.exponent:g} "
            f"+- {drift.exponent_sigma:g}")  # fmt: skip


def _retention(retention: Retention) -> str:
    words = (f"towards the {retention.towards} conductance by exp(-(t / {retention.tau_s:g} s)^{retention.stretch:g}) "
             f"at {retention.time_s:g} s")  # fmt: skip
    if retention.activation_ev is None:
        return words
    return (f"{words}; tau holds at {retention.reference_temperature_k:g} K, the chip is at "
            f"{retention.temperature_k:g} K, {retention.activation_ev:g} eV")  # fmt: skip


def _faults(faults: Faults) -> str:
    one = "high" if faults.stuck_at_0_is == "low" else "low"
    where = f"stuck-at-0 is the {faults.stuck_at_0_is} conductance, stuck-at-1 the {one}"
    if faults.map is not None:
        return f"as in {faults.map}; {where}"
    grouped = f"in groups of {faults.cluster_size}" if faults.distribution == "clustered" else "anywhere"
    return f"{faults.stuck_at_0:.4%} stuck-at-0, {faults.stuck_at_1:.4%} stuck-at-1, {grouped}; {where}"


def _in_field(field: InField) -> str:
    words = []
    if field.failures_per_read:
        words.append(f"a read leaves a cell stuck {field.stuck_is} with probability {field.failures_per_read:g}")
    if field.read_disturb:
        words.append(f"a read moves a cell up by {field.disturb_fraction:.4g} of what is left with probability "
                     f"{field.read_disturb:g}")  # fmt: skip
    if field.transient_flip:
        words.append(f"a driven cell is taken for another level with probability {field.transient_flip:g}")
    return "; ".join(words) or "nothing"


def _endurance(endurance: Endurance) -> str:
    spread = f" (sigma {endurance.sigma_decades:g} decades)" if endurance.sigma_decades else ""
    before = f"; {endurance.writes_before:g} are past" if endurance.writes_before else ""
    return f"{endurance.writes:g} writes{spread}, then stuck {endurance.stuck_is}{before}"
