"""Energy of an action: with everything busy the actions add up to the table's power."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.config import load_system
from pimsim.technology import ActionCosts, action_costs, roll_up

NAMES = {field.name.removesuffix("_pj") for field in dataclasses.fields(ActionCosts) if field.name.endswith("_pj")}


def test_the_energies_of_isaac_are_those_worked_out_by_hand() -> None:
    costs = action_costs(load_system("isaac-ce"))
    assert costs.crossbar_read_pj == pytest.approx(0.3 * 100)  # 0.3 mW x 100 ns
    assert costs.dac_drive_pj == pytest.approx(4 / 1024 * 100)
    assert costs.sample_hold_pj == pytest.approx(0.01 / 1024 * 100)
    assert costs.conversion_pj == pytest.approx(2 / 1.28)
    assert costs.ima_shift_add_pj == pytest.approx(0.2 / (8 * 1.28))
    assert costs.input_register_bit_pj == pytest.approx(1.24 * 1600 / (2048 * 8))
    assert costs.output_register_bit_pj == pytest.approx(0.23 * 1600 / (256 * 8))
    assert costs.tile_output_register_bit_pj == pytest.approx(1.68 * 1600 / (3072 * 8))
    assert costs.edram_bit_pj == pytest.approx(20.7 / (2 * 256 * 1.2))
    assert costs.bus_bit_pj == pytest.approx(7 / (384 * 1.2))
    assert costs.sigmoid_value_pj == pytest.approx(0.26 / 1.2)
    assert costs.maxpool_value_pj == pytest.approx(0.4 / 1.2)
    assert costs.tile_shift_add_value_pj == pytest.approx(0.05 / 1.2)
    assert costs.vector_value_pj is None
    assert costs.router_flit_hop_pj == pytest.approx(42 / (8 * 1.2))
    assert costs.link_byte_pj == 0
    assert (costs.static_tile_mw, costs.static_shared_mw, costs.static_chip_mw) == (0, 10_400, 10_400)
    assert (costs.cell_write_pj, costs.dram_bit_pj) == (0.2, 20)


def test_a_chip_with_everything_busy_for_a_vector_draws_65_8_watts() -> None:
    """Counts of 1,600 ns, written out from ISAAC's structure; no rate is taken from pimsim."""
    ns, tiles, imas, routers, links = 1600, 168, 168 * 12, 42, 4
    counts = {
        "crossbar_read": imas * 8 * 16,
        "dac_drive": imas * 8 * 128 * 16,
        "sample_hold": imas * 8 * 128 * 16,
        "conversion": imas * 8 * 128 * 16,
        "ima_shift_add": imas * 8 * 128 * 16,
        "input_register_bit": imas * 8 * 128 * 16,
        "output_register_bit": imas * 8 * 16 * 16,
        "edram_bit": tiles * 2 * 256 * 1.2 * ns,
        "bus_bit": tiles * 384 * 1.2 * ns,
        "tile_output_register_bit": tiles * 12 * 8 * 16 * 16,
        "sigmoid_value": tiles * 2 * 1.2 * ns,
        "maxpool_value": tiles * 1.2 * ns,
        "tile_shift_add_value": tiles * 1.2 * ns,
        "vector_value": tiles * 1.2 * ns,
        "router_flit_hop": routers * 8 * 1.2 * ns,
        "link_byte": links * 2 * 6.4 * ns,
    }
    assert counts.keys() == NAMES - {
        "cell_write", "dram_bit", "channel_bit_um", "tsv_bit", "kernel_ps", "gpu_memory_bit"
    }  # fmt: skip
    costs = action_costs(load_system("isaac-ce"))
    energy_pj = sum(count * (getattr(costs, f"{name}_pj") or 0) for name, count in counts.items())
    power_mw = energy_pj / ns + costs.static_chip_mw
    assert power_mw == pytest.approx(65_800, rel=0.0005)
    assert power_mw == pytest.approx(roll_up(load_system("isaac-ce")).chip.power_mw, rel=1e-12)


@settings(max_examples=30, deadline=None)
@given(
    rate=st.sampled_from([0.32, 0.64, 1.28, 2.56]),
    adcs=st.sampled_from([8, 16]),
    clock=st.floats(0.1, 4),
    input_bits=st.integers(1, 32),
)
def test_the_energy_of_an_action_does_not_depend_on_how_often_it_is_done(
    rate: float, adcs: int, clock: float, input_bits: int
) -> None:
    """Dynamic power is linear in the rate, so slower clocks change the power and not the work."""
    changed = [
        f"chip.tile.ima.adc.sample_rate_gsps={rate}",
        f"chip.tile.ima.adc.count={adcs}",
        f"chip.tile.bus.clock_ghz={clock!r}",
        f"chip.tile.edram.clock_ghz={clock!r}",
        f"chip.noc.clock_ghz={clock!r}",
        f"mapping.input_bits={input_bits}",
    ]
    ours, reference = action_costs(load_system("isaac-ce", changed)), action_costs(load_system("isaac-ce"))
    for name in NAMES - {"vector_value"}:
        assert getattr(ours, f"{name}_pj") == pytest.approx(getattr(reference, f"{name}_pj"))


def test_half_the_wordlines_take_half_the_energy_of_a_read() -> None:
    half = action_costs(load_system("isaac-ce", ["chip.tile.ima.crossbar.active_wordlines=64"]))
    assert half.crossbar_read_pj == pytest.approx(15)
    assert half.dac_drive_pj == pytest.approx(0.390625)


def test_a_static_share_moves_energy_from_the_actions_to_the_clock() -> None:
    costs = action_costs(
        load_system(
            "isaac-ce",
            [
                "chip.tile.ima.adc.cost.static_fraction=0.25",
                "chip.tile.edram.cost.static_fraction=0.5",
                "chip.noc.cost.static_fraction=1",
                "chip.links.cost.static_fraction=0",
            ],
        )
    )
    assert costs.conversion_pj == pytest.approx(0.75 * 2 / 1.28)
    assert costs.static_tile_mw == pytest.approx(12 * 8 * 0.25 * 2 + 0.5 * 20.7)
    assert costs.static_shared_mw == pytest.approx(42 * 42)
    assert costs.static_chip_mw == pytest.approx(168 * costs.static_tile_mw + 42 * 42)
    assert costs.router_flit_hop_pj == 0
    assert costs.link_byte_pj == pytest.approx(2600 / (2 * 6.4))


def test_a_chip_without_dram_has_no_price_for_it() -> None:
    assert action_costs(load_system("isaac-ce", ["chip.dram=null"])).dram_bit_pj is None


def test_an_unpriced_adc_makes_conversions_unpriced_and_not_free() -> None:
    costs = action_costs(load_system("isaac-ce", ["chip.tile.ima.adc.cost.power_mw=null"]))
    assert costs.conversion_pj is None
