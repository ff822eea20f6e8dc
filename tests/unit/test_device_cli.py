"""Device files and `pimsim device`: what they print, and one line for everything that a user can get wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pimsim.cli import main
from pimsim.config import Device, load_device, shipped_devices
from pimsim.device.fault_maps import save_fault_map
from pimsim.errors import InputError

DEVICE = """format: pimsim-device-1
name: own
cell: {g_min_us: 1.0, g_max_us: 31.0}
programming: {sigma: 0.1, relative_to: step}
read_noise:
  voltage_v: 0.5
  frequency_mhz: 100
  temperature_k: 300
faults:
  stuck_at_0: 0.01
  stuck_at_1: 0.02
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.yaml"
    path.write_text(DEVICE)
    return path


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that must succeed; what it prints."""
    assert main(["device", *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def failed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that must fail with one line on stderr and nothing on stdout; that line."""
    assert main(["device", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("pimsim: ")
    return err.strip()


def test_show_says_what_a_device_is(capsys: pytest.CaptureFixture[str], own: Path) -> None:
    out = shown(capsys, "show", str(own))
    for words in ("own: 2 bits a cell, columns of 128 cells", "1 to 31 uS", "error of sigma 10 % of a level step",
                  "thermal and shot, 100 MHz, 0.5 V, 300 K", "1.0000% stuck-at-0, 2.0000% stuck-at-1, anywhere",
                  "on/off ratio", "31", "level step", "10 uS"):  # fmt: skip
        assert words in out


def test_figures_of_levels_and_columns_are_those_of_the_equations(
    capsys: pytest.CaptureFixture[str], own: Path
) -> None:
    figures = ("--json", "--cell-bits", "1", "--rows", "64")
    document = json.loads(shown(capsys, "show", str(own), *figures, "--set", "programming.sigma=0"))
    low, high = document["levels"]
    for level, conductance_us in ((low, 1), (high, 31)):
        variance = conductance_us * 1e-6 * 1e8 * (4 * 1.380649e-23 * 300 / 0.25 + 2 * 1.602176634e-19 / 0.5)
        sigma = variance**0.5 / 30e-6
        assert level["conductance_us"] == pytest.approx(conductance_us)
        assert level["read_sigma"] == pytest.approx(sigma, rel=0.01)
        assert level["read_sigma_of_column"] == pytest.approx(8 * level["read_sigma"])
        assert level["read_bits_lost"] == pytest.approx(np.log2(1 + 12 * 64 * level["read_sigma"] ** 2) / 2)
    assert high["cell_sigma"] == low["cell_sigma"] == 0 and high["mean_level"] == 1
    high = json.loads(shown(capsys, "show", str(own), *figures))["levels"][1]
    assert high["cell_sigma"] == pytest.approx(0.1, rel=0.02)
    assert high["mean_level"] == pytest.approx(1, abs=0.005)
    assert document["figures"]["on_off_ratio"]["value"] == pytest.approx(31)
    assert document["figures"]["level_step"]["value"] == pytest.approx(30)


@pytest.mark.parametrize("name", shipped_devices())
def test_shipped_devices_are_shown_and_sound(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert name in shown(capsys, "show", name)
    out = shown(capsys, "check", name)
    assert out.startswith(f"{name}: sound") and "no effect" not in out


def test_every_part_has_words(capsys: pytest.CaptureFixture[str]) -> None:
    parts = {
        "variation": "{device_to_device: {sigma: 0.05, relative_to: value}, "
                     "cycle_to_cycle: {sigma: 0.02, relative_to: range}}",
        "drift": "{exponent: 0.05, time_s: 100}",
        "retention": "{time_s: 10, tau_s: 1e6, towards: middle, activation_ev: 1.1, temperature_k: 358, "
                     "reference_temperature_k: 300}",
        "faults": "{stuck_at_0: 0.1, distribution: clustered, cluster_size: 9, stuck_at_0_is: high}",
        "in_field": "{failures_per_read: 1e-9, read_disturb: 1e-6, transient_flip: 1e-5}",
        "line_resistance": "{wire_ohm: 2.5}",
        "endurance": "{writes: 1e8, sigma_decades: 0.3}",
    }  # fmt: skip
    overrides = [word for key, value in parts.items() for word in ("--set", f"{key}={value}")]
    out = " ".join(shown(capsys, "show", "reram-pytorx", *overrides).split())
    for words in ("sigma 5 % of the cell's conductance, fixed for each cell", "sigma 2 % of the range of conductances, "
                  "drawn at every write", "(t / 1 s)^-nu at 100 s, nu 0.05 +- 0", "towards the middle conductance",
                  "the chip is at 358 K, 1.1 eV", "in groups of 9; stuck-at-0 is the high conductance",
                  "leaves a cell stuck high with probability 1e-09", "taken for another level with probability 1e-05",
                  "2.5 ohm a cell", "1e+08 writes (sigma 0.3 decades), then stuck high"):  # fmt: skip
        assert words in out


def test_check_names_parts_without_effect(capsys: pytest.CaptureFixture[str], own: Path) -> None:
    idle = ["--set", "programming.sigma=0", "--set", "read_noise.frequency_mhz=0", "--set", "faults.stuck_at_0=0",
            "--set", "faults.stuck_at_1=0", "--set", "drift={exponent: 0.1, time_s: 1}"]  # fmt: skip
    document = json.loads(shown(capsys, "check", str(own), "--json", *idle))
    assert document["sound"] is True
    assert document["without_effect"] == {
        "programming": "sigma is 0",
        "read_noise": "frequency_mhz is 0",
        "drift": "time_s equals reference_time_s",
        "faults": "both rates are 0 and there is no map",
        "cell": "the off current is subtracted, and no other part depends on conductances",
    }
    out = shown(capsys, "check", str(own), *idle)
    assert "own: sound" in out and "note: drift has no effect: time_s equals reference_time_s" in out


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ("read_noise={voltage_v: 1, frequency_mhz: 1, temperature_k: 0, shot: false}",
         {"read_noise": "temperature_k is 0 and shot noise is off"}),
        ("read_noise={voltage_v: 1, frequency_mhz: 1, temperature_k: 9, thermal: false}",
         {"read_noise.temperature_k": "thermal noise is off"}),
        ("read_noise={voltage_v: 1, thermal: false, shot: false}",
         {"read_noise": "thermal and shot are off",
          "read_noise.frequency_mhz, voltage_v": "thermal and shot noise are off"}),
        ("random_telegraph={probability: 0, a_us: 1, b: 0, sign: increase}", {"random_telegraph": "probability is 0"}),
        ("random_telegraph={probability: 1, a_us: 0, b: 0, sign: increase}", {"random_telegraph": "a_us and b are 0"}),
        ("drift={exponent: 0, time_s: 5}", {"drift": "exponent and exponent_sigma are 0"}),
        ("retention={time_s: 0, tau_s: 5}", {"retention": "time_s is 0"}),
        ("faults={stuck_at_0: 0.1, cluster_size: 4}", {"faults.cluster_size": "faults are uniform"}),
        ("in_field={read_disturb: 0.1, disturb_fraction: 0}",
         {"in_field.read_disturb": "disturb_fraction is 0", "in_field": "every probability is 0"}),
        ("line_resistance={wire_ohm: 0}", {"line_resistance": "every resistance is 0"}),
        ("variation={cycle_to_cycle: {sigma: 0, relative_to: step}}", {"variation.cycle_to_cycle": "sigma is 0"}),
    ],
)  # fmt: skip
def test_reasons_for_having_no_effect(part: str, why: dict[str, str]) -> None:
    found = load_device("ideal", ["cell={g_min_us: 1.0, g_max_us: 3.0}", part]).without_effect()
    found.pop("cell", None)
    assert found == why


@pytest.mark.parametrize(
    ("before", "after", "line", "words"),
    [
        ("sigma: 0.1", "sigma: -0.1", 4, "programming.sigma: -0.1 is not allowed; allowed: a number from 0"),
        ("sigma: 0.1", "sigma: .nan", 4, "programming.sigma: nan is not allowed"),
        ("sigma: 0.1", "sigma: 10 %", 4, "programming.sigma: '10 %' is not allowed"),
        ("relative_to: step", "relative_to: percent", 4, "programming.relative_to: 'percent' is not allowed; allowed: "
         "range or step or value"),
        ("sigma: 0.1, ", "", 4, "programming.sigma: is missing"),
        ("stuck_at_0: 0.01", "stuck_at_0: 1.5", 10, "faults.stuck_at_0: 1.5 is not allowed; allowed: a number from 0 "
         "to 1"),
        ("stuck_at_0: 0.01", "stuck_at_0: 0.99", 9, "faults: stuck_at_0 and stuck_at_1 add up to 1.01: at most 1"),
        ("stuck_at_0: 0.01", "stuck_at_O: 0.01", 10, "faults.stuck_at_O: there is no such key, did you mean "
         "'stuck_at_1'?"),
        ("stuck_at_0: 0.01", "map: faults.npz", 9, "faults: map says which cells are stuck"),
        ("stuck_at_0: 0.01", "distribution: clustered", 9, "faults: distribution: clustered needs cluster_size"),
        ("g_max_us: 31.0", "g_max_us: 0.5", 3, "cell: g_min_us is 1: it must be below g_max_us, 0.5"),
        ("cell: {g_min_us: 1.0, g_max_us: 31.0}", "", None, "read_noise need cell, with g_min_us and g_max_us"),
        ("  voltage_v: 0.5\n", "", 5, "read_noise: thermal and shot noise need voltage_v"),
        ("  temperature_k: 300\n", "", 5, "read_noise: thermal noise needs temperature_k; thermal: false switches"),
        ("temperature_k: 300", "temperature_k: 300\n  thermal: 3", 9, "read_noise.thermal: 3 is not allowed; allowed: "
         "true or false"),
        ("pimsim-device-1", "pimsim-system-1", 1, "format: 'pimsim-system-1' is not allowed; allowed: pimsim-device-1"),
        ("name: own", "name: own\nbase: reram", 3, "base: 'reram' is neither a shipped device nor a file"),
        ("faults:", "drift: {exponent: 0.1, time_s: 0.5}\nfaults:", 9, "drift: time_s is 0.5: it must be at least "
         "reference_time_s, 1"),
        ("faults:", "retention: {time_s: 1, tau_s: 1, activation_ev: 1}\nfaults:", 9, "retention: activation_ev and "
         "temperature_k belong together"),
        ("faults:", "endurance: {writes: 0}\nfaults:", 9, "endurance.writes: 0 is not allowed"),
    ],
)  # fmt: skip
def test_wrong_files_are_told_in_one_line(
    capsys: pytest.CaptureFixture[str], own: Path, before: str, after: str, line: int | None, words: str
) -> None:
    assert before in DEVICE
    own.write_text(DEVICE.replace(before, after))
    place = f"{own}:{line}" if line else str(own)
    for command in ("check", "show"):
        assert failed(capsys, command, str(own)).startswith(f"pimsim: {place}: {words}")


def test_wrong_overrides_and_options_are_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert "a device has no key 'noise'" in failed(capsys, "check", "ideal", "--set", "noise=1")
    assert "read_noise.frequency_mhz: -5 is not allowed" in failed(
        capsys, "check", "reram-pytorx", "--set", "device.read_noise.frequency_mhz=-5")  # fmt: skip
    assert "'reram-pytorcs' is neither a shipped device nor a file, did you mean 'reram-pytorx'?" in failed(
        capsys, "show", "reram-pytorcs")  # fmt: skip
    assert "No such file" in failed(capsys, "show", "none.yaml")
    assert "--cell-bits" in failed(capsys, "show", "ideal", "--cell-bits", "0")


def test_keys_may_begin_with_the_word_device() -> None:
    one, other = (load_device("reram-pytorx", [f"{word}read_noise.frequency_mhz=500"]) for word in ("", "device."))
    assert one == other and one.read_noise is not None and one.read_noise.frequency_mhz == 500


def test_a_device_can_be_based_on_another(tmp_path: Path) -> None:
    (tmp_path / "hot.yaml").write_text("base: reram-pytorx\nname: hot\nread_noise: {temperature_k: 400}\n")
    hot, base = load_device(tmp_path / "hot.yaml"), load_device("reram-pytorx")
    assert hot.read_noise is not None and base.read_noise is not None
    assert hot.read_noise == base.read_noise.model_copy(update={"temperature_k": 400})
    assert hot.cell == base.cell and hot.name == "hot"


def test_fault_maps_lie_beside_the_file_that_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: Path
) -> None:
    (tmp_path / "maps").mkdir()
    own.write_text("format: pimsim-device-1\nname: own\nfaults:\n  map: maps/chip.npz\n")
    with pytest.raises(InputError, match=r"own.yaml:4: faults.map: there is no file 'maps/chip.npz' beside this one"):
        load_device(own)
    save_fault_map(tmp_path / "maps" / "chip.npz", {"conv1": np.array([[0, 2]])})
    monkeypatch.chdir(tmp_path / "maps")
    for found in (load_device("../own.yaml"), load_device("ideal", ["faults.map=chip.npz"])):
        assert found.faults is not None and found.faults.map is not None
        assert Path(found.faults.map).samefile("chip.npz")


def test_the_schema_has_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "device"]) == 0
    definitions = json.loads(capsys.readouterr().out)["$defs"]
    assert set(definitions["Device"]["properties"]) == set(Device.model_fields)
    assert definitions["ReadNoise"]["properties"]["frequency_mhz"]["description"].startswith("bandwidth of a read")


def test_the_device_in_the_guide_is_sound(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "arch_configs" / "README.md").read_text()
    block = next(block for block in guide.split("```yaml\n") if "pimsim-device-1" in block).split("```")[0]
    (tmp_path / "own.yaml").write_text(block)
    assert load_device(tmp_path / "own.yaml").without_effect() == {}
    for name in shipped_devices():
        assert f"`devices/{name}.yaml`" in guide
