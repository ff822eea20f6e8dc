"""The event queue gives back what was put in, smallest first, whatever lies between."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.engine.queue import (
    BUCKET,
    BUCKETS,
    ROOM,
    TOTAL,
    WIDTH_BITS,
    grown,
    move_base,
    new_queue,
    pop_key,
    push_key,
)

ID_BITS = 5
SHIFT = ID_BITS + WIDTH_BITS
TURN = BUCKETS << WIDTH_BITS

delays = st.one_of(
    st.integers(0, 3),
    st.integers(0, 1 << WIDTH_BITS),
    st.integers(0, 2 * TURN),
    st.sampled_from([0, (1 << WIDTH_BITS) - 1, 1 << WIDTH_BITS, TURN - 1, TURN, TURN + 1, 40 * TURN]),
)
steps = st.lists(st.tuples(st.lists(st.tuples(delays, st.integers(0, 31)), max_size=4), st.integers(0, 4)), max_size=60)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(steps=steps)
def test_events_come_out_in_the_order_of_time_and_id(steps):
    queue, pending, now = new_queue(600), [], 0
    for pushed, pops in steps:
        for delay, identity in pushed:
            push_key(queue, ((now + delay) << ID_BITS) | identity, SHIFT)
            pending.append(((now + delay), identity))
        for _ in range(min(pops, len(pending))):
            pending.sort()
            key = pop_key(queue, SHIFT)
            assert (key >> ID_BITS, key & 31) == pending[0]
            now = pending.pop(0)[0]
    assert queue[TOTAL] == len(pending)
    assert [pop_key(queue, SHIFT) for _ in pending] == [t << ID_BITS | i for t, i in sorted(pending)]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(times=st.lists(delays, min_size=1, max_size=80), growths=st.integers(0, 2))
def test_growing_and_moving_the_base_keep_every_event(times, growths):
    start = 3 * TURN + 17
    queue = new_queue(100)
    push_key(queue, start << ID_BITS, SHIFT)
    assert pop_key(queue, SHIFT) == start << ID_BITS  # now the present bucket lies three turns ahead
    for t in times:
        push_key(queue, (start + t) << ID_BITS, SHIFT)
    for _ in range(growths):
        queue = grown(queue, SHIFT)
    moved = move_base(queue, start, ID_BITS)
    assert moved == 3 * TURN
    assert queue[BUCKET] == (start - moved) >> WIDTH_BITS
    assert queue[ROOM] == 100 << growths
    assert [pop_key(queue, SHIFT) >> ID_BITS for _ in times] == sorted(start - moved + t for t in times)
