"""Results on disk: the same bytes for the same run, whole or not at all."""

import csv
import json
import math
from pathlib import Path

import pytest

from pimsim.errors import InputError
from pimsim.results import load_result, result_json, save_result
from pimsim.results.files import layers_csv
from pimsim.results.record import TIME_PARTS
from pimsim.results.staging import filled_folder, staged_file, staged_folder, write_texts
from tests.unit.results_runs import result


def test_a_saved_result_loads_as_it_was(tmp_path: Path) -> None:
    save_result(result(), tmp_path / "out")
    assert load_result(tmp_path / "out") == result()
    assert load_result(tmp_path / "out" / "result.json") == result()
    assert result_json(load_result(tmp_path / "out")) == result_json(result())


def test_every_number_is_finite_and_the_summary_comes_first() -> None:
    data = json.loads(result_json(result()), parse_constant=lambda name: pytest.fail(name))
    assert list(data)[:3] == ["format", "pimsim_version", "summary"]

    def numbers(value: object) -> list[float]:
        items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        own = [value] if isinstance(value, int | float) else []
        return own + [number for item in items for number in numbers(item)]

    assert all(map(math.isfinite, numbers(data)))


def test_wall_clock_facts_are_kept_apart(tmp_path: Path) -> None:
    save_result(result(), tmp_path / "a", {"started": "yesterday"})
    save_result(result(), tmp_path / "b", {"started": "today"})
    assert (tmp_path / "a" / "result.json").read_bytes() == (tmp_path / "b" / "result.json").read_bytes()
    assert json.loads((tmp_path / "b" / "run_info.json").read_text()) == {"started": "today"}


def test_the_table_of_layers_has_one_row_a_layer_whose_times_add_up() -> None:
    rows = list(csv.DictReader(layers_csv(result()).splitlines()))
    assert [row["name"] for row in rows] == [layer.name for layer in result().layers]
    for row in rows:
        assert sum(float(row[f"{part}_us"]) for part in TIME_PARTS) == pytest.approx(result().times.run_ps / 1e6)
    assert sum(float(row["dynamic_energy_uj"]) for row in rows) == pytest.approx(
        sum(result().costs.dynamic_pj.values()) / 1e6
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is not JSON"),
        ("[]", "its format is None"),
        ('{"format": "pimsim-result-0"}', "its format is 'pimsim-result-0'; allowed: pimsim-result-3, pimsim-result-2"),
        ('{"format": "pimsim-result-1"}', "is not a complete result"),
        ('{"format": "pimsim-result-2"}', "is not a complete result"),
        ('{"format": "pimsim-result-3"}', "is not a complete result"),
    ],
)
def test_what_is_no_result_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(InputError) as error:
        load_result(tmp_path)
    assert told in str(error.value)


def test_a_missing_result_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_result(tmp_path / "nothing")


def test_files_in_the_folder_are_replaced_and_others_stay(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    save_result(result(), tmp_path)
    assert load_result(tmp_path) == result()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["layers.csv", "links.csv", "notes.txt", "result.json"]


def test_what_an_earlier_run_wrote_and_this_one_does_not_is_removed(tmp_path: Path) -> None:
    for name in ("a", "b", "mine"):
        (tmp_path / name).write_text("old")
    with pytest.raises(KeyboardInterrupt), staged_folder(tmp_path, ("a", "b", "c")):
        raise KeyboardInterrupt
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b", "mine"}
    with filled_folder(tmp_path, ("a", "b", "c"), write_texts) as fill:
        fill({"a": "new"})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "new", "mine": "old"}


def test_nothing_is_replaced_where_a_folder_is_in_the_way_of_one_file(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "a").write_text("old")
    with pytest.raises(InputError, match="b: cannot be written: it is a folder"), staged_folder(tmp_path) as stage:
        for name in ("a", "b"):
            (stage / name).write_text("new")
    assert (tmp_path / "a").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_text

    def full(path: Path, *args: object, **kwargs: object) -> int:
        if path.name == "layers.csv":
            raise OSError(28, "No space left on device")
        return write(path, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(InputError) as error:
        save_result(result(), tmp_path / "deep" / "out")
    assert str(error.value) == f"{tmp_path / 'deep' / 'out'}: cannot be written: No space left on device"
    assert not list(tmp_path.iterdir())


def test_an_interrupted_block_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for folder in (tmp_path / "there", tmp_path / "new" / "deep"):
        with pytest.raises(KeyboardInterrupt), staged_folder(folder) as stage:
            (stage / "half").write_text("half")
            raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt), staged_file(tmp_path / "file") as path:
        path.write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.rglob("*")) == [tmp_path / "there"]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match=r"it is a file|Not a directory"), staged_folder(folder):
            pytest.fail("the block is not entered")
