"""Kernels on a GPU core: the roofline in whole picoseconds, and its energy."""

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.config.gpu import GpuCore
from pimsim.errors import InputError
from pimsim.technology.gpu_core import kernel_pj, kernel_ps


def core(**changed: object) -> GpuCore:
    memory = {"mib": 204, "gb_per_s": 8.0, "latency_ns": 300.0, "pj_per_bit": 4.0, "source": "test"}
    cost = {"power_mw": 250_000.0, "area_mm2": 800.0, "static_fraction": 0.1, "at": {"multiprocessors": 80.0},
            "source": "test"}  # fmt: skip
    keys = {"multiprocessors": 2, "clock_ghz": 1.5, "flops_per_clock": 128, "launch_ns": 500.0, "memory": memory,
            "cost": cost}  # fmt: skip
    return GpuCore.model_validate(keys | changed)


def test_a_kernel_without_traffic_runs_at_the_peak() -> None:
    assert core().peak_flops_per_s == 2 * 128 * 1.5e9
    assert kernel_ps(core(), 384_000, 0) == 1_000_000  # 384 FLOPs a ns


def test_a_kernel_without_flops_runs_at_the_bandwidth() -> None:
    assert kernel_ps(core(), 0, 2_000) == 1_000_000  # 2,000 values of 4 bytes at 8 bytes a ns
    assert kernel_ps(core(value_bytes=2), 0, 2_000) == 500_000


def test_the_slower_of_the_two_counts_and_not_their_sum() -> None:
    assert kernel_ps(core(), 384_000, 2_000) == 1_000_000
    assert kernel_ps(core(), 384_000, 2_001) == 1_000_500
    assert kernel_ps(core(), 384_384, 2_000) == 1_001_000


def test_both_roofs_meet_at_the_ridge() -> None:
    values = 1_000
    flops = values * 4 * 384 // 8  # 384 FLOPs and 8 bytes a ns, 4 bytes a value
    assert kernel_ps(core(), flops, 0) == kernel_ps(core(), 0, values)


def test_occupancy_lowers_both_roofs() -> None:
    assert kernel_ps(core(occupancy=0.5), 384_000, 0) == kernel_ps(core(occupancy=0.5), 0, 2_000) == 2_000_000


def test_a_part_of_a_picosecond_counts_as_a_whole_one() -> None:
    assert kernel_ps(core(), 1, 0) == 3  # 2.604 ps
    assert kernel_ps(core(), 0, 0) == 0


@pytest.mark.parametrize(("flops", "values", "key"), [(-1, 0, "flops"), (0, -1, "values")])
def test_less_than_no_work_is_refused(flops: int, values: int, key: str) -> None:
    with pytest.raises(InputError, match=key):
        kernel_ps(core(), flops, values)


@settings(max_examples=60, deadline=None)
@given(
    flops=st.integers(0, 10**13), values=st.integers(0, 10**11), clock=st.sampled_from([0.1, 1.38, 1.582, 3.0]),
    gb_per_s=st.sampled_from([0.3, 11.2125, 897.0]), occupancy=st.sampled_from([0.1, 0.7, 1.0]),
)  # fmt: skip
def test_no_kernel_is_faster_than_its_roof_and_none_a_picosecond_slower(
    flops: int, values: int, clock: float, gb_per_s: float, occupancy: float
) -> None:
    memory = {"mib": 1, "gb_per_s": gb_per_s, "latency_ns": 0.0, "pj_per_bit": 0.0, "source": "test"}
    found = kernel_ps(core(clock_ghz=clock, occupancy=occupancy, memory=memory), flops, values)
    share = Fraction(str(occupancy)) / 1000
    compute = flops / (256 * Fraction(str(clock)) * share)
    traffic = 4 * values / (Fraction(str(gb_per_s)) * share)
    assert found == max(ceil(compute), ceil(traffic))


def test_energy_is_the_power_of_the_share_of_the_device_without_what_it_draws_when_idle() -> None:
    assert kernel_pj(core(), 1_000_000) == pytest.approx(0.9 * 2 / 80 * 250_000 * 1_000)  # mW x ns
    slower = core(clock_ghz=0.75)
    assert kernel_pj(slower, 1_000_000) == kernel_pj(core(), 1_000_000)  # at names no clock: taken as it stands
    assert kernel_pj(core(cost={"source": "test"}), 1_000_000) is None
