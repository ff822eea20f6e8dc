"""Baselines on the terminal and as JSON: presets with their sources, measured files, published figures, rooflines."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from pimsim.baselines import Accelerator, Calibration, Measured, Preset
from pimsim.costmodels.roofline import RooflineCost, RooflineDevice
from pimsim.results.notebook import shortened, with_unit

LIST_FORMAT, SHOW_FORMAT = "pimsim-baseline-list-1", "pimsim-baseline-show-1"
KERNEL_HEADS = ("kernel", "type", "FLOPs", "bytes", "compute", "memory", "launch", "time", "energy", "bound by")
WIDE = 130  #: columns of a terminal from which on everything fits
MARK = "published, not simulated"
PRECISIONS = ("fp32", "tf32", "fp16", "int8")


def describe_all(
    presets: dict[str, Preset], measured: dict[str, Measured], accelerators: dict[str, Accelerator]
) -> dict[str, Any]:
    """Everything that `pimsim baseline list` says, as plain data."""
    return {
        "format": LIST_FORMAT,
        "presets": [
            {
                "name": name,
                "title": preset.title,
                "peak_tflops": {precision: figure.value for precision, figure in preset.peak_tflops.items()},
                "bandwidth_gb_per_s": preset.bandwidth_gb_per_s.value,
                "idle_w": preset.idle_w.value,
                "loaded_w": preset.loaded_w.value,
            }
            for name, preset in presets.items()
        ],
        "measured": [
            {
                "name": name,
                "device": each.device.name,
                "kind": each.device.kind,
                "date": each.date,
                "model": each.model.name,
                "batch": each.batch,
                "precision": each.precision,
                "median_us": each.batch_time.median_us,
                "inferences_per_s": each.inferences_per_s,
                "energy_uj": each.energy_uj,
            }
            for name, each in measured.items()
        ],
        "published": [
            {"name": name, "title": each.title, "figures": len(each.figures), "mark": MARK}
            for name, each in accelerators.items()
        ],
    }


def list_tables(document: dict[str, Any], width: int) -> Group:
    """The same for a terminal; a narrow one does without the devices' full names."""
    titles = ["device"] if width >= WIDE else []
    heads = ("name", *titles, *(f"{precision}\n[TFLOPS]" for precision in PRECISIONS), "memory\n[GB/s]",
             "idle\n[W]", "loaded\n[W]")  # fmt: skip
    table = _table("Presets: rooflines", *heads, left=1 + len(titles))
    for row in document["presets"]:
        peaks = [f"{row['peak_tflops'][each]:,.4g}" if each in row["peak_tflops"] else "" for each in PRECISIONS]
        rest = (f"{row[key]:,.4g}" for key in ("bandwidth_gb_per_s", "idle_w", "loaded_w"))
        table.add_row(*map(Text, (row["name"], *(row["title"] for _ in titles), *peaks, *rest)))
    table.caption = "dense peaks; int8 in TOPS; 'show NAME' gives every source and how far to trust it"
    return Group(table, *_measured_list(document["measured"]), _published_list(document["published"]))


def _measured_list(rows: list[dict[str, Any]]) -> list[Any]:
    found: list[Any] = []
    if rows:
        table = _table("Measured", "name", "device", "network", "batch", "precision", "a batch", "inferences/s", left=3)
        for row in rows:
            table.add_row(*map(Text, (row["name"], row["device"], row["model"], str(row["batch"]), row["precision"],
                                      with_unit(row["median_us"] / 1e6, "s"), f"{row['inferences_per_s']:,.4g}")))
        found.append(table)
    if not any(row["kind"] == "cuda" for row in rows):
        found.append(Text("Measured on GPUs: none yet ('pimsim baseline measure MODEL.onnx --device cuda' does it)",
                          "dim"))
    return found  # fmt: skip


def _published_list(rows: list[dict[str, Any]]) -> Table:
    table = _table(f"Other accelerators: {MARK}", "name", "accelerator", "figures", left=2)
    for row in rows:
        table.add_row(Text(row["name"]), Text(row["title"]), Text(str(row["figures"])))
    return table


def describe_preset(name: str, preset: Preset) -> dict[str, Any]:
    """A preset with all its sources, as plain data."""
    device = preset.roofline_device(name)
    return {
        "format": SHOW_FORMAT,
        "kind": "preset",
        "name": name,
        "title": preset.title,
        "note": preset.note,
        "figures": {key: figure.model_dump() for key, figure in preset.figures().items()},
        "ridge_flops_per_byte": {each: device.ridge_flops_per_byte(each) for each in preset.peak_tflops},
    }


