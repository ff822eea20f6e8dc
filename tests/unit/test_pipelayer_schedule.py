"""PipeLayer's schedule and the engine's: one image a logical cycle, 2L + B + 1 cycles an iteration."""

from __future__ import annotations

import itertools

import pytest

from pimsim.costmodels.pipelayer import training_cycles
from pimsim.simulation import simulate
from pimsim.validate.pipelayer import equal_layers


@pytest.mark.parametrize("layers", [2, 4])
def test_an_image_more_is_a_cycle_more_and_no_iteration_takes_longer_than_the_schedule(layers: int) -> None:
    batches = (8, 12, 16)
    took = [
        simulate(equal_layers(layers, 64), "pipelayer", mode="train", batch=batch, noc="ideal").times.run_ps
        for batch in batches
    ]
    cycle = (took[-1] - took[0]) / (batches[-1] - batches[0])
    for before, after in itertools.pairwise(took):
        assert after - before == pytest.approx(4 * cycle, rel=0.02)  # who comes first at the bus varies a little
    for batch, ps in zip(batches, took, strict=True):
        scheduled = training_cycles(layers, batch, batch)
        # the first image passes L layers, the loss and L layers back before the last of its gradients is there
        assert batch + layers < ps / cycle <= scheduled


def test_without_a_pipeline_it_would_take_longer_than_it_does() -> None:
    run = simulate(equal_layers(4, 64), "pipelayer", mode="train", batch=16, noc="ideal").times.run_ps
    alone = simulate(equal_layers(4, 64), "pipelayer", mode="train", batch=1, noc="ideal").times.run_ps
    assert 16 * alone > 3 * run
