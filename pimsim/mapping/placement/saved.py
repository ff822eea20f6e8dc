"""A placement as a record of the Program, and as a file that another run can start from."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pimsim.config.placement import ORDERS
from pimsim.errors import InputError, shown
from pimsim.mapping.placement.archive import Archive
from pimsim.mapping.placement.objectives import Objectives

if TYPE_CHECKING:
    from pimsim.mapping.program import Program

FORMAT = "pimsim-placement-1"


@dataclass(frozen=True)
class Placement:
    """Where everything lies: packed along an order of the tiles, and then moved tile by tile."""

    strategy: str  #: what found it: snake, bands, annealing, amosa
    start: str  #: order in which was packed: snake, bands
    place: np.ndarray  #: (tiles,) int64 tile of the system on which each tile of the order's packing lies
    workload: str
    system: str
    chips: int
    fingerprint: str  #: of what was packed: a placement is of use for the same packing alone
    at_start: Objectives | None = None  #: those of the order, if a search has measured them
    objectives: Objectives | None = None  #: those of this placement
    archive: Archive | None = None  #: the Pareto set from which it was taken


def save_placement(program: Program, path: str | Path) -> None:
    """Write a Program's placement; ``mapping.placement: FILE`` uses it again.

    The file appears whole or not at all: it is written beside, then renamed.

    Raises:
        InputError: it cannot be written, or its name does not end in .json, by which a system file tells it from a
            strategy.
    """
    target = Path(path)
    if target.suffix != ".json":
        raise InputError("a placement is saved as JSON", file=path, allowed="a name that ends in .json")
    stage = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        stage.write_text(placement_json(program.placement), encoding="utf-8")
        stage.replace(target)
    except (OSError, ValueError) as error:  # ValueError: what no name can hold
        with suppress(OSError, ValueError):
            stage.unlink()
        raise InputError(f"cannot be written: {getattr(error, 'strerror', None) or error}", file=path) from None


def placement_json(placement: Placement) -> str:
    """A placement as :func:`load_placement` reads it."""
    data: dict[str, Any] = {
        "format": FORMAT, "workload": placement.workload, "system": placement.system, "chips": placement.chips,
        "strategy": placement.strategy, "start": placement.start, "fingerprint": placement.fingerprint,
        "at_start": placement.at_start and placement.at_start._asdict(),
        "objectives": placement.objectives and placement.objectives._asdict(),
        "place": placement.place.tolist(),
    }  # fmt: skip
    if placement.archive is not None:
        archive = placement.archive
        data["archive"] = {"names": list(archive.names), "values": archive.values.tolist(),
                           "places": archive.places.tolist(), "chosen": archive.chosen}  # fmt: skip
    return json.dumps(data) + "\n"


def load_placement(path: str | Path) -> Placement:
    """Read what :func:`save_placement` wrote; raises InputError where it is something else."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError("there is no such file", file=path, key="mapping.placement") from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path, key="mapping.placement") from None
    except (ValueError, RecursionError):
        raise InputError("cannot be read: it is no JSON", file=path, key="mapping.placement") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InputError(f"is no placement of format {FORMAT}", file=path, key="mapping.placement")
    try:
        return _placement(data)
    except _Damage as damage:
        raise InputError(f"is damaged: {damage}", file=path, key="mapping.placement") from None


class _Damage(Exception):
    """What is missing, or is not what it should be."""


_KINDS = {str: "text", int: "whole number", dict: "mapping", list: "list"}


def _item(data: dict[str, Any], key: str, kind: type) -> Any:
    if key not in data:
        raise _Damage(f"{key} is missing")
    if type(data[key]) is not kind:  # JSON has no subclasses, but a bool is an int
        raise _Damage(f"{key} is no {_KINDS[kind]}")
    return data[key]


def _placement(data: dict[str, Any]) -> Placement:
    place = _permutation(_item(data, "place", list), "place")
    if _item(data, "start", str) not in ORDERS:
        raise _Damage(f"no order is called {shown(data['start'])}")
    words = {key: _item(data, key, str) for key in ("strategy", "start", "workload", "system", "fingerprint")}
    return Placement(
        **words, place=place, chips=_item(data, "chips", int), at_start=_objectives(data, "at_start"),
        objectives=_objectives(data, "objectives"), archive=_archive(data, place.size) if "archive" in data else None,
    )  # fmt: skip


def _objectives(data: dict[str, Any], key: str) -> Objectives | None:
    if key in data and data[key] is None:
        return None
    values = _item(data, key, dict)
    if not set(Objectives._fields) - set(Objectives._field_defaults) <= values.keys() <= set(Objectives._fields):
        raise _Damage(f"{key} has other keys than {', '.join(Objectives._fields)}")
    return Objectives(**dict(zip(values, _numbers([*values.values()], key), strict=True)))


def _archive(data: dict[str, Any], tiles: int) -> Archive:
    kept = _item(data, "archive", dict)
    names, chosen = _item(kept, "names", list), _item(kept, "chosen", int)
    rows, places = _item(kept, "values", list), _item(kept, "places", list)
    if not all(type(name) is str for name in names) or not 0 <= chosen < len(places) == len(rows):
        raise _Damage("archive does not hold what its names, values and places say")
    if any(type(row) is not list or len(row) != len(names) for row in rows):
        raise _Damage("archive does not have a value for each of its names")
    values = np.array([_numbers(row, "archive") for row in rows])
    found = [_permutation(row, "archive") for row in places]
    if any(place.size != tiles for place in found):
        raise _Damage("archive has places of other tiles")
    return Archive(tuple(names), values, np.array(found), chosen)


def _numbers(values: list[Any], key: str) -> list[float]:
    if not all(type(value) in (int, float) and abs(value) <= sys.float_info.max for value in values):
        raise _Damage(f"{key} holds something that is no number")
    return [float(value) for value in values]


def _permutation(values: Any, key: str) -> np.ndarray:
    """(tiles,) int64 of a list that holds each of the numbers from 0 once."""
    whole = type(values) is list and all(type(value) is int for value in values)
    if not whole or sorted(values) != list(range(len(values))):
        raise _Damage(f"{key} is no permutation of the tiles")
    return np.array(values, np.int64)


def check_reuse(saved: Placement, wanted: Placement, on_gpu: np.ndarray, path: str) -> None:
    """Raises InputError where a saved placement was made for another packing than the ``wanted`` one's, or mixes kinds.

    ``on_gpu`` (tiles,) bool: the tile is a GPU core.
    """
    if saved.fingerprint == wanted.fingerprint and saved.place.size == wanted.place.size:
        mixed = np.flatnonzero(on_gpu[saved.place] != on_gpu)
        if mixed.size:
            first = mixed[on_gpu[mixed]][0]  # as many GPU cores lie elsewhere as other tiles lie on them
            raise InputError(f"is damaged: the work of GPU core {first} lies on a ReRAM tile, {saved.place[first]}",
                             file=path, key="mapping.placement")  # fmt: skip
        return
    made, here = (f"{each.workload} on {each.chips} chip{'s'[: each.chips != 1]} of {each.system}"
                  for each in (saved, wanted))  # fmt: skip
    if made == here:
        raise InputError(f"this placement was made for {made} with other keys: its tiles would hold something else",
                         file=path, key="mapping.placement")  # fmt: skip
    raise InputError(f"this placement was made for {made}, not for {here}", file=path, key="mapping.placement")
