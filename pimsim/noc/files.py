"""Packets and traffic matrices in files: CSV with a header, columns in any order, or .npz with an array a column."""

from __future__ import annotations

import csv
import re
import zipfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pimsim.errors import InputError, shown
from pimsim.network.traffic import MOST_FLITS, Pattern, matrix

PACKET_COLUMNS = ("src", "dst", "size", "ctime")
LATEST = 2**53  #: cycle of a packet's creation
_WHOLE = re.compile(r"\s*-?[0-9]{1,18}\s*")  #: fits 64 bits; int() knows more digits than these, and 1_0
_WHOLE_WORDS = "a whole number of up to 18 digits"


@dataclass(frozen=True)
class PacketFile:
    """Rows of a file of packets, P of them; the targets of row i are ``dst[first[i]:first[i + 1]]``."""

    src: np.ndarray  #: (P,) terminal
    first: np.ndarray  #: (P + 1,)
    dst: np.ndarray  #: terminals
    size: np.ndarray  #: (P,) flits
    ctime: np.ndarray  #: (P,) cycle
    table: Table  #: says where a row stands


@dataclass(frozen=True)
class Table:
    """Columns of a file."""

    file: Path
    columns: dict[str, Sequence[str] | np.ndarray]
    lines: Sequence[int] | None  #: of the rows; None: the file has no lines

    def error(self, row: int, what: str, key: str, allowed: str | None = None) -> InputError:
        """Something wrong with a row."""
        if self.lines is None:
            return InputError(what, file=self.file, key=f"{key}[{row}]", allowed=allowed)
        return InputError(what, file=self.file, line=self.lines[row], key=key, allowed=allowed)

    def whole(self, key: str) -> np.ndarray:
        """A column of whole numbers, int64."""
        column = self.columns[key]
        if isinstance(column, np.ndarray):
            if column.dtype.kind not in "iu":
                raise InputError(f"has elements of type {column.dtype}", file=self.file, key=key,
                                 allowed="whole numbers")  # fmt: skip
            largest = np.iinfo(np.int64).max
            self.require(column <= largest, column, key, "{} is not allowed", f"whole numbers up to {largest}")
            return column.astype(np.int64)
        for row, text in enumerate(column):
            if not _WHOLE.fullmatch(text):
                raise self.error(row, f"{shown(text)} is not allowed", key, _WHOLE_WORDS)
        return np.array([int(text) for text in column], np.int64)

    def real(self, key: str) -> np.ndarray:
        """A column of numbers, float64."""
        column = self.columns[key]
        if isinstance(column, np.ndarray):
            if column.dtype.kind not in "iuf":
                raise InputError(f"has elements of type {column.dtype}", file=self.file, key=key, allowed="numbers")
            return column.astype(np.float64)
        for row, text in enumerate(column):
            if not _is_real(text):
                raise self.error(row, f"{shown(text)} is not allowed", key, "a number")
        return np.array([float(text) for text in column], np.float64)

    def require(self, right: np.ndarray, values: np.ndarray, key: str, what: str, allowed: str) -> None:
        """Raises InputError about the first row for which ``right`` is not true; ``what`` is said of its value."""
        if not np.all(right):
            row = int(np.argmin(right))
            raise self.error(row, what.format(values[row]), key, allowed)


def read_packets(path: str | Path, terminals: int) -> PacketFile:
    """Packets with the columns src, dst, size and ctime; in a CSV, a ``dst`` of several terminals is ``3;7;9``.

    Raises:
        InputError: the file cannot be read, a column is missing, a terminal does not exist, a size is less than 1, or
            times are not in order; with file and line.
    """
    table = read_table(path, PACKET_COLUMNS)
    src, size, ctime = (table.whole(key) for key in ("src", "size", "ctime"))
    first, dst = _targets(table)
    here = f"0 to {terminals - 1}"
    table.require((src >= 0) & (src < terminals), src, "src", "there is no terminal {}", here)
    inside = (dst >= 0) & (dst < terminals)
    if not np.all(inside):
        at = int(np.argmin(inside))
        row = int(np.searchsorted(first, at, side="right")) - 1
        raise table.error(row, f"there is no terminal {dst[at]}", "dst", here)
    _refuse_twice(table, first, dst)
    table.require((size >= 1) & (size <= MOST_FLITS), size, "size", "a packet cannot have {} flits",
                  f"1 to {MOST_FLITS}")  # fmt: skip
    table.require((ctime >= 0) & (ctime <= LATEST), ctime, "ctime", "{} is no cycle", f"0 to {LATEST}")
    later = np.diff(ctime, prepend=0) >= 0
    table.require(later, ctime, "ctime", "{} comes after a later time", "packets in the order of their times")
    return PacketFile(src, first, dst, size, ctime, table)


def _targets(table: Table) -> tuple[np.ndarray, np.ndarray]:
    """(P + 1,) where each row's targets begin, and all targets."""
    column = table.columns["dst"]
    if isinstance(column, np.ndarray) or all(map(_WHOLE.fullmatch, column)):
        dst = table.whole("dst")
        return np.arange(dst.size + 1), dst
    lists = [text.replace(";", " ").split() for text in column]
    for row, parts in enumerate(lists):
        if not parts or not all(map(_WHOLE.fullmatch, parts)):
            raise table.error(row, f"{shown(column[row])} is not allowed", "dst", "a terminal, or several: 3;7;9")
    first = np.concatenate(([0], np.cumsum([len(parts) for parts in lists])))
    return first, np.array([int(part) for parts in lists for part in parts], np.int64)


