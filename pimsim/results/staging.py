"""Files appear whole or not at all: they are written aside, then renamed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pimsim.errors import InputError


@contextmanager
def staged_folder(folder: str | Path) -> Iterator[Path]:
    """A folder to write into, whose files are moved to ``folder`` at the end of the block.

    Files of the same names are replaced, others stay.  If the block raises, nothing is left behind.

    Raises:
        InputError: the folder cannot be made or written; when the block is entered as far as that can be known.
    """
    target = Path(folder)
    made: list[Path] = []
    try:
        with _one_line(target):
            if target.exists() and not target.is_dir():
                raise InputError("cannot be the output folder: it is a file", file=target)
            made = _make_missing(target.parent)
            inside = target.is_dir()
            stage = (target if inside else target.parent) / f".{target.name}.{os.getpid()}.partial"
            stage.mkdir()
            made.append(stage)
            (stage / "probe").write_text("can be written")
            (stage / "probe").unlink()
        yield stage
        with _one_line(target):
            if inside:
                for path in sorted(stage.iterdir()):
                    path.replace(target / path.name)
                stage.rmdir()
            else:
                stage.replace(target)
    except BaseException:
        for path in reversed(made):
            if path.name.endswith(".partial"):
                shutil.rmtree(path, ignore_errors=True)
            else:
                with suppress(OSError):  # somebody else may have put something there
                    path.rmdir()
        raise


@contextmanager
def staged_file(path: str | Path) -> Iterator[Path]:
    """A name to write to, which becomes ``path`` at the end of the block; nothing is left if the block raises.

    Devices and pipes are written in place.
    """
    target = Path(path)
    if target.exists() and not target.is_file():
        yield target
        return
    stage = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        yield stage
        stage.replace(target)
    except BaseException:
        stage.unlink(missing_ok=True)
        raise


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """Errors of the operating system as one line that names the path."""
    try:
        yield
    except OSError as error:
        raise write_error(error, path) from None


def write_error(error: OSError, path: object) -> InputError:
    """What the operating system says about a path that cannot be written."""
    return InputError(f"cannot be written: {error.strerror or error}", file=path)


def _make_missing(folder: Path) -> list[Path]:
    """Make a folder and those above it; the ones that were missing, outermost first."""
    missing = [each for each in [folder, *folder.parents] if not each.exists()]
    for each in reversed(missing):
        each.mkdir()
    return missing[::-1]