def preset_tables(document: dict[str, Any]) -> Group:
    """The same for a terminal."""
    table = _table(f"{document['name']}: {document['title']}", "figure", "value", "trust", "source", left=1)
    table.columns[2].justify = table.columns[3].justify = "left"
    for key, figure in document["figures"].items():
        table.add_row(*map(Text, (key, f"{figure['value']:,g}", figure["trust"], figure["source"])))
    ridges = ", ".join(f"{value:.4g} in {key}" for key, value in document["ridge_flops_per_byte"].items())
    lines = [Text(f"Bound by computation from this many FLOPs a byte on: {ridges}")]
    return Group(table, *lines, *([Text(f"note: {document['note']}", "dim")] if document["note"] else []))


def describe_roofline(cost: RooflineCost, device: RooflineDevice) -> dict[str, Any]:
    """A network on a roofline, kernel by kernel, as plain data."""
    return {
        "workload": cost.workload,
        "device": cost.device,
        "precision": cost.precision,
        "batch": cost.batch,
        "efficiency": dict(device.efficiency),
        "time_us": cost.time_s * 1e6,
        "energy_uj": cost.energy_j * 1e6,
        "inferences_per_s": cost.inferences_per_s,
        "energy_per_inference_uj": cost.energy_per_inference_j * 1e6,
        "kernels": [
            {
                "name": each.work.name,
                "type": each.work.type,
                "fused": list(each.work.fused),
                "flops": each.work.flops,
                "bytes": each.work.bytes,
                "compute_us": each.compute_s * 1e6,
                "memory_us": each.memory_s * 1e6,
                "launch_us": each.launch_s * 1e6,
                "time_us": each.time_s * 1e6,
                "energy_uj": each.energy_j * 1e6,
                "bound": each.bound,
            }
            for each in cost.kernels
        ],
    }


def roofline_tables(document: dict[str, Any], width: int) -> Group:
    """The same for a terminal; a narrow one does without FLOPs, bytes and launches."""
    heading = f"{document['workload']} on {document['device']}, {document['precision']}, batch {document['batch']}"
    left_out = () if width >= WIDE else ("FLOPs", "bytes", "launch")
    rows = [_kernel_cells(row) for row in document["kernels"]]
    heads = [head for head in KERNEL_HEADS if head not in left_out]
    table = _table(f"{heading}: roofline", *heads, left=2)
    for row in rows:
        table.add_row(*(Text(row[head]) for head in heads))
    reached = ", ".join(f"{kind} {share:.3g}" for kind, share in document["efficiency"].items()) or "1 for all: a bound"
    table.caption = f"+: with the element-wise operations that follow; efficiency: {reached}"
    total = (f"A batch: {with_unit(document['time_us'] / 1e6, 's')}, {with_unit(document['energy_uj'] / 1e6, 'J')}; "
             f"{document['inferences_per_s']:,.4g} inferences/s, "
             f"{with_unit(document['energy_per_inference_uj'] / 1e6, 'J')} each")
    return Group(table, Text(total, "bold"))  # fmt: skip


def _kernel_cells(row: dict[str, Any]) -> dict[str, str]:
    """By head."""
    keys = ("compute_us", "memory_us", "launch_us", "time_us")
    cells = (shortened(row["name"], 24), row["type"] + ("+" if row["fused"] else ""), with_unit(row["flops"], "", 3),
             with_unit(row["bytes"], "B", 3), *(with_unit(row[key] / 1e6, "s", 3) for key in keys),
             with_unit(row["energy_uj"] / 1e6, "J", 3), row["bound"])  # fmt: skip
    return dict(zip(KERNEL_HEADS, cells, strict=True))


def describe_measured(name: str, measured: Measured) -> dict[str, Any]:
    """A measured file as plain data."""
    return {"format": SHOW_FORMAT, "kind": "measured", "name": name, "measured": measured.model_dump(mode="json"),
            "inferences_per_s": measured.inferences_per_s}  # fmt: skip


def measured_tables(document: dict[str, Any], shown: int = 20) -> Group:
    """The same for a terminal: the slowest kernels first."""
    facts = document["measured"]
    device, model, time = facts["device"], facts["model"], facts["batch_time"]
    words = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    words.add_column(style="bold", no_wrap=True)
    words.add_column(overflow="fold")
    clocks = ", ".join(f"{key} {value:g} MHz" for key, value in device["clocks_mhz"].items())
    threads = f"{device['threads']} threads" if device["threads"] else ""
    driver = f"driver {device['driver']}" if device["driver"] else ""
    spread = f"10 % below {with_unit(time['low_us'] / 1e6, 's')}, 10 % above {with_unit(time['high_us'] / 1e6, 's')}"
    energy = "not measured" if facts["energy_uj"] is None else with_unit(facts["energy_uj"] / 1e6, "J")
    for key, value in (
        ("Device", ", ".join(part for part in (device["name"], threads, driver, clocks) if part)),
        ("Software", ", ".join(f"{key} {version}" for key, version in facts["software"].items())),
        ("Network", f"{model['name']}, {model['macs']:,} MACs, batch {facts['batch']}, {facts['precision']}"),
        ("A batch", f"{with_unit(time['median_us'] / 1e6, 's')} (median of {facts['repeats']}; {spread})"),
        ("Throughput", f"{document['inferences_per_s']:,.4g} inferences/s"),
        ("Energy of a batch", energy),
        ("Date", facts["date"]),
    ):
        words.add_row(key, Text(value))
    parts: list[Any] = [Text(document["name"], "bold"), words]
    if facts["operations"]:
        parts.append(_kernel_table(facts["operations"], shown))
    return Group(*parts, *(Text(f"note: {note}", "dim") for note in facts["notes"]))


