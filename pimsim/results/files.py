"""Results on disk: ``result.json``, ``layers.csv`` and ``links.csv``; ``placement.json`` where one was searched for.

Two equal runs give the same bytes; wall-clock times and dates go to ``run_info.json``.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pimsim.errors import InputError
from pimsim.mapping.placement.objectives import Objectives
from pimsim.mapping.placement.saved import Placement, placement_json
from pimsim.results.plain import restored
from pimsim.results.record import FORMAT, TIME_PARTS, Programming, Result
from pimsim.results.staging import filled_folder, write_texts
from pimsim.results.wear import wear_of_run

RESULT, LAYERS, LINKS, RUN_INFO = "result.json", "layers.csv", "links.csv", "run_info.json"
PLACEMENT = "placement.json"
BEFORE_WEAR = "pimsim-result-1"  #: format without ``wear``, which follows from its ``programming``
BEFORE_TRAINING = "pimsim-result-2"  #: format without training, GPU cores and powers of tiles
FILES = (RESULT, LAYERS, LINKS, PLACEMENT, RUN_INFO)


def save_result(result: Result, folder: str | Path, run_info: Mapping[str, Any] | None = None) -> None:
    """Write a result into ``folder``, which is made if need be; all files appear at once, at the end.

    Args:
        run_info: wall-clock times, dates and other facts about this very run.

    Raises:
        InputError: the folder cannot be written, or the disk is full; then nothing is left behind.
    """
    with filled_folder(folder, FILES, partial(write_files, run_info=run_info)) as fill:
        fill(result)


def write_files(result: Result, folder: Path, run_info: Mapping[str, Any] | None = None) -> None:
    """The files of a result into a folder."""
    texts = {RESULT: result_json(result), LAYERS: layers_csv(result), LINKS: links_csv(result)}
    if result.placement.objectives is not None:
        texts[PLACEMENT] = _placement_json(result)
    if run_info is not None:
        texts[RUN_INFO] = json.dumps(run_info, indent=1) + "\n"
    write_texts(texts, folder)


def result_json(result: Result) -> str:
    """The whole result as JSON, the summary first; NaN cannot occur."""
    data = dataclasses.asdict(result)
    head = {key: data.pop(key) for key in ("format", "pimsim_version")}
    return _written({**head, "summary": result.summary, **data}) + "\n"


def load_result(path: str | Path) -> Result:
    """Read ``result.json``, or the folder that holds it; one of a format before becomes one of today's.

    Raises:
        InputError: there is no such file, or it is not a result of these formats.
    """
    file = Path(path)
    file = file / RESULT if file.is_dir() else file
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=file) from None
    except ValueError as error:
        raise InputError(f"is not JSON: {error}", file=file) from None
    given = data.get("format") if isinstance(data, dict) else None
    formats = (FORMAT, BEFORE_TRAINING, BEFORE_WEAR)
    if given not in formats:
        raise InputError(f"is not a result: its format is {given!r}", file=file, allowed=formats)
    try:
        return restored(Result, _as_today(data))  # type: ignore[no-any-return]
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"is not a complete result: {error}", file=file) from None


def _as_today(data: dict[str, Any]) -> dict[str, Any]:
    """The data of any format as those of today's; what a file of then does not tell is not known."""
    if data["format"] == BEFORE_WEAR:
        wear = wear_of_run(restored(Programming, data["programming"]))
        data = {**data, "wear": dataclasses.asdict(wear)}
    data = {**data, "format": FORMAT, "layers": _with_all_parts(data["layers"]), "source": _with_network(data)}
    training = data.get("training")
    if training is None:
        return data
    training = {**training, **{key: _with_all_parts(training[key]) for key in ("phases", "kinds")}}
    more = training["more"]
    if more is not None and "simulated" not in more:  # all of such a file is of the iterations that were simulated
        data["notes"] = [*data["notes"], f"{more['iterations']:,} iterations were asked for: this file of an earlier "
                         f"version tells of the {training['iterations']} that were simulated"]  # fmt: skip
        training["more"] = None
    return {**data, "training": training}


def _with_all_parts(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Records with a split of time, in which a part that did not exist then is 0."""
    return [{**each, "time_ps": dict.fromkeys(TIME_PARTS, 0) | each["time_ps"]} if each["time_ps"] else each
            for each in records]  # fmt: skip


def _with_network(data: dict[str, Any]) -> dict[str, Any]:
    """The source, with the hash of the network where it is that of what the chip ran: in inference on crossbars."""
    source, usage = data["source"], data["usage"]
    known = data.get("training") is None and usage["tiles"] > 0
    return {"network_hash": source["workload_hash"] if known else "", **source}


def _placement_json(result: Result) -> str:
    """The placement, for another run of the same network (``mapping.placement: FILE``)."""
    used, tiles = result.placement, len(result.tiles.crossbars_used)
    at_start, objectives = (each and Objectives(**each) for each in (used.at_start, used.objectives))
    return placement_json(
        Placement(
            strategy=used.strategy, start=used.start, place=np.array(used.place or range(tiles)),
            workload=result.source.workload, system=result.source.system, chips=result.tiles.chips,
            fingerprint=used.fingerprint, at_start=at_start or None, objectives=objectives or None,
        )
    )  # fmt: skip


def links_csv(result: Result) -> str:
    """The busiest links of the network, busiest first."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["link", "busy_share"])
    writer.writerows([link.name, link.busy_share] for link in result.links.busiest)
    return text.getvalue()


def layers_csv(result: Result) -> str:
    """One row a layer: windows, MACs, work and energy of one inference or iteration; times of the run, those of
    TIME_PARTS averaged over the layer's replicas and, where it was extrapolated, of the simulated iterations."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = ["name", "kind", "operation", "windows", "replicas", "crossbars", "imas", "tiles", "cells_used",
               "weight_bits", "macs"]  # fmt: skip
    work = "image_us" if result.training is None else "iteration_us"
    writer.writerow([*columns, "interval_ns", work, "first_start_us", "last_output_us", "dynamic_energy_uj",
                     *(f"{part}_us" for part in TIME_PARTS)])  # fmt: skip
    for layer, energy in zip(result.layers, result.costs.by_layer_pj, strict=True):
        row = [getattr(layer, column) for column in columns]
        row += [layer.interval_ps / 1e3, layer.image_ps / 1e6, layer.first_start_ps / 1e6, layer.last_output_ps / 1e6]
        row += [sum(energy.values()) / 1e6]
        writer.writerow(row + [layer.time_ps[part] / layer.replicas / 1e6 for part in TIME_PARTS])
    return text.getvalue()


def _written(value: Any, indent: int = 0) -> str:
    """JSON with one line for each key, and for each list of plain numbers or words."""
    pad = " " * (indent + 1)
    if isinstance(value, dict) and value:
        rows = [f"{pad}{json.dumps(key)}: {_written(item, indent + 1)}" for key, item in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{' ' * indent}}}"
    if isinstance(value, list | tuple) and any(isinstance(item, dict | list | tuple) for item in value):
        rows = [pad + _written(item, indent + 1) for item in value]
        return "[\n" + ",\n".join(rows) + f"\n{' ' * indent}]"
    return json.dumps(value, allow_nan=False)