def _refuse_twice(table: Table, first: np.ndarray, dst: np.ndarray) -> None:
    if dst.size == first.size - 1:
        return
    row = np.repeat(np.arange(first.size - 1), np.diff(first))
    order = np.lexsort((dst, row))
    twice = np.flatnonzero((np.diff(row[order]) == 0) & (np.diff(dst[order]) == 0))
    if twice.size:
        at = order[twice[0]]
        raise table.error(int(row[at]), f"terminal {dst[at]} is there twice", "dst")


def read_matrix(path: str | Path, terminals: int) -> Pattern:
    """A traffic matrix with the columns source, target, weight and, if need be, flits.

    Raises:
        InputError: as :func:`read_packets`, or a weight is negative, or all are 0.
    """
    table = read_table(path, ("source", "target", "weight"), ("flits",))
    source, target, weight = table.whole("source"), table.whole("target"), table.real("weight")
    for key, column in (("source", source), ("target", target)):
        inside = (column >= 0) & (column < terminals)
        table.require(inside, column, key, "there is no terminal {}", f"0 to {terminals - 1}")
    table.require(np.isfinite(weight) & (weight >= 0), weight, "weight", "{} is not allowed", "numbers from 0")
    flits = table.whole("flits") if "flits" in table.columns else None
    if flits is not None:
        inside = (flits >= 1) & (flits <= MOST_FLITS)
        table.require(inside, flits, "flits", "a packet cannot have {} flits", f"1 to {MOST_FLITS}")
    if not np.any(weight > 0):
        raise InputError("has no weight over 0", file=path)
    return matrix(Path(path).stem, terminals, source, target, weight, flits)


def read_table(path: str | Path, needed: Sequence[str], others: Sequence[str] = ()) -> Table:
    """The columns of a file, as text or as arrays.

    Raises:
        InputError: it cannot be read, is empty, or lacks a column or has one that is not known.
    """
    file = Path(path)
    try:
        table = _read_npz(file, {*needed, *others}) if file.suffix.lower() == ".npz" else _read_csv(file)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", file=file) from None
    except UnicodeDecodeError:
        raise InputError("cannot be read: it is not UTF-8 text", file=file, allowed="CSV, or .npz") from None
    except (csv.Error, zipfile.BadZipFile, ValueError) as error:
        raise InputError(f"cannot be read: {error}", file=file) from None
    line = None if table.lines is None else 1
    for key in needed:
        if key not in table.columns:
            raise InputError("there is no such column", file=file, line=line, key=key, allowed=[*needed, *others])
    known = {*needed, *others}
    if unknown := [key for key in table.columns if key not in known]:
        raise InputError("is not a known column", file=file, line=line, key=unknown[0], allowed=[*needed, *others])
    lengths = {key: len(column) for key, column in table.columns.items()}
    if len(set(lengths.values())) != 1:
        words = ", ".join(f"{key} {length:,}" for key, length in lengths.items())
        raise InputError(f"has columns of different lengths: {words}", file=file)
    if not lengths[needed[0]]:
        raise InputError("has no rows", file=file)
    return table


def _read_npz(file: Path, known: Collection[str]) -> Table:
    """The known columns; what else the file holds is left alone."""
    with file.open("rb") as stream:
        if not zipfile.is_zipfile(stream):
            raise InputError("cannot be read: it is no .npz file", file=file, allowed="what numpy.savez writes")
        with zipfile.ZipFile(stream) as archive:
            names = {name.removesuffix(".npy"): name for name in archive.namelist()}
            return Table(file, {key: _column(archive, names[key], file, key) for key in names if key in known}, None)


def _column(archive: zipfile.ZipFile, name: str, file: Path, key: str) -> np.ndarray:
    try:
        with archive.open(name) as stream:
            column = np.atleast_1d(np.lib.format.read_array(stream, allow_pickle=False))
    except MemoryError:
        raise
    except Exception:  # whatever zipfile, zlib and numpy say of bytes that are no array, or of Python objects
        raise InputError("cannot be read: it is no array of numbers", file=file, key=key) from None
    if column.ndim != 1:
        raise InputError(f"has {column.ndim} dimensions", file=file, key=key, allowed="one: an element a row")
    return column


def _read_csv(file: Path) -> Table:
    with file.open(encoding="utf-8-sig", newline="") as text:
        first = text.readline()
        text.seek(0)
        rows = csv.reader(text, delimiter="," if "," in first else ";", skipinitialspace=True)
        header = [name.strip() for name in next(rows, [])]
        lines, cells = [], []
        for row in rows:
            if not row or (len(row) == 1 and not row[0].strip()):
                continue
            if len(row) != len(header):
                raise InputError(f"there are {len(row)} cells", file=file, line=rows.line_num,
                                 allowed=f"{len(header)}, as in the header")  # fmt: skip
            lines.append(rows.line_num)
            cells.append(row)
    if len(set(header)) != len(header):
        raise InputError("a column is there twice", file=file, line=1)
    columns = list(zip(*cells, strict=True)) or [()] * len(header)
    return Table(file, dict(zip(header, columns, strict=True)), lines)


def _is_real(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii() and "_" not in text  # which float() takes
