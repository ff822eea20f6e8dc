"""Files appear whole or not at all: they are written aside, then renamed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from pimsim.errors import InputError

_Found = TypeVar("_Found")

_open: list[Path] = []  # what is being written, and folders made for it, outermost first
_renaming = False


def abandon() -> bool:
    """Remove everything that is half-written, for a process that ends at once; False: it is being put in place."""
    if not _renaming:
        _remove(_open)
    return not _renaming


@contextmanager
def staged_folder(folder: str | Path, names: Iterable[str] = ()) -> Iterator[Path]:
    """A folder to write into, whose files are moved to ``folder`` at the end of the block.

    Files of the same names are replaced, others stay.  If the block raises, nothing is left behind or replaced.

    Args:
        names: files that may be written; those of them that are not are of an earlier run, and are removed.

    Raises:
        InputError: the folder cannot be made or written; when the block is entered as far as that can be known.
    """
    target, names = Path(folder), tuple(names)
    made: list[Path] = []
    try:
        with _one_line(target):
            if target.exists() and not target.is_dir():
                raise InputError("cannot be the output folder: it is a file", file=target)
            _refuse_folders(target / name for name in names)
            _make_missing(target.parent, made)
            inside = target.is_dir()
            stage = _noted((target if inside else target.parent) / _aside(target), made)
            stage.mkdir()
            (stage / "probe").write_text("can be written")
            (stage / "probe").unlink()
        yield stage
        with _one_line(target), _uninterrupted():
            if inside:
                _refuse_folders(target / path.name for path in sorted(stage.iterdir()))
                written = sorted(path.name for path in stage.iterdir())
                for name in written:
                    (stage / name).replace(target / name)
                for name in set(names).difference(written):
                    (target / name).unlink(missing_ok=True)
                stage.rmdir()
            else:
                stage.replace(target)
    except BaseException:
        _remove(made)
        raise
    finally:
        _forget(made)


def _refuse_folders(files: Iterable[Path]) -> None:
    """Before anything is replaced: a folder cannot become a file."""
    for file in files:
        if file.is_dir():
            raise InputError("cannot be written: it is a folder", file=file)


@contextmanager
def staged_file(path: str | Path) -> Iterator[Path]:
    """A name to write to, which becomes ``path`` at the end of the block; nothing is left if the block raises.

    Devices and pipes are written in place.
    """
    target = Path(path)
    if target.exists() and not target.is_file():
        yield target
        return
    made: list[Path] = []
    stage = _noted(target.with_name(_aside(target)), made)
    try:
        yield stage
        with _uninterrupted():
            stage.replace(target)
    except BaseException:
        _remove(made)
        raise
    finally:
        _forget(made)


@contextmanager
def filled_folder(
    folder: str | Path, names: Iterable[str], write: Callable[[_Found, Path], object]
) -> Iterator[Callable[[_Found], None]]:
    """A folder to fill, once, by what this yields; what it writes becomes visible when the block ends.

    Args:
        names: as of :func:`staged_folder`.
        write: writes what was found into a folder.

    Raises:
        InputError: as :func:`staged_folder`; when filled, the disk is full, or the folder has gone.
    """
    with staged_folder(folder, names) as stage:

        def fill(found: _Found) -> None:
            with _one_line(Path(folder)):
                write(found, stage)

        yield fill


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """Errors of the operating system as one line that names the path."""
    try:
        yield
    except OSError as error:
        raise write_error(error, path) from None


def write_texts(texts: Mapping[str, str], folder: Path) -> None:
    """Files by name, in UTF-8 and with line feeds."""
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def write_error(error: OSError, path: object) -> InputError:
    """What the operating system says about a path that cannot be written."""
    return InputError(f"cannot be written: {error.strerror or error}", file=path)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    global _renaming
    _renaming = True
    try:
        yield
    finally:
        _renaming = False


def _aside(target: Path) -> str:
    return f".{target.name}.{os.getpid()}.partial"


def _make_missing(folder: Path, made: list[Path]) -> None:
    """Make a folder and those above it; the ones that were missing are noted, outermost first."""
    missing = [each for each in [folder, *folder.parents] if not each.exists()]
    for each in reversed(missing):
        _noted(each, made).mkdir()


def _noted(path: Path, made: list[Path]) -> Path:
    made.append(path)
    _open.append(path)
    return path


def _remove(paths: list[Path]) -> None:
    """Remove what was made; of folders that were missing, those into which nobody else has put anything."""
    for path in reversed(paths):
        with suppress(OSError):
            if not path.name.endswith(".partial"):
                path.rmdir()
            elif path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


def _forget(paths: list[Path]) -> None:
    _open[:] = [path for path in _open if path not in paths]
