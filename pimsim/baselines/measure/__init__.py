"""Measures a network on the processor at hand; onnxruntime and PyTorch are optional.

This is the only part of pimsim that imports either.
"""

from pimsim.baselines.measure.measuring import measure

__all__ = ["measure"]
