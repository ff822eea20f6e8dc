"""Event queue: a ring of time buckets in front of a small binary heap, exact in order.

An event is one int64 key, ``(time - base) << id_bits | id``: events at equal times come out in the order
of their static id, never of insertion.  A heap is fast when small, so it holds only the events of the
present bucket; those of the next ``BUCKETS`` wait unsorted, those beyond in a heap of their own.  The
unsorted ones lie in chunks: one at a time in a linked list, each would cost a cache miss.

Everything is in one int64 array ``H``: header, near heap, first chunk of each bucket, chunks, far heap.
"""

from __future__ import annotations

import numpy as np

from pimsim.engine.compiling import compiled, inlined

TOTAL, NEAR, FAR, BUCKET, SPARE, ROOM, RING_AT, CHUNKS_AT, FAR_AT = range(9)
"""Header: events in all, in the near heap, in the far heap; present bucket; first spare chunk; events for
which there is room; offsets of the ring, the chunks and the far heap."""

HEADER = 16  #: words; the near heap follows
BUCKETS = 4096  #: in the ring
WIDTH_BITS = 14  #: a bucket is 2**14 ps = 16 ns wide, a sixth of ISAAC's slot
CHUNK = 16  #: words of a chunk: the following one, its number of keys, keys
KEYS = CHUNK - 2  #: keys of a chunk


def new_queue(room: int) -> np.ndarray:
    """An empty queue for ``room`` events."""
    chunks = room // KEYS + 1 + BUCKETS  # at most one of each bucket is partly filled
    ring_at = HEADER + room + 1
    chunks_at = ring_at + BUCKETS
    far_at = chunks_at + chunks * CHUNK
    H = np.zeros(far_at + room + 1, np.int64)
    H[ROOM], H[RING_AT], H[CHUNKS_AT], H[FAR_AT] = room, ring_at, chunks_at, far_at
    H[ring_at:chunks_at] = -1
    H[chunks_at:far_at:CHUNK] = np.arange(1, chunks + 1)
    return H


def grown(H: np.ndarray, shift: int) -> np.ndarray:
    """The same events in a queue of twice the room."""
    larger = new_queue(2 * int(H[ROOM]))
    larger[BUCKET] = H[BUCKET]
    _move_all(H, larger, shift)
    return larger


@compiled
def _move_all(H: np.ndarray, larger: np.ndarray, shift: int) -> None:
    for i in range(1, H[NEAR] + 1):
        push_key(larger, H[HEADER + i], shift)
    for i in range(1, H[FAR] + 1):
        push_key(larger, H[H[FAR_AT] + i], shift)
    for b in range(BUCKETS):
        chunk = H[H[RING_AT] + b]
        while chunk >= 0:
            c = H[CHUNKS_AT] + CHUNK * chunk
            for k in range(H[c + 1]):
                push_key(larger, H[c + 2 + k], shift)
            chunk = H[c]


@compiled
def move_base(H: np.ndarray, delta: int, id_bits: int) -> int:
    """Let times count from at most ``delta`` later: whole turns of the ring; how far the base moved [ps]."""
    turn = BUCKETS << WIDTH_BITS
    moved = delta // turn * turn
    by = moved << id_bits
    for i in range(1, H[NEAR] + 1):
        H[HEADER + i] -= by
    for i in range(1, H[FAR] + 1):
        H[H[FAR_AT] + i] -= by
    for b in range(BUCKETS):
        chunk = H[H[RING_AT] + b]
        while chunk >= 0:
            c = H[CHUNKS_AT] + CHUNK * chunk
            for k in range(H[c + 1]):
                H[c + 2 + k] -= by
            chunk = H[c]
    H[BUCKET] -= moved >> WIDTH_BITS
    return moved


@inlined
def push_key(H: np.ndarray, key: int, shift: int) -> None:
    """Add an event; ``shift`` is ``id_bits + WIDTH_BITS``.  The caller has made sure that there is room."""
    H[TOTAL] += 1
    bucket = key >> shift
    ahead = bucket - H[BUCKET]
    if ahead <= 0:
        H[NEAR] += 1
        _sift_up(H, HEADER, H[NEAR], key)
    elif ahead < BUCKETS:
        head = H[RING_AT] + (bucket & (BUCKETS - 1))
        chunk = H[head]
        c = H[CHUNKS_AT] + CHUNK * chunk
        if chunk < 0 or H[c + 1] == KEYS:
            following = chunk
            chunk = H[SPARE]
            c = H[CHUNKS_AT] + CHUNK * chunk
            H[SPARE] = H[c]
            H[c] = following
            H[c + 1] = 0
            H[head] = chunk
        n = H[c + 1]
        H[c + 2 + n] = key
        H[c + 1] = n + 1
    else:
        H[FAR] += 1
        _sift_up(H, H[FAR_AT], H[FAR], key)


@inlined
def pop_key(H: np.ndarray, shift: int) -> int:
    """Take the smallest key off a queue that is not empty."""
    if H[NEAR] == 0:
        _next_bucket(H, shift)
    H[TOTAL] -= 1
    n = H[NEAR]
    H[NEAR] = n - 1
    return _take_top(H, HEADER, n)


@compiled
def _next_bucket(H: np.ndarray, shift: int) -> None:
    """Move to the next bucket that holds events, and heap them."""
    ring, chunks, far = H[RING_AT], H[CHUNKS_AT], H[FAR_AT]
    bucket = H[BUCKET]
    last = bucket + BUCKETS
    if H[FAR] > 0:
        nearest = H[far + 1] >> shift
        if H[TOTAL] == H[FAR]:
            bucket = nearest - 1
        last = nearest
    bucket += 1
    while bucket < last and H[ring + (bucket & (BUCKETS - 1))] < 0:
        bucket += 1
    H[BUCKET] = bucket
    head = ring + (bucket & (BUCKETS - 1))
    chunk = H[head]
    H[head] = -1
    while chunk >= 0:
        c = chunks + CHUNK * chunk
        for k in range(H[c + 1]):
            H[NEAR] += 1
            _sift_up(H, HEADER, H[NEAR], H[c + 2 + k])
        following = H[c]
        H[c] = H[SPARE]
        H[SPARE] = chunk
        chunk = following
    while H[FAR] > 0 and (H[far + 1] >> shift) <= bucket:
        n = H[FAR]
        H[FAR] = n - 1
        key = _take_top(H, far, n)
        H[NEAR] += 1
        _sift_up(H, HEADER, H[NEAR], key)


@inlined
def _sift_up(H: np.ndarray, heap: int, n: int, key: int) -> None:
    """Put ``key`` into a heap that has become ``n`` long."""
    i = n
    while i > 1:
        parent = i >> 1
        above = H[heap + parent]
        if above <= key:
            break
        H[heap + i] = above
        i = parent
    H[heap + i] = key


@inlined
def _take_top(H: np.ndarray, heap: int, n: int) -> int:
    """Take the smallest key off a heap of ``n``."""
    top = H[heap + 1]
    last = H[heap + n]
    n -= 1
    i = 1
    child = 2
    while child <= n:
        if child < n and H[heap + child + 1] < H[heap + child]:
            child += 1
        if H[heap + child] >= last:
            break
        H[heap + i] = H[heap + child]
        i = child
        child = i << 1
    H[heap + i] = last
    return top
