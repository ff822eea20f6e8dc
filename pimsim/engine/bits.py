"""Sets of up to 64 small numbers as the bits of one word."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from pimsim.engine.compiling import inlined

NONE = np.uint64(0)
ONE = np.uint64(1)


@intrinsic
def lowest(typing_context: Any, word: Any) -> Any:
    """Number of the lowest bit that is set; undefined for 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    if word != types.uint64:
        raise TypeError(f"a set is a uint64, not {word}")
    return types.int64(types.uint64), generate


@inlined
def bit(i):  # type: ignore[no-untyped-def]
    """The set of i alone."""
    return ONE << np.uint64(i)


@inlined
def first_from(word, start):  # type: ignore[no-untyped-def]
    """The first member at or after ``start``, going round; the set is not empty, and ``start`` below 64."""
    high = word >> np.uint64(start)
    if high != NONE:
        return start + lowest(high)
    return lowest(word)
