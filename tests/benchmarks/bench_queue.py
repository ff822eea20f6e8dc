"""The event queue by itself: ``pytest tests/benchmarks/bench_queue.py`` (not collected by default)."""

from __future__ import annotations

import time

import numpy as np
import pytest

from pimsim.engine.queue import WIDTH_BITS, new_queue, pop_key, push_key

ID_BITS = 20


@pytest.mark.parametrize("pending", [100, 10_000, 100_000])
@pytest.mark.benchmark(timer=time.process_time)
def test_hold(benchmark, pending):
    """Pop the next event and push another one, with so many pending (the queue's own calls, from Python)."""
    delays = np.random.default_rng(1).integers(0, 2_000_000, pending)
    queue = new_queue(pending + 1)
    for i, delay in enumerate(delays):
        push_key(queue, (int(delay) << ID_BITS) | i, ID_BITS + WIDTH_BITS)

    def hold():
        for delay in delays[:1000]:
            key = pop_key(queue, ID_BITS + WIDTH_BITS)
            push_key(queue, key + (int(delay) << ID_BITS), ID_BITS + WIDTH_BITS)

    benchmark(hold)
    assert queue[0] == pending
