"""A placement as a record of the Program, and as a file that another run can start from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pimsim.config.placement import ORDERS
from pimsim.errors import InputError
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

    Raises InputError where the file's name does not end in .json, by which a system file tells it from a strategy.
    """
    if Path(path).suffix != ".json":
        raise InputError("a placement is saved as JSON", file=path, allowed="a name that ends in .json")
    Path(path).write_text(placement_json(program.placement), encoding="utf-8")


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
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read: {error}", file=path, key="mapping.placement") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InputError(f"is no placement of format {FORMAT}", file=path, key="mapping.placement")
    try:
        return _placement(data)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"is damaged: {error!r}", file=path, key="mapping.placement") from None


def _placement(data: dict[str, Any]) -> Placement:
    """Raises KeyError, TypeError or ValueError where something is missing or is not what it should be."""
    place = _permutation(data["place"])
    if data["start"] not in ORDERS:
        raise ValueError(f"no order is called {data['start']}")
    archive = None
    if "archive" in data:
        kept = data["archive"]
        places = np.array([_permutation(row) for row in kept["places"]])
        archive = Archive(tuple(kept["names"]), np.array(kept["values"], dtype=np.float64), places, kept["chosen"])
    return Placement(
        strategy=str(data["strategy"]), start=data["start"], place=place, workload=str(data["workload"]),
        system=str(data["system"]), chips=int(data["chips"]), fingerprint=str(data["fingerprint"]),
        at_start=Objectives(**data["at_start"]) if data["at_start"] else None,
        objectives=Objectives(**data["objectives"]) if data["objectives"] else None, archive=archive,
    )  # fmt: skip


def _permutation(values: list[int]) -> np.ndarray:
    place = np.array(values, dtype=np.int64)
    if place.ndim != 1 or not np.array_equal(np.sort(place), np.arange(place.size)):
        raise ValueError("place is no permutation of the tiles")
    return place


def check_reuse(saved: Placement, wanted: Placement, path: str) -> None:
    """Raises InputError where a saved placement was made for another packing than the ``wanted`` one's."""
    if saved.fingerprint == wanted.fingerprint and saved.place.size == wanted.place.size:
        return
    made, here = (f"{each.workload} on {each.chips} chip{'s'[: each.chips != 1]} of {each.system}"
                  for each in (saved, wanted))  # fmt: skip
    if made == here:
        raise InputError(f"this placement was made for {made} with other keys: its tiles would hold something else",
                         file=path, key="mapping.placement")  # fmt: skip
    raise InputError(f"this placement was made for {made}, not for {here}", file=path, key="mapping.placement")
