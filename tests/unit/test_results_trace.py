"""Timelines for Perfetto: valid, bounded to what was asked for, and exact."""

import gzip
import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import pimsim
from pimsim.arch import tracing
from pimsim.config import load_system
from pimsim.errors import InputError
from pimsim.results import trace
from pimsim.results.trace import Window, merge_tiles, open_trace, parse_tiles
from tests.unit.results_runs import joined


def events(path: Path, window: Window = Window(), **options: Any) -> list[dict[str, Any]]:  # noqa: B008
    """Run with a trace; the events in it."""
    with open_trace(path, window) as file:
        pimsim.simulate(joined(), load_system("isaac-ce"), trace=file, **options)
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return json.loads(text)["traceEvents"]


def complete(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in found if event["ph"] == "X"]


def test_kinds_of_records_are_those_that_the_engine_writes() -> None:
    assert trace.KINDS == tracing.KIND_NAMES
    numbers = ("READ", "COMPUTE", "OUTPUT", "ACTIVATE", "WRITE", "HOP")
    assert [getattr(trace, name) for name in numbers] == [getattr(tracing, name) for name in numbers]


def test_every_window_is_in_the_timeline(tmp_path: Path) -> None:
    found = complete(events(tmp_path / "run.json", batch=2))
    computed = [event for event in found if event["cat"] == "crossbars"]
    windows = {"conv1": 64, "conv2": 64, "conv5": 16, "fc7": 1}
    assert {name: sum(event["name"] == name for event in computed) for name in windows} == {
        name: 2 * count for name, count in windows.items()
    }
    assert {event["args"]["image"] for event in computed} == {0, 1}


def test_events_of_a_lane_do_not_overlap(tmp_path: Path) -> None:
    lanes = defaultdict(list)
    for event in complete(events(tmp_path / "run.json", batch=2)):
        start = round(event["ts"] * 1e6)
        lanes[event["pid"], event["tid"]].append((start, start + round(event["dur"] * 1e6)))
    for lane in lanes.values():
        lane.sort()
        assert all(end <= start for (_, end), (start, _) in pairwise(lane))


def test_tracks_bear_the_names_of_tiles_layers_and_links(tmp_path: Path) -> None:
    found = events(tmp_path / "run.json")
    names = {event["args"]["name"] for event in found if event["name"] in ("process_name", "thread_name")}
    assert any(name.startswith("chip 0, tile 0: conv1") for name in names)
    assert "chip 0: links" in names
    assert "chip 0: router (3, 0) to (2, 0)" in names
    assert {"crossbars", "eDRAM write"} <= names


def test_a_window_of_time_holds_what_overlaps_it(tmp_path: Path) -> None:
    whole = complete(events(tmp_path / "whole.json"))
    part = complete(events(tmp_path / "part.json", Window(2_000_000, 3_000_000)))
    inside = [event for event in whole if event["ts"] <= 3 and event["ts"] + event["dur"] >= 2]
    assert 0 < len(part) == len(inside) < len(whole)


def test_chosen_tiles_come_with_their_own_links_only(tmp_path: Path) -> None:
    found = events(tmp_path / "run.json", Window(tiles=(0,)))
    names = {event["args"]["name"] for event in found if event["name"] == "process_name"}
    links = {event["args"]["name"] for event in found if event["name"] == "thread_name" and event["pid"] >= 1 << 24}
    assert sorted(name.split(": ")[0] for name in names) == ["chip 0", "chip 0, tile 0"]
    assert links <= {"tile 0 to its router", "router to tile 0"}


def test_compressed_timelines_are_the_same_bytes_every_time(tmp_path: Path) -> None:
    assert events(tmp_path / "a.json.gz") == events(tmp_path / "plain.json")
    events(tmp_path / "b.json.gz")
    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()


def test_a_run_that_fails_leaves_no_timeline(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no tile 200"):
        events(tmp_path / "run.json", Window(tiles=(200,)))
    with pytest.raises(InputError, match="SimPy"):
        events(tmp_path / "run.json", engine="simpy")
    assert not list(tmp_path.iterdir())


def test_a_timeline_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    wrong = {"/dev/full": "No space left", str(tmp_path): "it is a folder", str(tmp_path / "no" / "x"): "No such"}
    for path, told in wrong.items():
        with pytest.raises(InputError, match=told):
            events(Path(path))
    assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize(("text", "tiles"), [("3", (3,)), ("0,1,5-7", (0, 1, 5, 6, 7)), (" 2 , 2", (2,))])
def test_tiles_are_numbers_and_ranges(text: str, tiles: tuple[int, ...]) -> None:
    assert parse_tiles(text) == tiles


@pytest.mark.parametrize("text", ["", "x", "3-1", "1-", "-1", "0-99999999999", "1.5"])
def test_other_words_are_no_tiles(text: str) -> None:
    with pytest.raises(InputError, match="is no tile"):
        parse_tiles(text)


def test_tiles_may_be_given_several_times() -> None:
    assert merge_tiles(["0", "0-2"]) == (0, 1, 2)
    assert merge_tiles([]) is None
