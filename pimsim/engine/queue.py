"""Event queue: a binary heap of packed int64 keys.

A key is ``(time - base) << id_bits | id``: events at equal times come out in the order of their
static id, never of insertion.  ``H[0]`` holds the number of events, ``H[1:]`` the heap.  Adding
``delta << id_bits`` to every key moves the base without disturbing the order.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, forceinline=True, error_model="numpy")
def push_key(H: np.ndarray, key: int) -> None:
    """Add ``key``; the caller has made sure that there is room."""
    n = H[0] + 1
    H[0] = n
    i = n
    while i > 1:
        parent = i >> 1
        above = H[parent]
        if above <= key:
            break
        H[i] = above
        i = parent
    H[i] = key


@njit(cache=True, forceinline=True, error_model="numpy")
def pop_key(H: np.ndarray) -> int:
    """Take the smallest key off a heap that is not empty."""
    top = H[1]
    n = H[0]
    last = H[n]
    n -= 1
    H[0] = n
    i = 1
    child = 2
    while child <= n:
        if child < n and H[child + 1] < H[child]:
            child += 1
        if H[child] >= last:
            break
        H[i] = H[child]
        i = child
        child = i << 1
    H[i] = last
    return top


@njit(cache=True)
def shift_keys(H: np.ndarray, delta: int) -> None:
    """Subtract ``delta`` from every key: the base has moved forward."""
    for i in range(1, H[0] + 1):
        H[i] -= delta
