"""Wear in results: what a run writes, what that takes, and how often it can be repeated."""

import dataclasses
import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from pimsim.config import load_system
from pimsim.device.write_counter import POLICIES, WriteCounter
from pimsim.errors import InputError
from pimsim.mapping.compile import map_network
from pimsim.mapping.program import Program
from pimsim.report import show
from pimsim.report.plots import save_wear
from pimsim.report.terminal import result_tables
from pimsim.results import load_result, programming_wear, result_json, save_result, with_endurance
from pimsim.results.wear import lifetime_at, write_time_ns
from tests.networks import Network
from tests.unit.results_runs import joined, result, wide


def program_of(*overrides: str) -> Program:
    """A layer of 288 x 40 weights and one of 40 x 10, without copies."""
    net = Network("two layers")
    net.fc(net.mean(net.conv(net.input(4, 4, 32), 40)), 10)
    return map_network(net.finish(), load_system("isaac-ce", ["mapping.replication=none", *overrides]))


def test_programming_a_layer_writes_its_slices_once() -> None:
    wear = programming_wear(program_of())
    conv, fc = (layer for layer in wear.layers if layer.cells)
    assert (conv.crossbars, conv.rows, conv.cells) == (3 * 3, 288 * 3, 288 * 40 * 8)  # 3 row tiles x 3 times 16 outputs
    assert (fc.crossbars, fc.rows, fc.cells) == (1, 40, 40 * 10 * 8)
    assert conv.time_ns == pytest.approx(128 * 85.7) and fc.time_ns == pytest.approx(40 * 85.7)
    assert fc.energy_pj == pytest.approx(3200 * 0.2)
    assert (wear.crossbars, wear.rows, wear.cells) == (10, 904, conv.cells + fc.cells)
    assert wear.time_ns == conv.time_ns and wear.energy_pj == pytest.approx(wear.cells * 0.2)


def test_copies_of_a_layer_are_programmed_too_at_the_same_time() -> None:
    program = map_network(joined(), load_system("isaac-ce"))
    for layer, wear in zip(program.layers, programming_wear(program).layers, strict=True):
        assert wear.name == layer.name
        assert wear.cells == (layer.replicas * layer.tiling.used_cells if layer.tiling else 0)
    assert max(layer.replicas for layer in program.layers if layer.tiling) > 1


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_the_cells_of_a_program_are_those_that_a_counter_of_its_tiling_finds(policy: str) -> None:
    program = map_network(wide(), load_system("isaac-ce", ["mapping.replication=none"]))
    array, checked = program.system.chip.tile.ima.crossbar, 0
    for layer, node, wear in zip(program.layers, program.dataflow.nodes, programming_wear(program).layers, strict=True):
        if layer.tiling is None or node.matrix is None:
            continue
        matrix = node.matrix
        counter = WriteCounter(array.rows, array.columns, layer.tiling.crossbars, policy)
        all_ones = np.full((matrix.groups, matrix.rows, matrix.columns), -1 + (1 << 15))  # no slice is the erased level
        written = counter.write_weights(all_ones, 16, array.cell_bits, tiling=layer.tiling)
        assert (written.cells, written.rows) == (wear.cells, wear.rows)
        assert write_time_ns(written.longest, array) == wear.time_ns
        assert counter.maximum == 1
        checked += 1 + (matrix.groups > 1)
    assert checked == 4  # one of the three layers is depthwise


def test_a_run_reports_one_write_a_cell() -> None:
    run = result("wide")
    wear, once = run.wear, run.programming
    assert wear.writes == wear.cells_written == once.cells == sum(layer.cells_used for layer in run.layers)
    assert (wear.rows_written, wear.mean_writes, wear.max_writes) == (once.rows, 1.0, 1)
    assert [(each.endurance, each.programmings) for each in wear.lifetimes] == [(1e8, 10**8), (1e12, 10**12)]
    assert all("ReRAM" in each.source for each in wear.lifetimes)
    assert run.summary["writes_per_cell_max"] == 1 and run.summary["programming_us"] == once.time_ns / 1e3
    assert (result("wide", batch=5).wear, result("wide", batch=5).programming) == (wear, once)  # once, for any batch


