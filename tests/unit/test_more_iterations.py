"""Many iterations of training from three: beside all of them."""

from __future__ import annotations

import pytest

import pimsim
from pimsim.errors import InputError
from pimsim.results import load_result
from pimsim.results.files import write_files


@pytest.fixture(scope="module")
def short():
    return pimsim.simulate("lenet5", "hetero-3d", mode="train", batch=4, iterations=8)


def test_the_end_is_within_its_error(short):
    full = pimsim.simulate("lenet5", "hetero-3d", mode="train", batch=4, iterations=8, exact=True)
    more = short.training.more
    assert (short.training.iterations, more.iterations) == (3, 8)
    assert full.training.more is None
    assert abs(full.times.image_done_ps[-1] - more.run_ps) <= more.error_ps
    assert more.error_ps < 0.01 * more.run_ps


def test_it_is_saved_with_the_result(short, tmp_path):
    write_files(short, tmp_path, "short", {})
    assert load_result(tmp_path).training == short.training


def test_three_are_simulated_as_they_are():
    assert pimsim.simulate("lenet5", "hetero-3d", mode="train", batch=2, iterations=3).training.more is None


@pytest.mark.parametrize(("iterations", "mode"), [(0, "train"), (True, "train"), (2, "infer")])
def test_iterations_that_cannot_run(iterations, mode):
    with pytest.raises(InputError, match="iterations"):
        pimsim.simulate("lenet5", "hetero-3d", mode=mode, iterations=iterations)