def _kernel_table(operations: list[dict[str, Any]], shown: int) -> Table:
    table = _table("Kernels, slowest first", "kernel", "type", "median", "share", left=2)
    total = sum(each["median_us"] for each in operations) or 1.0
    ordered = sorted(operations, key=lambda each: -each["median_us"])
    for each in ordered[:shown]:
        table.add_row(*map(Text, (shortened(each["name"]), each["type"], with_unit(each["median_us"] / 1e6, "s", 3),
                                  f"{each['median_us'] / total:.1%}")))  # fmt: skip
    if len(ordered) > shown:
        table.caption = f"{len(ordered) - shown} more in --json"
    return table


def describe_calibration(calibration: Calibration) -> dict[str, Any]:
    """Efficiencies and what error they leave, as plain data."""
    return {
        "device": calibration.device.name,
        "precision": calibration.precision,
        "batch": calibration.batch,
        "classes": {
            kind: {
                "kernels": calibration.kernels[kind],
                "efficiency": calibration.efficiency[kind],
                "measured_us": calibration.measured_us[kind],
                "fitted_us": calibration.fitted_us[kind],
                "error": error,
                "kernel_error": calibration.kernel_error.get(kind),
            }
            for kind, error in calibration.errors.items()
        },
        "fused": calibration.fused,
        "kernels_scaled_by": calibration.scale,
        "batch_us": calibration.batch_us,
        "roofline_us": calibration.roofline_us,
        "total_error": calibration.total_error,
    }


def calibration_table(document: dict[str, Any]) -> Group:
    """The same for a terminal."""
    heads = ("class", "kernels", "efficiency", "measured", "roofline", "error of\nthe sum", "kernel by\nkernel")
    table = _table(f"{document['device']}, calibrated ({document['precision']}, batch {document['batch']})", *heads)
    for kind, row in document["classes"].items():
        table.add_row(*map(Text, (kind, str(row["kernels"]), f"{row['efficiency']:.4g}",
                                  with_unit(row["measured_us"] / 1e6, "s"), with_unit(row["fitted_us"] / 1e6, "s"),
                                  f"{row['error']:+.1%}", _share(row["kernel_error"]))))  # fmt: skip
    table.caption = (f"measured kernels times {document['kernels_scaled_by']:.3g}, so that together they take as long "
                     "as a batch without profiling; kernel by kernel: sum of what each is off by; all errors are of "
                     "what was fitted")  # fmt: skip
    batch, ours = (with_unit(document[key] / 1e6, "s") for key in ("batch_us", "roofline_us"))
    return Group(table, Text(f"A batch: measured {batch}, roofline {ours} ({document['total_error']:+.1%})"))


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def describe_accelerator(name: str, accelerator: Accelerator) -> dict[str, Any]:
    """What a paper says of its accelerator, as plain data."""
    figures = [figure.model_dump() for figure in accelerator.figures]
    return {"format": SHOW_FORMAT, "kind": "published", "name": name, "title": accelerator.title, "mark": MARK,
            "figures": figures}  # fmt: skip


def accelerator_table(document: dict[str, Any]) -> Table:
    """The same for a terminal."""
    table = _table(f"{document['title']}: {MARK}", "figure", "value", "unit", "trust", "source")
    for column in table.columns[2:]:
        column.justify = "left"
    for row in document["figures"]:
        table.add_row(*map(Text, (row["quantity"], f"{row['value']:,g}", row["unit"], row["trust"], row["source"])))
    return table


def _table(heading: str, *heads: str, left: int = 1) -> Table:
    table = Table(title=Text(heading, "bold"), box=SIMPLE_HEAD, title_justify="left", caption_justify="left",
                  header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))  # fmt: skip
    for index, head in enumerate(heads):
        table.add_column(head, justify="left" if index < left else "right", overflow="fold",
                         no_wrap=index == 0 or "\n" in head)  # fmt: skip
    return table
