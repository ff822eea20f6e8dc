"""The operations that pimsim knows, one family a module."""

from pimsim.workload.operations import (  # noqa: F401  (each module fills the table)
    concatenation,
    contraction,
    convolution,
    digital,
    elementwise,
    layout,
    matmul,
    normalization,
    padding,
    pooling,
    recurrent,
    reduction,
    resampling,
    selection,
)
from pimsim.workload.operations.registry import TABLE, Call, OperationType, ShapeError

__all__ = ["TABLE", "Call", "OperationType", "ShapeError"]
