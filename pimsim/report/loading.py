"""Whatever was saved of a run or an execution on data, read back by what the file says that it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pimsim.errors import InputError
from pimsim.results.files import RESULT, load_result
from pimsim.results.inference import INFERENCE, SWEEP, InferenceResult, InferenceSweep, load_inference
from pimsim.results.record import Result

Saved = Result | InferenceResult | InferenceSweep

_START = 400  #: characters in which the format stands: it is the first key


def load_saved(path: str | Path) -> Saved:
    """A file that `pimsim run` or `pimsim infer` has written, or the folder that holds one.

    Raises:
        InputError: there is none, or it is not complete.
    """
    file = Path(path)
    if file.is_dir():
        there = [file / name for name in (RESULT, INFERENCE, SWEEP) if (file / name).exists()]
        if not there:
            raise InputError("holds no result", file=file, allowed=f"a folder with {RESULT} or {INFERENCE}")
        file = there[0]
    return load_inference(file) if "pimsim-inference" in _start(file) else load_result(file)


def _start(file: Path) -> str:
    try:
        with open(file, encoding="utf-8", errors="replace") as text:
            return text.read(_START)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=file) from None


def short_names(paths: Sequence[str]) -> list[str]:
    """A name for each file: that of its folder, or of the file; as much of the path as tells them apart.

    The same file twice gets a number.
    """
    parts = [_parts(path) for path in paths]
    different = len(set(parts))
    for length in range(1, max(map(len, parts), default=1) + 1):
        names = ["/".join(each[-length:]) for each in parts]
        if len(set(names)) == different:
            break
    return [f"{name} ({names[: n + 1].count(name)})" if names.count(name) > 1 else name
            for n, name in enumerate(names)]  # fmt: skip


def _parts(path: str) -> tuple[str, ...]:
    whole = Path(path).resolve()
    if whole.name in (RESULT, INFERENCE, SWEEP):
        return whole.parent.parts
    return whole.parts if whole.is_dir() else (*whole.parent.parts, whole.stem)