def test_another_endurance_gives_another_lifetime() -> None:
    run = with_endurance(result(), 2.5e6, "measured")
    assert [(each.endurance, each.source, each.programmings) for each in run.wear.lifetimes] == [
        (2.5e6, "measured", 2_500_000)
    ]
    assert dataclasses.replace(run, wear=result().wear) == result()
    assert lifetime_at(10, "here", 4).programmings == 2
    assert lifetime_at(10, "here", 0).programmings is None
    with pytest.raises(InputError, match="an endurance is not more than 0"):
        with_endurance(result(), 0, "nowhere")


def test_a_network_without_weights_writes_nothing() -> None:
    net = Network("no weights")
    net.pool(net.input(4, 4, 4))
    program = map_network(net.finish(), load_system("isaac-ce"))
    wear = programming_wear(program)
    assert (wear.cells, wear.rows, wear.crossbars, wear.time_ns, wear.energy_pj) == (0, 0, 0, 0, 0)


def test_results_name_wear_in_tables_notebooks_and_files(tmp_path: Path) -> None:
    console = Console(file=StringIO(), width=150)
    console.print(result_tables(result(), 150))
    lasts = "mean 1, maximum 1 writes a cell: lasts 1e8 programmings at an endurance of 1e8, 1e12 at 1e12"
    for text in (console.file.getvalue(), repr(result()), result()._repr_html_()):  # type: ignore[attr-defined]
        assert lasts in text
        assert f"for {result().programming.cells:,} cells in {result().programming.rows:,} rows" in text
    save_result(result(), tmp_path)
    assert json.loads((tmp_path / "result.json").read_text())["wear"]["max_writes"] == 1
    assert load_result(tmp_path).wear == result().wear


def test_a_result_of_the_format_before_wear_becomes_one_of_today(tmp_path: Path) -> None:
    data = json.loads(result_json(result()))
    del data["wear"]
    data["format"] = "pimsim-result-1"
    (tmp_path / "result.json").write_text(json.dumps(data))
    assert load_result(tmp_path) == result()
    del data["programming"]
    (tmp_path / "result.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match="is not a complete result: 'programming'"):
        load_result(tmp_path)


def test_a_mapping_is_shown_with_what_programming_it_writes() -> None:
    program = program_of()
    facts = show.describe_mapping(program)
    wear = programming_wear(program)
    assert [row["cells_written"] for row in facts["layers"]] == [layer.cells for layer in wear.layers]
    assert facts["programming"]["rows"] == sum(row["rows_written"] for row in facts["layers"]) == 904
    console = Console(file=StringIO(), width=120)
    console.print(show.mapping_tables(facts))
    assert "Programming, once: 95,360 cells in 904 rows, 10.97 us, 19.07 nJ" in console.file.getvalue()  # type: ignore


def test_the_wear_of_cells_can_be_plotted(tmp_path: Path) -> None:
    writes = np.array([[0, 3], [3, 5]])
    files = save_wear(writes, tmp_path, "a $name$", endurances={"1e8": 1e8, "each its own": 1e7 + writes})
    assert sorted(file.name for file in files) == ["wear.png", "wear.svg"]
    assert "maximum: 5" in (tmp_path / "wear.svg").read_text()
    first = (tmp_path / "wear.png").read_bytes()
    save_wear(writes, tmp_path, "a $name$", endurances={"1e8": 1e8, "each its own": 1e7 + writes}, formats=("png",))
    assert (tmp_path / "wear.png").read_bytes() == first
    assert save_wear(np.zeros((2, 2), int), tmp_path, "never written", endurances={"1e8": 1e8}, formats=("svg",))
