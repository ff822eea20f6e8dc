"""Arenas: the state of a run in one int64 array, its larger tables in one int32 array.

Compiled code then sees two types only, whatever it works on; half the width lets twice as many records
of the tables stay in the caches.  Every part begins with a cache line, so that a record that fits one never
lies in two.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LINE = 64  #: bytes of a cache line


def joined(parts: Sequence[np.ndarray], dtype: type[np.signedinteger]) -> np.ndarray:
    """One array that begins with a cache line."""
    words = LINE // np.dtype(dtype).itemsize
    size = sum(part.size for part in parts)
    room = np.empty(size + words, dtype)
    begin = -(room.ctypes.data // room.itemsize) % words
    whole = room[begin : begin + size]
    np.concatenate([*parts, np.zeros(0, dtype)], out=whole, casting="same_kind")
    return whole


class Arena:
    """Collects named arrays and lays them out one after another."""

    def __init__(self, dtype: type[np.signedinteger] = np.int64) -> None:
        self._dtype = dtype
        self._parts: list[np.ndarray] = []
        self._size = 0
        self.offsets: dict[str, int] = {}

    def add(self, name: str, values: np.ndarray | Sequence[int] | int) -> int:
        """Append an array (or so many zeros); its offset, also kept under ``name``."""
        self._begin_line()
        part = np.zeros(values, np.int64) if isinstance(values, int) else np.asarray(values, np.int64).ravel()
        if name in self.offsets:
            raise ValueError(f"the arena already holds '{name}'")
        offset = self.offsets[name] = self._size
        self._parts.append(part)
        self._size += part.size
        return offset

    def _begin_line(self) -> None:
        """Leave room, so that what follows begins with a cache line."""
        room = -self._size % (LINE // np.dtype(self._dtype).itemsize)
        if room:
            self._parts.append(np.zeros(room, np.int64))
            self._size += room

    def fill(self, name: str, values: np.ndarray) -> None:
        """Set what was added as zeros under ``name``."""
        at = 0
        for i, part in enumerate(self._parts):
            if at == self.offsets[name] and part.size == values.size:
                self._parts[i] = np.asarray(values, np.int64)
                return
            at += part.size
        raise LookupError(f"the arena holds no '{name}' of {values.size} words")

    def add_table(self, stride: int, columns: dict[str, np.ndarray]) -> None:
        """Append records of ``stride`` words whose fields are the columns, (n,) or (n, k) arrays.

        The name of each column becomes the offset of that field in the first record.
        """
        fields = [np.asarray(column, np.int64).reshape(len(column), -1) for column in columns.values()]
        self._begin_line()
        width = sum(field.shape[1] for field in fields)
        if width > stride:
            raise ValueError(f"{width} fields do not fit a record of {stride} words")
        table = np.zeros((len(fields[0]), stride), np.int64)
        offset = 0
        for name, field in zip(columns, fields, strict=True):
            table[:, offset : offset + field.shape[1]] = field
            self.offsets[name] = self._size + offset
            offset += field.shape[1]
        self._parts.append(table.ravel())
        self._size += table.size

    def build(self) -> np.ndarray:
        """The arena as one array.

        Raises OverflowError where a value is too large for it.
        """
        most = np.iinfo(self._dtype).max
        if any(part.size and max(int(part.max()), -int(part.min())) > most for part in self._parts):
            raise OverflowError("a duration or table of this run is too large for 32 bits")
        return joined(self._parts, self._dtype)
