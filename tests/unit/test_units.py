"""Integer time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimsim.units import cycles_to_ps, ns_to_ps, stream_ps, transfer_ps


def test_nanoseconds_are_a_thousand_picoseconds() -> None:
    assert ns_to_ps(100) == 100_000
    assert ns_to_ps(85.7) == 85_700


def test_a_clock_of_1_2_ghz_is_rounded_once_and_not_in_every_cycle() -> None:
    assert cycles_to_ps(1, 1.2) == 833
    assert cycles_to_ps(3, 1.2) == 2500
    assert cycles_to_ps(3_000_000, 1.2) == 2_500_000_000


def test_128_conversions_at_1_28_gsps_take_exactly_100_ns() -> None:
    assert cycles_to_ps(128, 1.28) == 100_000


@given(cycles=st.integers(0, 10**12), ghz=st.sampled_from([0.606, 1.0, 1.2, 1.28, 1.6]))
def test_the_error_of_any_number_of_cycles_is_half_a_picosecond_at_most(cycles: int, ghz: float) -> None:
    milli_ghz = round(ghz * 1000)
    assert abs(2 * cycles_to_ps(cycles, ghz) * milli_ghz - 2 * cycles * 10**6) <= milli_ghz


@pytest.mark.parametrize(("bits", "clocks"), [(1, 1), (256, 1), (257, 2), (512, 2)])
def test_a_transfer_takes_whole_clocks(bits: int, clocks: int) -> None:
    assert transfer_ps(bits, 256, 1.0) == clocks * 1000


def test_a_stream_is_rounded_up() -> None:
    assert stream_ps(64, 6.4) == 10_000
    assert stream_ps(1, 6.4) == 157  # 156.25
    assert stream_ps(0, 6.4) == 0
