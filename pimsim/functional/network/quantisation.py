"""Real numbers as the integers that crossbars hold and take: uniform, symmetric around zero.

    weights   q = round(w / s),  s = max|w| / (2^(bits - 1) - 1), of the whole layer or of each output;
    inputs    q = round(x / s),  s = max|x| / (2^(bits - 1) - 1), with max|x| from calibration, of the whole layer;
              where inputs were never negative and may be taken without a sign, s = max x / (2^bits - 1).

The max of calibration is rounded up to RANGE_BITS significant bits, which widens the range by 0.05 % at most: the last
bits of what the float network computes depend on the number of threads and of images at once, and s must not.

Rounding is to the nearest, halves to even.  Inputs beyond the calibrated range saturate at the ends of two's
complement.  With steps that are powers of two, s is the next larger one: numbers of a 16-bit fixed point whose point
is the layer's own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pimsim.config.records import Mapping
from pimsim.errors import InputError
from pimsim.functional.mitigation.clipping import clipped_weights

RANGE_BITS = 12  #: significant bits of a calibrated range; of float32's 24, the last few differ


@dataclass(frozen=True)
class Range:
    """What the inputs of a matrix were like in calibration."""

    largest: float = 0.0  #: magnitude
    lowest: float = 0.0

    def joined(self, values: np.ndarray) -> Range:
        """The range that also holds ``values``."""
        if not values.size:
            return self
        low, high = float(values.min()), float(values.max())
        return Range(max(self.largest, -low, high), min(self.lowest, low))


@dataclass(frozen=True)
class InputQuantiser:
    """Inputs of one matrix as integers."""

    scale: float  #: real value of the integer 1
    low: int
    high: int

    def integers(self, values: np.ndarray) -> tuple[np.ndarray, int]:
        """Integers, held in float64 as they meet the matrix, and how many values were beyond the range."""
        scaled = np.multiply(values, 1 / self.scale, dtype=np.float64)
        np.rint(scaled, out=scaled)
        beyond = 0
        if scaled.size and (scaled.max() > self.high or scaled.min() < self.low):
            beyond = int(np.count_nonzero((scaled > self.high) | (scaled < self.low)))
            np.clip(scaled, self.low, self.high, out=scaled)
        return scaled, beyond


@dataclass(frozen=True)
class QuantisedWeights:
    """Weights of one matrix as integers."""

    integers: np.ndarray  #: (G, K, N) int64
    scale: np.ndarray  #: (G, 1, N) real value of the integer 1
    clipped: int  #: weights beyond the threshold of ``mapping.mitigation.weight_clip``


def input_quantiser(seen: Range, bits: int, mapping: Mapping) -> tuple[InputQuantiser, bool]:
    """The quantiser of a layer's inputs, and whether they have a sign.

    Raises:
        InputError: one bit is too few for signed inputs.
    """
    signed = not (mapping.unsigned_inputs and seen.lowest >= 0)
    if signed and bits < 2:
        raise InputError("one bit holds no signed input", key="mapping.input_bits",
                         allowed="from 2, or mapping.unsigned_inputs: true where no input is negative")  # fmt: skip
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    scale = float(_steps(np.array(_rounded_up(seen.largest)), high, mapping.scale))
    return InputQuantiser(scale, low, high), signed


def _rounded_up(largest: float) -> float:
    """The next number of RANGE_BITS significant bits that is not smaller."""
    fraction, exponent = math.frexp(largest)
    return math.ldexp(math.ceil(math.ldexp(fraction, RANGE_BITS)), exponent - RANGE_BITS)


def quantise_weights(weights: np.ndarray, bits: int, mapping: Mapping, layer: str = "") -> QuantisedWeights:
    """Weights (G, K, N) of a layer as integers of ``bits``.

    Raises:
        InputError: one bit is too few.
    """
    if bits < 2:
        raise InputError("one bit holds no signed weight", key="mapping.weight_bits", allowed="from 2")
    weights, clipped = clipped_weights(weights, mapping.mitigation.of_layer(layer))
    high = (1 << (bits - 1)) - 1
    magnitude = np.abs(weights)
    largest = magnitude.max(axis=1, keepdims=True) if mapping.weight_scale == "per_channel" else magnitude.max()
    scale = _steps(np.asarray(largest), high, mapping.scale)
    integers = np.clip(np.rint(weights / scale), -high, high).astype(np.int64)
    return QuantisedWeights(integers, np.broadcast_to(scale, (weights.shape[0], 1, weights.shape[2])), clipped)


def _steps(largest: np.ndarray, high: int, kind: str) -> np.ndarray:
    """Real values of the integer 1, so that ``largest`` is at most ``high``; 1 where everything is zero."""
    steps = np.where(largest > 0, largest, high) / high
    if kind == "power_of_two":
        steps = np.exp2(np.ceil(np.log2(steps)))
    return steps
