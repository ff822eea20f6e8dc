"""Reading YAML: YAML 1.2 scalars, line numbers, and one line for everything that can be wrong."""

import math
from pathlib import Path

import pytest

from pimsim.errors import InputError, did_you_mean, shown
from pimsim.yaml_source import MAX_DEPTH, load_yaml, parse_yaml


def write(folder: Path, text: str | bytes, name: str = "file.yaml") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refused(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_yaml(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message.removeprefix(str(path))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-9", 1e-9),
        ("1.5E+3", 1500.0),
        ("-3", -3),
        ("007", 7),
        ("0x1F", 31),
        ("0o17", 15),
        (".5", 0.5),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("true", True),
        ("~", None),
        ("", None),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2016-10-05", "2016-10-05"),
        ("'1'", "1"),
        ('"1e-9"', "1e-9"),
        ("!!str 1", "1"),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    data, _ = parse_yaml(f"key: {text}")
    assert data == {"key": value}
    assert type(data["key"]) is type(value)


def test_every_key_and_item_has_its_line(tmp_path: Path) -> None:
    data, lines = load_yaml(write(tmp_path, "chip:\n  tiles: 3\n  stages:\n    - {stage: a}\n    -\n      stage: b\n"))
    assert data == {"chip": {"tiles": 3, "stages": [{"stage": "a"}, {"stage": "b"}]}}
    assert lines == {
        ("chip",): 1,
        ("chip", "tiles"): 2,
        ("chip", "stages"): 3,
        ("chip", "stages", 0): 4,
        ("chip", "stages", 0, "stage"): 4,
        ("chip", "stages", 1): 6,
        ("chip", "stages", 1, "stage"): 6,
    }


def test_an_alias_is_the_value_of_its_anchor() -> None:
    data, lines = parse_yaml("a: &point {x: 1}\nb: *point\n")
    assert data == {"a": {"x": 1}, "b": {"x": 1}}
    assert lines[("b", "x")] == 1


def test_keys_are_always_strings() -> None:
    assert parse_yaml("{1: a, true: b, null: c}")[0] == {"1": "a", "true": "b", "null": "c"}


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    assert load_yaml(write(tmp_path, b"\xef\xbb\xbfa: 1\r\nb: 2\r\n"))[0] == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", ":3: a: duplicate key, first given on line 1"),
        ("a:\n  b: 1\n  b: 1\n", ":3: b: duplicate key, first given on line 2"),
        ("a: [1, 2\nb: 3\n", ":2: not YAML:"),
        ("a: 1\n  b: 2\n", ":2: not YAML:"),
        ("\ta: 1\n", ":1: not YAML:"),
        ("", ":1: the file holds nothing"),
        ("# only a comment\n", ":1: the file holds nothing"),
        ("- 1\n- 2\n", ":1: the file holds a list"),
        ("just words", ":1: the file holds a single value"),
        ("a: 1\n---\nb: 2\n", ":2: a second document"),
        ("a: *missing\n", ":1: the alias 'missing' has no anchor before it"),
        ("a: &a [*a]\n", ":1: the alias 'a' has no anchor before it"),
        ("base: &x {a: 1}\nb:\n  <<: *x\n", ":3: <<: merge keys are not read"),
        ("{[1]: 2}\n", ":1: a key that is not a word"),
        ("a: " + "9" * 5000, ":1: a number of too many digits"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    assert refused(write(tmp_path, text)).startswith(message)


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system", "!!python/name:os.system", "!own", "!!timestamp"])
def test_tags_are_refused_and_execute_nothing(tmp_path: Path, tag: str) -> None:
    witness = tmp_path / "witness"
    assert "tag" in refused(write(tmp_path, f"a: {tag} ['touch {witness}']\n"))
    assert not witness.exists()


def test_files_that_are_no_text_are_refused(tmp_path: Path) -> None:
    assert ": cannot be read: No such file" in refused(tmp_path / "missing.yaml")
    assert ": is a folder" in refused(tmp_path)
    assert ":2: not UTF-8 text" in refused(write(tmp_path, b"a: 1\nb: \xff\xfe\n"))
    assert "not" in refused(write(tmp_path, bytes(range(32)) * 10))


@pytest.mark.parametrize("text", ["[" * 100_000, "a: " + "{a: " * 5000, "- " * 5000])
def test_deep_nesting_is_refused(tmp_path: Path, text: str) -> None:
    assert f"at most {MAX_DEPTH} levels" in refused(write(tmp_path, text))


def test_an_alias_bomb_is_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "too many values, aliases written out" in refused(write(tmp_path, "\n".join(lines)))


def test_an_error_names_file_line_key_and_what_is_allowed() -> None:
    error = InputError("0 is not allowed", file="a.yaml", line=3, key="chip.tiles", allowed=["1", "2"])
    assert str(error) == "a.yaml:3: chip.tiles: 0 is not allowed; allowed: 1, 2"
    assert str(InputError("wrong")) == "wrong"


def test_an_error_is_one_line_without_control_characters() -> None:
    assert str(InputError("a\nb\x1b[31mc")) == "a b [31mc"


def test_long_values_are_cut_in_messages() -> None:
    assert len(shown("x" * 1000)) == 60
    assert shown(10**5000) == "a whole number of 16610 bits"


def test_a_close_word_is_suggested() -> None:
    assert did_you_mean("imass", ["imas", "tiles"]) == ", did you mean 'imas'?"
    assert did_you_mean("zzz", ["imas", "tiles"]) == ""
