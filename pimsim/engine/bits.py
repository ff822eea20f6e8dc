"""Sets of small numbers as the bits of integers: in the registers of the machine, and in words of an arena.

A set of numbers below 64 is a uint64.  A larger one is an integer of several words, which the compiler makes of
instructions for one.  Which of the two is meant says the class of the named tuple ``n`` of parameters: its attribute
``set_words`` is the number of words of a set.  So the same functions are compiled for either.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils, typing
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import lower_builtin, models, register_model

from pimsim.engine.compiling import internal
from pimsim.engine.words import Words, intrinsic, mark_kind, word_address

WORD = 64  #: bits


class Wide(types.Type):
    """A set of more numbers than a word has bits."""

    def __init__(self, words: int) -> None:
        self.words = words
        super().__init__(name=f"Wide({words})")


@register_model(Wide)
class _WideModel(models.PrimitiveModel):
    def __init__(self, manager: Any, fe_type: Wide) -> None:
        super().__init__(manager, fe_type, ir.IntType(WORD * fe_type.words))


def _words_of(n: Any) -> int:
    """Words of a set, from the type of the parameters."""
    return int(n.instance_class.set_words)


def _set_type(n: Any) -> Any:
    words = _words_of(n)
    return types.uint64 if words == 1 else Wide(words)


def _binary(operation: Any, build: str) -> None:
    class Typing(AbstractTemplate):
        key = operation

        def generic(self, args: Any, keywords: Any) -> Any:
            return typing.signature(args[0], *args) if all(isinstance(arg, Wide) for arg in args) else None

    infer_global(operation)(Typing)

    @lower_builtin(operation, Wide, Wide)
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return getattr(builder, build)(*values)


for _operation, _build in (("and_", "and_"), ("iand", "and_"), ("or_", "or_"), ("ior", "or_")):
    _binary(getattr(operator, _operation), _build)


@infer_global(operator.invert)
class _Invert(AbstractTemplate):
    def generic(self, args: Any, keywords: Any) -> Any:
        return typing.signature(args[0], args[0]) if isinstance(args[0], Wide) else None


@lower_builtin(operator.invert, Wide)
def _not(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    return builder.not_(values[0])


def _of_one_word(kind: Any) -> bool:
    return kind == types.uint64


def _require_set(kind: Any) -> None:
    if not (_of_one_word(kind) or isinstance(kind, Wide)):
        raise TypeError(f"a set is a uint64 or wide, not {kind}")


def _as_width(builder: Any, number: Any, bits: ir.IntType) -> Any:
    return number if number.type == bits else builder.zext(number, bits)


@intrinsic
def words_of_set(typing_context: Any, n: Any) -> Any:
    """How many words of an arena a set takes: a constant."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return context.get_constant(types.int64, _words_of(n))

    return types.int64(n), generate


@intrinsic
def nothing(typing_context: Any, n: Any) -> Any:
    """The empty set."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return ir.Constant(ir.IntType(WORD * _words_of(n)), 0)

    return _set_type(n)(n), generate


@intrinsic
def one(typing_context: Any, n: Any, number: Any) -> Any:
    """The set of one number."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        bits = ir.IntType(WORD * _words_of(n))
        return builder.shl(ir.Constant(bits, 1), _as_width(builder, values[1], bits))

    return _set_type(n)(n, types.int64), generate


@intrinsic
def shifted(typing_context: Any, n: Any, mask: Any, by: Any) -> Any:
    """The members of a mask, each with ``by`` added."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        bits = ir.IntType(WORD * _words_of(n))
        return builder.shl(_as_width(builder, values[1], bits), _as_width(builder, values[2], bits))

    return _set_type(n)(n, types.int64, types.int64), generate


@intrinsic
def is_empty(typing_context: Any, members: Any) -> Any:
    """Whether a set has no members."""
    _require_set(members)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.icmp_unsigned("==", values[0], ir.Constant(values[0].type, 0))

    return types.boolean(members), generate


@intrinsic
def lowest(typing_context: Any, members: Any) -> Any:
    """The smallest member; undefined for the empty set."""
    _require_set(members)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        number = builder.cttz(values[0], ir.Constant(ir.IntType(1), 1))
        return number if _of_one_word(members) else builder.trunc(number, ir.IntType(WORD))

    return types.int64(members), generate


@intrinsic
def without_lowest(typing_context: Any, members: Any) -> Any:
    """The set without its smallest member; the empty set stays empty."""
    _require_set(members)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.and_(values[0], builder.sub(values[0], ir.Constant(values[0].type, 1)))

    return members(members), generate


@intrinsic
def from_on(typing_context: Any, members: Any, start: Any) -> Any:
    """The members at or after ``start``, less ``start``."""
    _require_set(members)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.lshr(values[0], _as_width(builder, values[1], values[0].type))

    return members(members, types.int64), generate


@intrinsic
def has(typing_context: Any, members: Any, number: Any) -> Any:
    """Whether ``number`` is a member."""
    _require_set(members)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        shifted = builder.lshr(values[0], _as_width(builder, values[1], values[0].type))
        return builder.trunc(shifted, ir.IntType(1))

    return types.boolean(members, types.int64), generate


@internal
def first_from(members, start):  # type: ignore[no-untyped-def]
    """The first member at or after ``start``, going round; the set is not empty, and ``start`` is within its bits."""
    high = from_on(members, start)
    if is_empty(high):
        return lowest(members)
    return start + lowest(high)


# ---- in an arena


def _set_address(context: Any, builder: Any, signature: Any, values: Any, bits: ir.IntType) -> Any:
    if isinstance(signature.args[0], Words):
        address = word_address(builder, signature.args, values)
    else:
        array = cgutils.create_struct_proxy(signature.args[0])(context, builder, values[0])
        address = builder.gep(array.data, [values[1]])
    return builder.bitcast(address, bits.as_pointer())


@intrinsic
def load_set(typing_context: Any, M: Any, at: Any, n: Any) -> Any:
    """The set in the words from ``at`` on."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        address = _set_address(context, builder, signature, values, ir.IntType(WORD * _words_of(n)))
        members = builder.load(address, align=8)
        return mark_kind(builder, members, "int64") if isinstance(M, Words) else members

    return _set_type(n)(M, types.int64, n), generate


@intrinsic
def store_set(typing_context: Any, M: Any, at: Any, n: Any, members: Any) -> Any:
    """Write a set to the words from ``at`` on."""
    _require_set(members)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        address = _set_address(context, builder, signature, values, ir.IntType(WORD * _words_of(n)))
        store = builder.store(values[3], address, align=8)
        if isinstance(M, Words):
            mark_kind(builder, store, "int64")
        return context.get_dummy_value()

    return types.none(M, types.int64, n, members), generate


@intrinsic
def _word_of(typing_context: Any, n: Any, number: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        if _words_of(n) == 1:
            return ir.Constant(ir.IntType(WORD), 0)
        return builder.lshr(values[1], ir.Constant(ir.IntType(WORD), 6))

    return types.int64(n, types.int64), generate


@internal
def insert(M, n, at, number):  # type: ignore[no-untyped-def]
    """Put a number into the set at ``at``."""
    M[at + _word_of(n, number)] |= 1 << (number & 63)


@internal
def discard(M, n, at, number):  # type: ignore[no-untyped-def]
    """Take a number out of the set at ``at``."""
    M[at + _word_of(n, number)] &= ~(1 << (number & 63))


# ---- sets of a word, whatever the parameters are


@internal
def bit(number):  # type: ignore[no-untyped-def]
    """The set of one number below 64."""
    return np.uint64(1) << np.uint64(number)
