"""What `pimsim show` tells of a system, of a network, and of a network laid onto a system: data, and tables of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from pimsim.results.notebook import with_unit

if TYPE_CHECKING:
    from pimsim.config.records import System
    from pimsim.mapping.program import Program
    from pimsim.workload.records import Workload


def describe_system(system: System) -> dict[str, Any]:
    """Components rolled up from crossbar to system, peak figures of a chip, and how clocks round.

    Raises:
        InputError: a cost cannot be scaled to its component's parameters.
    """
    from pimsim.config import config_hash
    from pimsim.technology import clock_roundings, component_table, peak_metrics

    return {
        "system": system.name,
        "paper": system.paper,
        "chips": system.chips,
        "config_hash": config_hash(system),
        "components": [asdict(row) for row in component_table(system)],
        "peak_of_a_chip": asdict(peak_metrics(system)),
        "clocks": [
            {"key": each.key, "clock_ghz": each.clock_ghz, "exact_ps": float(each.exact_ps),
             "rounded_ps": each.rounded_ps, "is_exact": each.is_exact}
            for each in clock_roundings(system)
        ],
    }  # fmt: skip


def system_tables(facts: dict[str, Any]) -> Group:
    """The component table as in a paper, then peak figures and clocks."""
    table = _table(f"{facts['system']}: components", "component", "count", "power each", "power", "mm2 each", "mm2")
    for row in facts["components"]:
        name = f"{row['level']}: {row['component']}" if not row["is_subtotal"] else row["component"]
        cells = (name, f"{row['count']:,.4g}" if row["count"] % 1 else f"{row['count']:,.0f}", _power(row["power_mw"]),
                 _power(row["total_power_mw"]), _area(row["area_mm2"]), _area(row["total_area_mm2"]))  # fmt: skip
        table.add_row(*map(Text, cells), style="bold" if row["is_subtotal"] else "", end_section=row["is_subtotal"])
    table.caption = "power when busy at full rate; '-': not priced"
    return Group(table, _peak_table(facts), _clock_table(facts))


def _peak_table(facts: dict[str, Any]) -> Table:
    peak = facts["peak_of_a_chip"]
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), title="Peak of a chip", title_style="bold",
                  title_justify="left")  # fmt: skip
    table.add_column(style="bold")
    table.add_column()

    def density(key: str, unit: str) -> str:
        return "not priced" if peak[key] is None else f"{peak[key]:,.4g} {unit}"

    for name, value in (
        ("Crossbars", f"{peak['crossbars']:,}"),
        ("Vector", f"{peak['reads_per_vector']} reads, one every {peak['beat_ns']:g} ns: {peak['vector_ns']:g} ns"),
        ("Rate", f"{peak['tops']:,.5g} TOPS (an op is half a multiply-accumulate)"),
        ("Power, area", f"{peak['power_w']:,.4g} W, {peak['area_mm2']:,.4g} mm2"),
        ("CE", density("ce_gops_per_mm2", "GOPS/(s mm2)")),
        ("PE", density("pe_gops_per_w", "GOPS/(s W)")),
        ("SE", density("se_mib_per_mm2", "MiB/mm2")),
    ):
        table.add_row(name, value)
    return table


def _clock_table(facts: dict[str, Any]) -> Table:
    table = _table("Clocks", "key", "GHz", "period in ps", "one cycle in ps")
    for clock in facts["clocks"]:
        table.add_row(clock["key"], f"{clock['clock_ghz']:g}", f"{clock['exact_ps']:.6g}", f"{clock['rounded_ps']}")
    if any(not clock["is_exact"] for clock in facts["clocks"]):
        table.caption = "n cycles take round(n x period): the rounding does not add up"
    return table


def describe_workload(workload: Workload) -> dict[str, Any]:
    """Operations with their shapes, parameters and MACs."""
    operations = [
        {
            "name": operation.name,
            "type": operation.type,
            "output_shapes": [list(workload.shape(name)) for name in operation.outputs if name],
            "parameters": operation.parameters,
            "macs": operation.macs,
        }
        for operation in workload.operations
    ]
    return {
        "workload": workload.name,
        "inputs": {name: list(workload.shape(name)) for name in workload.inputs},
        "outputs": {name: list(workload.shape(name)) for name in workload.outputs},
        "parameters": workload.parameters,
        "macs": workload.macs,
        "operations": operations,
        "notes": list(workload.notes),
    }


def workload_tables(facts: dict[str, Any]) -> Group:
    """One row an operation."""
    inputs = ", ".join(f"{name} {_shape(shape)}" for name, shape in facts["inputs"].items())
    table = _table(f"{facts['workload']}: {inputs}", "operation", "type", "output", "parameters", "MACs", left=3)
    for row in facts["operations"]:
        shapes = ", ".join(map(_shape, row["output_shapes"]))
        cells = (row["name"], row["type"], shapes, _count(row["parameters"]), _count(row["macs"]))
        table.add_row(*map(Text, cells))
    totals = f"{len(facts['operations'])} operations, {facts['parameters']:,} parameters, {facts['macs']:,} MACs"
    return Group(table, Text(totals, "bold"), *(Text(f"note: {note}", "dim") for note in facts["notes"]))


def describe_mapping(program: Program) -> dict[str, Any]:
    """What each layer takes of a system: crossbars, replicas, tiles, chips; and what programming it writes."""
    import numpy as np

    from pimsim.results.wear import programming_wear

    wear = programming_wear(program)
    replicas, slices = program.replicas, program.slices
    of_slice = replicas.layer[slices.replica]
    layers = []
    for i, (mapped, node) in enumerate(zip(program.layers, program.dataflow.nodes, strict=True)):
        own = of_slice == i
        tiles = np.unique(slices.tile[own])
        layers.append(
            {
                "name": mapped.name,
                "kind": node.kind,
                "operation": node.operation,
                "windows": node.windows,
                "crossbars_of_one_replica": mapped.tiling.crossbars if mapped.tiling else 0,
                "replicas": mapped.replicas,
                "crossbars": int(slices.crossbars[own].sum()),
                "imas": int(slices.imas[own].sum()),
                "tiles": int(tiles.size),
                "chips": int(np.unique(tiles // program.fabric.tiles).size),
                "cells_written": wear.layers[i].cells,
                "rows_written": wear.layers[i].rows,
            }
        )
    tile, matrix_tiles = program.system.chip.tile, int((~program.on_gpu).sum())
    return {
        "workload": program.dataflow.name,
        "system": program.system.name,
        "chips": program.chips,
        "tiles_used": int((~program.on_gpu[program.tiles_used]).sum()),
        "tiles": matrix_tiles,
        "crossbars_used": int(slices.crossbars.sum()),
        "crossbars": matrix_tiles * tile.imas * tile.ima.crossbars,
        "programming": {"cells": wear.cells, "rows": wear.rows, "time_us": wear.time_ns / 1e3,
                        "energy_uj": wear.energy_pj / 1e6},
        "layers": layers,
        "notes": list(program.notes),
    }  # fmt: skip


def mapping_tables(facts: dict[str, Any]) -> Group:
    """One row a layer."""
    heads = ("layer", "operation", "windows", "crossbars each", "replicas", "crossbars", "IMAs", "tiles", "chips",
             "cells")  # fmt: skip
    table = _table(f"{facts['workload']} on {facts['system']}, {facts['chips']} chips", *heads, left=2)
    keys = ("windows", "crossbars_of_one_replica", "replicas", "crossbars", "imas", "tiles", "chips", "cells_written")
    for row in facts["layers"]:
        table.add_row(*map(Text, (row["name"], row["operation"], *(_count(row[key]) for key in keys))))
    totals = (
        f"{facts['crossbars_used']:,} of {facts['crossbars']:,} crossbars in "
        f"{facts['tiles_used']:,} of {facts['tiles']:,} tiles"
    )
    once = facts["programming"]
    programming = (
        f"Programming, once: {once['cells']:,} cells in {once['rows']:,} rows, "
        f"{with_unit(once['time_us'] / 1e6, 's')}, {with_unit(once['energy_uj'] / 1e6, 'J')}"
    )
    notes = [Text(f"note: {note}", "dim") for note in facts["notes"]]
    return Group(table, Text(totals, "bold"), Text(programming), *notes)


def _table(heading: str, *heads: str, left: int = 1) -> Table:
    table = Table(title=Text(heading, "bold"), box=SIMPLE_HEAD, title_justify="left", caption_justify="left",
                  header_style="bold", pad_edge=False)  # fmt: skip
    for index, head in enumerate(heads):
        table.add_column(head, justify="left" if index < left else "right", overflow="fold")
    return table


def _power(mw: float | None) -> str:
    return "-" if mw is None else with_unit(mw / 1000, "W")


def _area(mm2: float | None) -> str:
    return "-" if mm2 is None else f"{mm2:,.4g}"


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def _shape(shape: list[int]) -> str:
    return "x".join(map(str, shape))
