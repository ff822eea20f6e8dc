"""A run as a timeline for Perfetto or chrome://tracing, streamed to disk record by record.

Every tile is a process, named with its layers, and so are the links of each chip.  What overlaps (several
IMAs at work, two eDRAM banks) is spread over as many lanes as are needed.  Times are microseconds, exact to
the picosecond.  Memory does not grow with the run: only lanes and names are kept.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from pimsim.errors import InputError
from pimsim.mapping.program import Program
from pimsim.results.sending import layers_of_trees
from pimsim.results.staging import staged_file, write_error

KINDS = ("input read", "crossbars", "output transfer", "activation", "eDRAM write", "packet on link", "GPU kernel")
"""Kinds of records, by number, as `pimsim.arch.tracing` writes them: (kind, place, what, image, start, end)."""
READ, COMPUTE, OUTPUT, ACTIVATE, WRITE, HOP, KERNEL = range(7)
_LINKS = 1 << 24  #: process numbers from here on are the links of a chip
_WITH_IMAGE = (READ, COMPUTE, ACTIVATE, KERNEL)


@dataclass(frozen=True)
class Window:
    """What part of a run a trace holds."""

    from_ps: int = 0
    to_ps: int = np.iinfo(np.int64).max
    tiles: tuple[int, ...] | None = None  #: None: all


@contextmanager
def open_trace(path: str | Path, window: Window = Window()) -> Iterator[TraceFile]:
    """A trace that is complete at the end of the block; ``.gz`` at the end of the name compresses it.

    Raises:
        InputError: the file cannot be written; then nothing is left behind.
    """
    if Path(path).is_dir():
        raise InputError("cannot be the trace: it is a folder", file=path)
    try:
        with staged_file(path) as stage, _text(stage, str(path).endswith(".gz")) as file:
            trace = TraceFile(file, window)
            yield trace
            trace.end()
    except OSError as error:
        raise write_error(error, path) from None


@contextmanager
def _text(path: Path, compressed: bool) -> Iterator[TextIO]:
    if not compressed:
        with path.open("w", encoding="ascii") as file:
            yield file
        return
    # no name and no date in the header: equal runs give equal bytes
    with (
        path.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
        io.TextIOWrapper(packed, "ascii") as file,
    ):
        yield file


def parse_tiles(text: str) -> tuple[int, ...]:
    """'0,1,5-9' as numbers.

    Raises:
        InputError: something else is written there.
    """
    tiles: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        numbers = first.isdecimal() and (last.isdecimal() or not dash)
        if not numbers or int(last or first) - int(first) not in range(10**6):
            raise InputError(f"{part.strip()!r} is no tile and no range of tiles", allowed="such as 0,1,5-9")
        tiles.extend(range(int(first), int(last or first) + 1))
    return tuple(dict.fromkeys(tiles))


class TraceFile:
    """Writes records as they come; made by :func:`open_trace`."""

    def __init__(self, file: TextIO, window: Window) -> None:
        self._file, self._window = file, window
        self._lanes: dict[tuple[int, int], list[int]] = {}  # (process, kind or link) -> ends of its lanes
        self._processes: set[int] = set()
        file.write('{"displayTimeUnit":"ns","traceEvents":[\n')
        file.write('{"name":"pimsim","ph":"M","pid":0,"tid":0,"args":{}}')

    def begin(self, program: Program) -> Callable[[np.ndarray], None]:
        """The callback that takes (n, 6) int64 records of a run of ``program``."""
        self._program = program
        self._layer_of_tree = layers_of_trees(program).tolist()
        self._tree_of_edge = np.repeat(np.arange(program.trees.roots.size), np.diff(program.trees.first))
        self._layer_of_replica = program.replicas.layer.tolist()
        self._first_replica = np.searchsorted(program.replicas.layer, np.arange(len(program.layers))).tolist()
        self._layers_of_tile: dict[int, list[int]] = {}
        layers = program.replicas.layer[program.slices.replica]
        for tile, layer in np.unique(np.stack([program.slices.tile, layers], axis=1), axis=0).tolist():
            self._layers_of_tile.setdefault(tile, []).append(layer)
        tiles = self._window.tiles
        if tiles is not None and max(tiles) >= program.fabric.n_tiles:
            raise InputError(f"there is no tile {max(tiles)}", allowed=f"0 to {program.fabric.n_tiles - 1}")
        return self.write

    def write(self, records: np.ndarray) -> None:
        """Write those of the records that lie in the window."""
        records = self._chosen(records)
        trees = self._tree_of_edge[np.where(records[:, 0] == HOP, records[:, 2], 0)].tolist()
        rows = zip(records.tolist(), trees, strict=True)
        self._file.write("".join([self._line(record, tree) for record, tree in rows]))

    def end(self) -> None:
        """Close the list of events."""
        self._file.write("\n]}\n")
        self._file.flush()

    def _chosen(self, records: np.ndarray) -> np.ndarray:
        kind, place, start, end = records[:, 0], records[:, 1], records[:, 4], records[:, 5]
        keep = (end >= self._window.from_ps) & (start <= self._window.to_ps) & (end > start)
        if self._window.tiles is not None:
            n = self._program.fabric.n_tiles
            tile = np.where((kind == HOP) & (place >= n), place - n, place)  # links from and to a tile
            keep &= np.isin(tile, np.array(self._window.tiles)) & ((kind != HOP) | (place < 2 * n))
        return records[keep]

    def _line(self, record: list[int], tree: int) -> str:
        """One complete event, after the names of its tracks where they are new."""
        kind, place, what, image, start, end = record
        if kind == HOP:
            process, row, layer = self._process_of_link(place), place, self._layer_of_tree[tree]
        else:
            process, row = place + 1, kind
            layer = self._layer_of_tree[what] if kind == WRITE else self._layer_of_replica[what]
        names = self._names(process, place) if process not in self._processes else ""
        lane, name_of_lane = self._lane(process, row, kind, start, end)
        details = "" if kind in (WRITE, HOP) else f'"replica":{what - self._first_replica[layer]}'
        details += f',"image":{image}' if kind in _WITH_IMAGE else ""
        return (
            f'{names}{name_of_lane},\n{{"name":{self._quoted(layer)},"cat":"{KINDS[kind]}","ph":"X","ts":{_us(start)},'
            f'"dur":{_us(end - start)},"pid":{process},"tid":{lane},"args":{{{details}}}}}'
        )

    def _lane(self, process: int, row: int, kind: int, start: int, end: int) -> tuple[int, str]:
        """A lane that is free from ``start`` on, and its name if it is new."""
        lanes = self._lanes.setdefault((process, row), [])
        for number, free in enumerate(lanes):
            if free <= start:
                lanes[number] = end
                return self._thread(row, kind, number), ""
        lanes.append(end)
        number = len(lanes) - 1
        thread = self._thread(row, kind, number)
        name = self._program.fabric.link_name(row) if kind == HOP else KINDS[kind]
        return thread, _meta("thread_name", process, thread, f'"name":{json.dumps(name)}') + _meta(
            "thread_sort_index", process, thread, f'"sort_index":{thread}'
        )

    @staticmethod
    def _thread(row: int, kind: int, number: int) -> int:
        return (row << 8) + number if kind == HOP else (kind << 12) + number + 1

    def _names(self, process: int, place: int) -> str:
        self._processes.add(process)
        fabric = self._program.fabric
        if process >= _LINKS:
            name = f"chip {process - _LINKS}: links"
        else:
            layers = [self._program.layers[i].name for i in self._layers_of_tile.get(place, [])]
            name = f"chip {place // fabric.tiles}, tile {place}: {', '.join(layers)}"
        return _meta("process_name", process, 0, f'"name":{json.dumps(name)}') + _meta(
            "process_sort_index", process, 0, f'"sort_index":{process}'
        )

    def _process_of_link(self, link: int) -> int:
        return _LINKS + self._program.fabric.chip_of(link)

    def _quoted(self, layer: int) -> str:
        return json.dumps(self._program.layers[layer].name)


def _meta(name: str, process: int, thread: int, args: str) -> str:
    return f',\n{{"name":"{name}","ph":"M","pid":{process},"tid":{thread},"args":{{{args}}}}}'


def _us(ps: int) -> str:
    """Picoseconds as microseconds, exactly."""
    return f"{ps // 1_000_000}.{ps % 1_000_000:06d}"


def merge_tiles(texts: Iterable[str]) -> tuple[int, ...] | None:
    """Several ``--trace-tiles`` together; None where there is none."""
    tiles = [tile for text in texts for tile in parse_tiles(text)]
    return tuple(dict.fromkeys(tiles)) or None
