"""Systems from files: bases, overrides, and errors that name file, line and key."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pimsim.config import System, config_hash, load_system, resolved, shipped_systems
from pimsim.config.network import Grid, Network
from pimsim.config.records import Priced
from pimsim.config.schema import device_schema, field_comments, network_schema, system_schema
from pimsim.errors import InputError


def refused(name: str | Path, *overrides: str) -> str:
    with pytest.raises(InputError) as caught:
        load_system(name, overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


def variant(folder: Path, text: str, name: str = "own.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def edited(folder: Path, old: str, new: str) -> Path:
    """isaac-ce with one piece of its text replaced."""
    text = shipped_systems()["isaac-ce"].read_text()
    assert text.count(old) == 1
    return variant(folder, text.replace(old, new))


@pytest.mark.parametrize("name", shipped_systems())
def test_every_shipped_system_loads_and_bears_its_files_name(name: str) -> None:
    assert load_system(name).name == name


def test_sixteen_chips_differ_from_one_only_in_their_number() -> None:
    one, sixteen = resolved(load_system("isaac-ce")), resolved(load_system("isaac-ce-16"))
    assert {key for key in one if one[key] != sixteen[key]} == {"name", "chips", "chip_graph"}
    assert sixteen["chips"] == 16
    assert sixteen["chip_graph"] == {"kind": "mesh", "columns": 4}


@pytest.mark.parametrize("name", shipped_systems())
def test_a_resolved_system_loads_again_and_is_the_same(name: str, tmp_path: Path) -> None:
    system = load_system(name, ["pipeline.schedule=dynamic", "mapping.layer_weight_bits.conv1=8"])
    again = load_system(variant(tmp_path, yaml.safe_dump(resolved(system))))
    assert again == system
    assert config_hash(again) == config_hash(system)


def test_the_hash_changes_with_any_value() -> None:
    assert config_hash(load_system("isaac-ce")) != config_hash(load_system("isaac-ce", ["chip.tile.imas=11"]))


def test_the_hash_is_the_same_in_another_process() -> None:
    program = "from pimsim.config import *; print(config_hash(load_system('isaac-ce')))"
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == config_hash(load_system("isaac-ce"))


def test_a_system_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_system("isaac-ce").chip.tiles = 1  # type: ignore[misc]


def test_a_base_may_be_a_file_and_have_a_base_itself(tmp_path: Path) -> None:
    variant(tmp_path, "base: isaac-ce\nname: middle\nchip: {tile: {imas: 6}}\n", "middle.yaml")
    top = load_system(variant(tmp_path, "base: middle.yaml\nname: top\nchip: {tile: {edram: {kib: 128}}}\n"))
    assert (top.name, top.chip.tile.imas, top.chip.tile.edram.kib, top.chip.tiles) == ("top", 6, 128, 168)


def test_a_base_can_lose_an_optional_part(tmp_path: Path) -> None:
    assert load_system(variant(tmp_path, "base: isaac-ce\nchip: {dram: null}\n")).chip.dram is None


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("chip.tile.imas=8", "chip.tile.imas", 8),
        ("chips=auto", "chips", "auto"),
        ("chips = 4", "chips", 4),
        ("mapping.interval_windows=196", "mapping.interval_windows", 196),
        ("pipeline.schedule=dynamic", "pipeline.slot_ns", None),
        ("chip.tile.bus.clock_ghz=1", "chip.tile.bus.clock_ghz", 1.0),
        ("chip.links.latency_ns=1e-9", "chip.links.latency_ns", 1e-9),
        ("chip.noc.topology.shape=[42, 1]", "chip.noc.topology.shape", (42, 1)),
        ("chip.noc.topology.kind=torus", "chip.noc.topology.kind", "torus"),
        ("chip.noc.routing.kind=up_down", "chip.noc.routing.kind", "up_down"),
        ("chip.dram=null", "chip.dram", None),
        ("chip.tile.ima.adc.cost.at.bits=6", "chip.tile.ima.adc.cost.at", {"bits": 6, "sample_rate_gsps": 1.28}),
        ("mapping.layer_replication./features/0/Conv.1=4", "mapping.layer_replication", {"/features/0/Conv.1": 4}),
    ],
)
def test_overrides_set_values(override: str, path: str, value: object) -> None:
    found: object = load_system("isaac-ce", [override])
    for name in path.split("."):
        found = getattr(found, name)
    assert found == value


def test_an_item_of_a_list_can_be_overridden() -> None:
    stages = load_system("isaac-ce", ["pipeline.stages.0.latency_ns=50"]).pipeline.stages
    assert [stage.latency_ns for stage in stages] == [50] + [100] * 6


def test_the_last_override_wins() -> None:
    assert load_system("isaac-ce", ["chips=2", "chips=3"]).chips == 3


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("chip.tile.imass=8", "chip.tile.imass: chip.tile has no key 'imass', did you mean 'imas'?; allowed: imas, "),
        ("base=isaac-ce", "base: a system has no key 'base'"),
        ("chip.tile.imas", "chip.tile.imas: has no value; allowed: KEY=VALUE"),
        ("chip.tile.imas=0", "chip.tile.imas: 0 is not allowed; allowed: a whole number from 1 to 1,000,000,000"),
        ("chip.tile.imas=-1", "chip.tile.imas: -1 is not allowed"),
        ("chip.tile.imas=8.5", "chip.tile.imas: 8.5 is not allowed"),
        ("chip.tile.imas=eight", "chip.tile.imas: 'eight' is not allowed"),
        ("chip.tile.imas='8'", "chip.tile.imas: '8' is not allowed"),
        ("chip.tile.imas=true", "chip.tile.imas: True is not allowed"),
        ("chip.tile.imas=", "chip.tile.imas: None is not allowed"),
        ("chip.tile.imas=99999999999999999999", "chip.tile.imas: 99999999999999999999 is not allowed"),
        ("chip.tile.imas.x=8", "chip.tile.imas.x: chip.tile.imas has no keys of its own; allowed: a whole number"),
        ("chip.tile=8", "chip.tile: 8 is not allowed; allowed: a mapping with the keys imas, "),
        (
            "chip.tile.bus.clock_ghz=.nan",
            "chip.tile.bus.clock_ghz: nan is not allowed; allowed: a number from 1e-06 to 1e+09",
        ),
        ("chip.tile.bus.clock_ghz=.inf", "chip.tile.bus.clock_ghz: inf is not allowed"),
        ("chip.tile.bus.clock_ghz=0", "chip.tile.bus.clock_ghz: 0 is not allowed"),
        ("chip.tile.bus.clock_ghz='1'", "chip.tile.bus.clock_ghz: '1' is not allowed"),
        ("chips=many", "chips: 'many' is not allowed; allowed: a whole number from 1 to 1,000,000,000 or auto"),
        ("idle=on", "idle: 'on' is not allowed; allowed: gated or leaking"),
        ("chip.noc.topology.shape=7", "chip.noc.topology.shape: 7 is not allowed; allowed: a list of a whole number"),
        ("chip.noc.topology.shape=[]", "chip.noc.topology.shape: [] is not allowed; allowed: a list of a whole num"),
        (
            "chip.noc.topology.kind=ring",
            "chip.noc.topology.kind: 'ring' is not allowed; allowed: mesh or torus or graph or small_world",
        ),
        ("chip.noc.topology={}", "chip.noc.topology.kind: is missing; allowed: mesh or torus or graph or small_world"),
        (
            "chip.noc.topology.shap=[7]",
            "chip.noc.topology.shap: chip.noc.topology has no key 'shap', did you mean 'shape'?; allowed: ",
        ),
        (
            "chip.noc.mesh=[7, 6]",
            "chip.noc.mesh: chip.noc has no key 'mesh': write topology: {kind: mesh, shape: [...]}; allowed: topology",
        ),
        ("chip.noc.hop_cycles=5", "chip.noc.hop_cycles: chip.noc has no key 'hop_cycles': it follows from the delays "),
        (
            "chip.noc.routing={kind: shortest_path, order: [0]}",
            "chip.noc.routing.order: there is no such key with this kind (shortest_path); allowed: kind",
        ),
        ("pipeline.stages.7.latency_ns=1", "pipeline.stages.7.latency_ns: pipeline.stages has no item '7'; allowed: 0"),
        ("name=[", "name: not YAML: "),
        ("name=!!python/object/apply:os.getcwd []", "name: the tag 'tag:yaml.org,2002:python/object/apply:os.getcwd'"),
        ("=", "a system has no key ''"),
        ("", "a system has no key ''"),
    ],
)
def test_a_wrong_override_is_named_with_what_is_allowed(override: str, message: str) -> None:
    assert refused("isaac-ce", override).startswith(f"--set {override}: {message}")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("chip.tiles=169", "chip: 169 tiles do not fit 168 places of the mesh"),
        ("chip.noc.topology.shape=[100, 100]", "10,000 routers are too many: at most 8,192"),
        ("chip.noc.topology.links=[{}, {}, {}]", "links has 3 items for 2 dimensions: give 1, or one each"),
        ("chip.noc.routing={kind: dimension_order, order: [0, 0]}", "routing.order [0, 0] must name each of the dim"),
        ("chip.noc.routing={kind: minimal_adaptive, escape_vcs: 4}", "router.vcs must be larger, not 4"),
        ("chip.noc.routing={kind: up_down, root: 42}", "routing.root 42 is not one of the 42 routers"),
        ("chip.noc.topology.kind=graph", "chip.noc.topology.shape: there is no such key with this kind (graph)"),
        ("chip.noc.packet_flits=1", "packet_flits is 1: no room beside header_flits of 1"),
        ("chip.noc.io_router=[7, 0]", "chip.noc: io_router [7, 0] lies outside the mesh [7, 6]"),
        ("chip.tile.ima.adc.count=4", "adc.columns must be at least 256"),
        ("chip.tile.ima.crossbar.active_wordlines=129", "active_wordlines is 129, but the crossbar has 128 rows"),
        ("chip.tile.ima.adc.cost.at.bit=8", "cost.at names 'bit', which does not scale this cost; allowed: bits"),
        ("pipeline.slot_ns=null", "schedule: slotted needs slot_ns"),
        ("pipeline.stages=[]", "stages must be, in this order: input_read, "),
    ],
)
def test_keys_that_disagree_name_the_rule_and_the_override(override: str, message: str) -> None:
    error = refused("isaac-ce", override)
    assert message in error
    assert f"(with --set {override})" in error


def test_spilling_needs_dram() -> None:
    assert load_system("isaac-ce", ["mapping.spill=dram"]).mapping.spill == "dram"
    assert "chip.dram is not given" in refused("isaac-ce", "mapping.spill=dram", "chip.dram=null")


def test_a_misspelt_key_names_file_line_and_the_key_meant(tmp_path: Path) -> None:
    path = edited(tmp_path, "    imas: 12\n", "    imass: 12\n")
    line = path.read_text().splitlines().index("    imass: 12") + 1
    expected = f"{path}:{line}: chip.tile.imass: there is no such key, did you mean 'imas'?; allowed: imas, ima, edram"
    assert refused(path).startswith(expected)


def test_an_error_below_a_base_names_the_file_that_holds_the_key(tmp_path: Path) -> None:
    base = edited(tmp_path, "      wires: ", "      wires: -").rename(tmp_path / "base.yaml")
    own = variant(tmp_path, "base: base.yaml\nname: own\n")
    assert refused(own).startswith(f"{base}:")
    own = variant(tmp_path, "base: isaac-ce\nname: own\n\nchip: {tile: {bus: {wires: many}}}\n")
    assert refused(own).startswith(f"{own}:4: chip.tile.bus.wires: 'many' is not allowed; allowed: a whole number")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base: isaac-ce\nchip: 3\n", ":2: chip: 3 is not allowed; allowed: a mapping with the keys tiles, "),
        ("base: isaac-ce\nchip:\n  tiles: 0\n", ":3: chip.tiles: 0 is not allowed"),
        ("base: isaac-ce\nchips: 1\nchips: 2\n", ":3: chips: duplicate key"),
        ("base: isaac-ce\nformat: pimsim-system-9\n", ":2: format: 'pimsim-system-9' is not allowed; allowed: pimsim-"),
        ("base: isaac-cf\n", ":1: base: 'isaac-cf' is neither a shipped system nor a file, did you mean 'isaac-ce'?"),
        ("base: 3\n", ":1: base: 3 is no name"),
        ("base: own.yaml\n", ":1: base: goes in a circle: own.yaml -> own.yaml"),
        ("name: own\n", ": format: is missing; allowed: pimsim-system-1"),
    ],
)
def test_a_wrong_file_is_named_with_line_and_key(tmp_path: Path, text: str, message: str) -> None:
    path = variant(tmp_path, text)
    assert refused(path).startswith(f"{path}{message}")


def test_a_circle_of_bases_is_found(tmp_path: Path) -> None:
    variant(tmp_path, "base: b.yaml\n", "a.yaml")
    path = variant(tmp_path, "base: ./a.yaml\n", "b.yaml")
    assert "goes in a circle: b.yaml -> a.yaml -> b.yaml" in refused(path)


def test_a_missing_base_file_is_named(tmp_path: Path) -> None:
    path = variant(tmp_path, "base: other.yaml\n")
    assert refused(path) == f"{tmp_path / 'other.yaml'}: cannot be read: No such file or directory"


def test_an_unknown_name_is_answered_with_the_names_there_are() -> None:
    assert refused("isac-ce") == (
        "'isac-ce' is neither a shipped system nor a file, did you mean 'isaac-ce'?; "
        "allowed: gpu-only-3d, hetero-3d, isaac-ce, isaac-ce-16, pipelayer, reram-only, a YAML file"
    )


@pytest.mark.parametrize("name", ["", "x" * 5000, "./" + "x" * 5000, "./a\0b", "./\ud800", "a\0b"])
def test_an_impossible_name_is_refused(name: str) -> None:
    refused(name)


def test_a_folder_is_no_system(tmp_path: Path) -> None:
    assert "is a folder" in refused(tmp_path)


def test_the_schema_describes_every_field_that_has_a_comment() -> None:
    definitions = network_schema()["$defs"] | system_schema()["$defs"] | device_schema()["$defs"]
    for record, comments in field_comments().items():
        if record in (Priced.__name__, Grid.__name__, Network.__name__):  # their fields are those of others
            continue
        for field, comment in comments.items():
            assert definitions[record]["properties"][field]["description"] == comment
    assert definitions["Pipeline"]["properties"]["slot_ns"]["description"].startswith("slotted only")
    assert definitions["Noc"]["properties"]["flit_bits"]["description"] == "bits a router moves in a clock"
    assert definitions["Torus"]["properties"]["shape"]["description"] == "routers in each dimension, x first"
    assert definitions["Mapping"]["properties"]["interval_windows"]["description"].startswith("balanced: windows")


def test_the_schema_asks_a_file_with_a_base_for_nothing_more() -> None:
    schema = system_schema()
    assert schema["if"] == {"required": ["base"]}
    assert "chip" in schema["$defs"]["System"]["required"]
    assert "required" not in schema["$defs"]["SystemPart"]
    assert schema["$defs"]["SystemPart"]["properties"]["chip"] == {"$ref": "#/$defs/ChipPart"}


def test_every_number_of_a_shipped_system_has_a_source() -> None:
    def costs(value: object) -> list[dict[str, object]]:
        if not isinstance(value, dict):
            return []
        inner = [cost for item in value.values() for cost in costs(item)]
        return [value, *inner] if "power_mw" in value else inner

    found = costs(resolved(load_system("isaac-ce")))
    assert len(found) == 16
    assert all(len(str(cost["source"])) > 20 for cost in found)


def test_loading_imports_nothing_heavy() -> None:
    program = (
        "import sys, pimsim.config; print(*[m for m in ('numpy', 'numba', 'onnx', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_records_are_of_the_declared_type() -> None:
    assert isinstance(load_system("isaac-ce"), System)
