"""Inputs as digits: the bits that the drivers put on the wordlines, packed in words and in nibbles."""

from __future__ import annotations

import numpy as np

from pimsim.engine.compiling import compiled

WORD_BITS = 32
NIBBLE = 4  #: wordlines of one look-up in a table of sums


def pack_words(inputs: np.ndarray, bits: int) -> np.ndarray:
    """(bits, words, V) uint32: bit b of input k of vector v is bit k % 32 of word [b, k // 32, v].

    Args:
        inputs: (V, K) integers; bits beyond ``bits`` are ignored (two's complement).
    """
    packed = np.zeros((bits, -(-inputs.shape[1] // WORD_BITS), inputs.shape[0]), dtype=np.uint32)
    _pack_words(np.ascontiguousarray(inputs.T, dtype=np.int64), packed)
    return packed


@compiled
def _pack_words(inputs, packed):  # type: ignore[no-untyped-def]
    bits, _, vectors = packed.shape
    for k in range(inputs.shape[0]):
        word, place = k // WORD_BITS, k % WORD_BITS
        for b in range(bits):
            for v in range(vectors):
                packed[b, word, v] |= np.uint32(((inputs[k, v] >> b) & 1) << place)


def pack_nibbles(inputs: np.ndarray, bits: int) -> np.ndarray:
    """(V, bits, nibbles) int32: bit b of inputs 4 g .. 4 g + 3 as number [v, b, g], the first input lowest."""
    packed = np.zeros((inputs.shape[0], bits, -(-inputs.shape[1] // NIBBLE)), dtype=np.int32)
    _pack_nibbles(np.ascontiguousarray(inputs, dtype=np.int64), packed)
    return packed


@compiled
def _pack_nibbles(inputs, packed):  # type: ignore[no-untyped-def]
    for v in range(inputs.shape[0]):
        for k in range(inputs.shape[1]):
            for b in range(packed.shape[1]):
                packed[v, b, k // NIBBLE] |= np.int32(((inputs[v, k] >> b) & 1) << (k % NIBBLE))


def pack_levels(levels: np.ndarray, bits: int) -> np.ndarray:
    """(columns, bits, words) uint32: bit b of what wordline k's cell holds is bit k % 32 of word [column, b, k // 32].

    Args:
        levels: (K, columns) uint8, what the cells hold.
    """
    packed = np.zeros((bits, -(-levels.shape[0] // WORD_BITS), levels.shape[1]), dtype=np.uint32)
    _pack_levels(levels, packed)
    return np.ascontiguousarray(np.moveaxis(packed, 2, 0))


@compiled
def _pack_levels(levels, packed):  # type: ignore[no-untyped-def]
    for k in range(levels.shape[0]):
        word, place = k // WORD_BITS, np.uint32(k % WORD_BITS)
        for b in range(packed.shape[0]):
            for column in range(levels.shape[1]):
                bit = (np.uint32(levels[k, column]) >> np.uint32(b)) & np.uint32(1)
                packed[b, word, column] |= bit << place
