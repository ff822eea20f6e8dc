"""What a study keeps of the files that its sweep names, so that it can be mailed and resumed anywhere.

Systems are kept with every key.  Networks are kept whole, with their weights: keys of points depend on all bytes of an
ONNX file, and an execution on data needs them.  Of data and devices, single files are kept; a folder of images stays
where it is, since it may be of any size.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pimsim.config import load_device, load_system, resolved
from pimsim.errors import InputError
from pimsim.results.staging import staged_file, write_error
from pimsim.sweep.spec import Sweep

SYSTEMS, NETWORKS, DATA, DEVICES = "systems", "networks", "data", "devices"


@dataclass(frozen=True)
class Copy:
    """A file of a study: bytes of another file, or a text."""

    target: Path  #: relative to the study
    source: Path | None = None
    text: str | None = None


def keep_files(folder: Path, sweep: Sweep) -> dict[str, str]:
    """Write copies of what the sweep has read into a study.

    Returns:
        by name in the sweep, the path relative to the study (of a folder of data: absolute), as ``files`` of
        SWEEP.yaml.

    Raises:
        InputError: something cannot be read any more, or the study cannot be written.
    """
    found: dict[str, str] = {}
    copies: list[Copy] = []
    _systems(folder, sweep, found, copies)
    _networks(folder, sweep, found, copies)
    if sweep.inference is not None:
        _data(folder, sweep, found, copies)
        _device(folder, sweep, found, copies)
    for copy in copies:
        _write(folder, copy)
    return found


def _systems(folder: Path, sweep: Sweep, found: dict[str, str], copies: list[Copy]) -> None:
    names = _Names(folder, SYSTEMS, (sweep.path_of(name) for name in sweep.systems))
    for name in sweep.systems:
        target = names.of(sweep.path_of(name), ".yaml")
        copies.append(Copy(target, text=yaml.safe_dump(resolved(load_system(sweep.path_of(name))), sort_keys=False)))
        found[name] = target.as_posix()


def _networks(folder: Path, sweep: Sweep, found: dict[str, str], copies: list[Copy]) -> None:
    from pimsim.workload.catalogue import shipped

    own = [name for name in sweep.workloads if sweep.path_of(name) not in shipped()]
    names = _Names(folder, NETWORKS, map(sweep.path_of, own))
    for name in own:
        source = Path(sweep.path_of(name))
        target = names.of(str(source), source.suffix)
        beside = weights_beside(source)
        if beside and target.parent == Path(NETWORKS):  # in a folder of its own: its weights say where they lie
            target = target.with_suffix("") / target.name
        copies.append(Copy(target, source))
        copies += [Copy(target.parent / each, source.parent / each) for each in beside]
        found[name] = target.as_posix()


def weights_beside(network: Path) -> list[str]:
    """Files of an ONNX file's external data that are there, by their places relative to it."""
    if network.suffix.lower() != ".onnx":
        return []
    import onnx

    model = onnx.load_model(str(network), load_external_data=False)
    places = {entry.value for tensor in model.graph.initializer for entry in tensor.external_data
              if entry.key == "location"}  # fmt: skip
    return sorted(each for each in places if _is_inside(each) and (network.parent / each).is_file())


def _is_inside(place: str) -> bool:
    return not os.path.isabs(place) and ".." not in Path(place).parts


def _data(folder: Path, sweep: Sweep, found: dict[str, str], copies: list[Copy]) -> None:
    assert sweep.inference is not None
    name = sweep.inference.data
    source = Path(sweep.path_of(name))
    if source.is_file():
        target = _Names(folder, DATA, [str(source)]).of(str(source), source.suffix)
        copies.append(Copy(target, source))
        found[name] = target.as_posix()
    elif name in sweep.files:
        found[name] = str(source)


def _device(folder: Path, sweep: Sweep, found: dict[str, str], copies: list[Copy]) -> None:
    assert sweep.inference is not None
    name = sweep.inference.device
    if name is None:
        return
    path = sweep.path_of(name)
    data: dict[str, Any] = load_device(path).model_dump(mode="json", exclude_unset=True)
    target = _Names(folder, DEVICES, [path]).of(path, ".yaml")
    if (data.get("faults") or {}).get("map"):
        source = Path(data["faults"]["map"])
        copies.append(Copy(target.with_name(f"{target.stem}-faults{source.suffix}"), source))
        data["faults"]["map"] = copies[-1].target.name
    copies.append(Copy(target, text=yaml.safe_dump(data, sort_keys=False)))
    found[name] = target.as_posix()


class _Names:
    """Names of files in a folder of a study, no two the same; what lies there already keeps its name."""

    def __init__(self, study: Path, part: str, paths: Iterable[str]) -> None:
        self._study, self._part = study, part
        self._taken = {kept.stem.lower() for path in paths if (kept := self._kept(path)) is not None}

    def of(self, path: str, suffix: str) -> Path:
        """The place of a file's copy, relative to the study."""
        kept = self._kept(path)
        if kept is not None:
            return kept
        stem = wanted = Path(path).stem
        number = 1
        while stem.lower() in self._taken:
            number += 1
            stem = f"{wanted}-{number}"
        self._taken.add(stem.lower())
        return Path(self._part) / f"{stem}{suffix}"

    def _kept(self, path: str) -> Path | None:
        inside = os.path.relpath(os.path.abspath(path), os.path.abspath(self._study))
        return Path(inside) if Path(inside).parts[0] == self._part else None


def _write(folder: Path, copy: Copy) -> None:
    file = folder / copy.target
    if copy.source is not None and file.exists() and file.samefile(copy.source):
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with staged_file(file) as stage:
            if copy.source is None:
                stage.write_text(copy.text or "", encoding="utf-8", newline="\n")
            else:
                shutil.copyfile(copy.source, stage)
    except OSError as error:
        if copy.source is not None and not copy.source.is_file():
            raise InputError("cannot be read any more", file=copy.source) from None
        raise write_error(error, file) from None
