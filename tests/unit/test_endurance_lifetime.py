"""How long cells last, and which are stuck: exact where endurance is a number, the closed form where it is spread."""

from statistics import NormalDist

import numpy as np
import pytest

from pimsim.device.endurance import endurance_of_cells, first_failure, lifetime, stuck_cells, stuck_share
from pimsim.device.streams import stream
from pimsim.errors import InputError


def test_cells_of_1e8_writes_last_852_trainings_with_sgd_and_8_734_with_a_tenth_of_the_updates() -> None:
    assert int(lifetime(1e8, 300 * 391)) == 852  # whole trainings; 852.5
    assert round(float(lifetime(1e8, 11.45e3))) == 8_734  # 8,733 of them whole
    assert first_failure(np.array([117_300, 11_450]), 1e8) == (852, (0,))


def test_a_cell_that_is_never_written_lasts_for_ever() -> None:
    assert lifetime(10, np.array([0, 4])).tolist() == [np.inf, 2.5]
    assert first_failure(np.zeros((2, 2)), 10) == (np.inf, (0, 0))


def test_the_first_cell_to_fail_is_the_one_whose_endurance_is_used_up_first() -> None:
    writes = np.array([[4, 1], [2, 2]])
    endurance = np.array([[100, 5], [9, 100]])  # 25, 5, 4.5 and 50 units
    assert first_failure(writes, endurance) == (4, (1, 0))
    assert stuck_share(writes, endurance, [4, 4.5, 4.6, 5, 5.1, 25.1, 51]).tolist() == [0, 0, 0.25, 0.25, 0.5, 0.75, 1]


def test_a_cell_serves_up_to_its_endurance_and_is_stuck_past_it() -> None:
    assert stuck_cells(np.array([9, 10, 11]), 10).tolist() == [False, False, True]
    assert stuck_cells(np.array([9, 10]), np.array([8.5, 10.5])).tolist() == [True, False]
    writes = np.array([1, 2, 3])
    for units in range(12):  # the same, seen from the units of work
        assert stuck_share(writes, 10, units) == stuck_cells(units * writes, 10).mean()


def test_a_spread_endurance_is_log_normal_around_its_median() -> None:
    cells, sigma = 100_000, 0.5
    found = np.log10(endurance_of_cells(1e8, sigma, (cells,), stream(1, "fc", "endurance")))
    error = sigma / np.sqrt(cells)
    assert found.mean() == pytest.approx(8, abs=4 * error)
    assert found.std() == pytest.approx(sigma, rel=4 / np.sqrt(2 * cells))
    expected = NormalDist(8, sigma).cdf(np.log10(5e7))
    share = float(stuck_share(np.full(cells, 5.0), 10**found, 1e7))
    assert share == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / cells))


def test_the_weakest_of_many_cells_fails_long_before_the_median() -> None:
    endurance = endurance_of_cells(1e8, 0.5, (256, 256), stream(1, "fc", "endurance"))
    first = first_failure(np.ones((256, 256)), endurance)
    assert first.units < 1e8 / 30  # about 4 standard deviations of half a decade
    assert first.units == np.floor(endurance[first.cell]) == np.floor(endurance.min())


def test_the_same_seed_gives_the_same_cells() -> None:
    one, same, other = (endurance_of_cells(1e8, 0.3, (9,), stream(seed, "fc", "endurance")) for seed in (4, 4, 5))
    assert np.array_equal(one, same) and not np.any(one == other)
    assert np.all(endurance_of_cells(1e8, 0, (2, 3), stream(4, "fc", "endurance")) == 1e8)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: endurance_of_cells(0, 0, (1,), stream(0, "", "")), "endurance.writes: is 0"),
        (lambda: endurance_of_cells(float("nan"), 0, (1,), stream(0, "", "")), "endurance.writes: is nan"),
        (lambda: endurance_of_cells(1, -1, (1,), stream(0, "", "")), "endurance.sigma_decades: is -1"),
        (lambda: lifetime(1, -1), "negative"),
        (lambda: lifetime(0, 1), "an endurance is not more than 0"),
        (lambda: first_failure(np.zeros(0), 1), "no cells"),
        (lambda: stuck_share(np.zeros(0), 1, 1), "no cells"),
    ],
)
def test_impossible_figures_are_refused(make, told: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError) as error:
        make()
    assert told in str(error.value)
