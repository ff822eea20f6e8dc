"""Placements of whole networks: what is packed stays together, traffic is that of the trees, files are used again."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest

from pimsim.arch.run import run_compiled
from pimsim.config import load_system
from pimsim.errors import InputError
from pimsim.mapping.compile import map_network
from pimsim.mapping.placement.layout import problem_of
from pimsim.mapping.placement.objectives import measure
from pimsim.mapping.placement.saved import load_placement, save_placement
from pimsim.mapping.program import Program
from pimsim.network.fabric import EJECT, INJECT
from pimsim.results import build_result, load_result, save_result
from pimsim.simulation import simulate
from pimsim.workload import load_workload, lower

ANNEALING = ("mapping.placement=annealing", "mapping.annealing.moves=2000")
AMOSA = ("mapping.placement=amosa", "mapping.amosa.moves=500", "mapping.amosa.climb_moves=500")
STRATEGIES = {"snake": ("mapping.placement=snake",), "bands": ("mapping.placement=bands",), "annealing": ANNEALING,
              "amosa": AMOSA, "from bands": (*ANNEALING, "mapping.annealing.start=bands")}  # fmt: skip
TWO_CHIPS = ("chips=2", "chip.tiles=40", "mapping.interval_windows=1")  #: 75 tiles are used


def program_of(*keys: str, network: str = "lenet5") -> Program:
    return map_network(lower(load_workload(network)), load_system("isaac-ce", [*TWO_CHIPS, *keys]))


@pytest.fixture(scope="module")
def programs() -> dict[str, Program]:
    return {name: program_of(*keys) for name, keys in STRATEGIES.items()}


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_gives_the_same_windows_work_and_messages(programs, name):
    program, snake = programs[name], programs["bands" if name in ("bands", "from bands") else "snake"]
    place = program.placement.place
    assert np.array_equal(np.sort(place), np.arange(program.fabric.n_tiles))
    assert np.array_equal(program.slices.tile, place[snake.slices.tile])
    assert np.array_equal(program.replicas.tile, np.append(place, -1)[snake.replicas.tile])
    assert np.array_equal(program.edram_bytes[place], snake.edram_bytes)
    for part, column in (("windows", "position"), ("windows", "entry_first"), ("slices", "read_values"),
                         ("slices", "results"), ("replicas", "window_first"), ("buffers", "capacity")):  # fmt: skip
        assert np.array_equal(getattr(getattr(program, part), column), getattr(getattr(snake, part), column))
    assert np.array_equal(program.entry_buffer, snake.entry_buffer)
    assert np.array_equal(program.tree_flits, snake.tree_flits)


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_runs_and_does_the_same_work(programs, name):
    work = []
    for program in (programs[name], programs["snake"]):
        result = build_result(program, run_compiled(program, 2), 2, "compiled")
        work.append([(each.name, each.windows, each.macs, each.counts.get("conversion")) for each in result.layers])
        assert len(result.times.image_done_ps) == 2 and min(result.times.image_done_ps) > 0
    assert work[0] == work[1]


def test_the_search_knows_the_network_by_the_load_of_every_link(programs):
    """Busy times by the search's own ways and trees equal those of the packets' trees."""
    program = programs["annealing"]
    traffic, ways = problem_of(programs["snake"])
    flits = program.tree_flits * np.diff(program.message_first)
    tree = np.repeat(np.arange(flits.size), np.diff(program.trees.first))
    on_link = program.trees.link >= 0
    load = np.bincount(program.trees.link[on_link], weights=flits[tree[on_link]], minlength=program.fabric.n_links)
    kinds = program.fabric.link_kinds()
    inner = load[(kinds != INJECT) & (kinds != EJECT)]
    busy_us = load[ways.number] * ways.hold_fs / 1e9
    assert inner.sum() == load[ways.number].sum() > 0
    found = program.placement.objectives
    assert found is not None and program.placement.at_start is not None
    assert found.peak == pytest.approx(busy_us.max())
    assert found.mean == pytest.approx(busy_us.mean())
    assert found.spread == pytest.approx(busy_us.std())
    assert found == pytest.approx(measure(traffic, ways, program.placement.place))
    assert found == pytest.approx(measure(*problem_of(program), np.arange(traffic.tiles)))
    assert program.placement.at_start == pytest.approx(measure(traffic, ways, np.arange(traffic.tiles)))


def test_chips_that_packing_leaves_idle_stay_idle():
    program = program_of("chips=4", *ANNEALING)
    assert not np.array_equal(program.placement.place, np.arange(program.fabric.n_tiles))
    assert np.all(program.tiles_used < 2 * program.fabric.tiles)


def test_a_saved_placement_is_used_again(programs, tmp_path: Path):
    for name in ("annealing", "amosa", "bands", "from bands"):
        program = programs[name]
        save_placement(program, tmp_path / "kept.json")
        again = program_of(f"mapping.placement={tmp_path / 'kept.json'}")
        assert again.placement.strategy == program.placement.strategy
        assert again.placement.objectives == program.placement.objectives
        assert np.array_equal(again.slices.tile, program.slices.tile)
        assert np.array_equal(again.trees.link, program.trees.link)


def test_a_result_folder_holds_the_placement_that_was_found(programs, tmp_path: Path):
    program, told = programs["annealing"], []
    result = simulate("lenet5", "isaac-ce", overrides=(*TWO_CHIPS, *ANNEALING), placing=lambda *n: told.append(n))
    assert told[-1] == (2000, 2000)
    save_result(result, tmp_path)
    assert load_result(tmp_path) == result
    assert result.placement.place == tuple(program.placement.place.tolist())
    assert "Placement:" in repr(result) and "annealing, from snake: mean latency" in repr(result)
    kept = load_placement(tmp_path / "placement.json")
    assert kept.objectives == program.placement.objectives and kept.at_start == program.placement.at_start
    again = program_of(f"mapping.placement={tmp_path / 'placement.json'}")
    assert np.array_equal(again.slices.tile, program.slices.tile)


def test_where_nothing_was_searched_for_there_is_no_file(programs, tmp_path: Path):
    result = build_result(programs["snake"], run_compiled(programs["snake"], 1), 1, "compiled")
    save_result(result, tmp_path)
    assert not (tmp_path / "placement.json").exists()
    assert result.placement.place == () and "Placement" not in repr(result)


def test_the_archive_is_saved_too(programs, tmp_path: Path):
    save_placement(programs["amosa"], tmp_path / "kept.json")
    kept, archive = load_placement(tmp_path / "kept.json").archive, programs["amosa"].placement.archive
    assert kept is not None and archive is not None
    assert kept.names == archive.names and kept.chosen == archive.chosen
    assert np.array_equal(kept.values, archive.values) and np.array_equal(kept.places, archive.places)


@pytest.mark.parametrize(
    ("keys", "network", "words"),
    [
        ((), "mnist-mlp", "made for lenet5 on 2 chips of isaac-ce, not for mnist-mlp on 2 chips of isaac-ce"),
        (("chips=3",), "lenet5", "on 2 chips of isaac-ce, not for lenet5 on 3 chips"),
        (("mapping.weight_bits=8",), "lenet5", "with other keys"),
        (("chip.noc.io_router=[0, 0]",), "lenet5", "with other keys"),
    ],
)
def test_another_network_or_chip_is_refused(programs, tmp_path: Path, keys, network, words):
    path = tmp_path / "kept.json"
    save_placement(programs["annealing"], path)
    with pytest.raises(InputError, match=words) as caught:
        program_of(f"mapping.placement={path}", *keys, network=network)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_placement_serves_a_faster_network_too(programs, tmp_path: Path):
    save_placement(programs["annealing"], tmp_path / "kept.json")
    again = program_of(f"mapping.placement={tmp_path / 'kept.json'}", "chip.noc.clock_ghz=2.4")
    assert np.array_equal(again.slices.tile, programs["annealing"].slices.tile)


def archive(**other: object) -> dict[str, object]:
    """An archive as a file holds it, of a system of two tiles."""
    return {"names": ["peak", "mean"], "values": [[1, 2.5]], "places": [[1, 0]], "chosen": 0} | other


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: data.update(format="pimsim-result-1"), "is no placement of format pimsim-placement-1"),
        (lambda data: data["place"].remove(5), "damaged: place is no permutation of the tiles"),
        (lambda data: data["place"].__setitem__(0, data["place"][0] + 0.5), "place is no permutation of the tiles"),
        (lambda data: data.update(place="abc"), "damaged: place is no list"),
        (lambda data: data["place"].__setitem__(0, data["place"][1]), "no permutation"),
        (lambda data: data.pop("fingerprint"), "damaged: fingerprint is missing"),
        (lambda data: data.update(start="spiral"), "no order is called 'spiral'"),
        (lambda data: data.update(chips=True), "damaged: chips is no whole number"),
        (lambda data: data["objectives"].pop("peak"), "objectives has other keys than latency, mean, spread, energy"),
        (lambda data: data["at_start"].update(peak="7"), "at_start holds something that is no number"),
        (lambda data: data.update(archive=[]), "archive is no mapping"),
        (lambda data: data.update(archive=archive(chosen=1)), "archive does not hold what its names, values and"),
        (lambda data: data.update(archive=archive(values=[[1]])), "archive does not have a value for each of its"),
        (lambda data: data.update(archive=archive(values=[[1, None]])), "archive holds something that is no number"),
        (lambda data: data.update(archive=archive(places=[[0, 0]])), "archive is no permutation"),
        (lambda data: data.update(archive=archive()), "archive has places of other tiles"),
    ],
)
def test_a_damaged_file_is_one_clear_line(programs, tmp_path: Path, damage, words):
    path = tmp_path / "kept.json"
    save_placement(programs["annealing"], path)
    data = json.loads(path.read_text())
    damage(data)
    path.write_text(json.dumps(data))
    with pytest.raises(InputError, match=words):
        program_of(f"mapping.placement={path}")


def test_a_file_that_is_not_there_or_has_another_name(programs, tmp_path: Path):
    with pytest.raises(InputError, match="no such file"):
        program_of(f"mapping.placement={tmp_path / 'none.json'}")
    for text in ("not JSON", "[" * 100_000):
        (tmp_path / "text.json").write_text(text)
        with pytest.raises(InputError, match="cannot be read: it is no JSON"):
            program_of(f"mapping.placement={tmp_path / 'text.json'}")
    with pytest.raises(InputError, match="ends in .json"):
        save_placement(programs["snake"], tmp_path / "kept.npz")


def test_a_placement_is_saved_whole_or_not_at_all(programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for path in (tmp_path / "none" / "kept.json", tmp_path / "a\0b.json"):
        with pytest.raises(InputError, match="cannot be written: "):
            save_placement(programs["snake"], path)
    (tmp_path / "kept.json").write_text("of before")

    def full(path: Path, text: str, **_: object) -> None:
        path.write_bytes(text.encode()[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(InputError, match="kept.json: cannot be written: No space left"):
        save_placement(programs["snake"], tmp_path / "kept.json")
    assert [path.name for path in tmp_path.iterdir()] == ["kept.json"]
    assert (tmp_path / "kept.json").read_text() == "of before"


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (["mapping.placement=anealing"], "did you mean 'annealing'"),
        (["mapping.annealing.moves=5"], "annealing has keys, but placement is snake"),
        (["mapping.placement=annealing", "mapping.annealing.hot=1e-9"], "0 < cold <= hot"),
        (["mapping.placement=annealing", "mapping.annealing={latency: 0, spread: 0, energy: 0, peak: 0}"],
         "all weights are 0"),
        (["mapping.placement=amosa", "mapping.amosa.objectives=[latency, latency]"], "objectives: names one twice"),
        (["mapping.placement=amosa", "mapping.amosa.objectives=[peak]"], "at least two different objectives"),
        (["mapping.placement=amosa", "mapping.amosa.hard_limit=300"], "at most soft_limit, 200"),
        (["mapping.placement=amosa", "mapping.amosa.weights={peak: 1}"], "weights belong to point: weights"),
    ],
)  # fmt: skip
def test_keys_that_contradict_each_other(keys, words):
    with pytest.raises(InputError, match=words):
        load_system("isaac-ce", keys)


def test_the_defaults_of_a_search_are_shown():
    system = load_system("isaac-ce", ["mapping.placement=amosa"])
    assert system.mapping.amosa is not None and system.mapping.amosa.soft_limit == 200
    assert system.mapping.annealing is None
