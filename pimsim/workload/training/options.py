"""What training needs to know beside the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from pimsim.errors import InputError, shown
from pimsim.workload.lowering import BatchNormAs

Norm = Literal["batch", "sub-batch", "group", "layer", "none"]
"""What a BatchNorm does in training: statistics over the batch, over ``sub_batch`` images, over groups of channels of
one image (no barrier; Wu and He, ECCV 2018), or nothing: it is left out."""

WeightGradient = Literal["gpu", "outer"]
"""Where gradients of weights are made: by GPU cores, from the saved inputs and the gradient of the outputs; or as outer
products on crossbars that are written with the inputs of every image (PipeLayer)."""

Transposed = Literal["copy", "array", "memory"]
"""Where the backward pass reads the transposed weights: a second copy in crossbars of its own; the crossbars of the
forward pass, from the other side (a transposable array); or the memory of GPU cores, where weights have no side."""


@dataclass(frozen=True)
class Training:
    """How a network is trained, and the few facts of the chip that decide which nodes there are."""

    batch: int  #: images between two updates of the weights
    rows: int  #: wordlines of a crossbar: a gradient reaches the cells row by row
    cores: int  #: GPU cores of the chip; 0: none
    norm: Norm = "batch"
    sub_batch: int | None = None  #: images of one statistic, for norm ``sub-batch``; divides the batch
    weight_gradient: WeightGradient = "gpu"
    transposed: Transposed = "copy"
    gradient_images: int = 1  #: of one kernel that makes gradients of weights on GPU cores; divides the batch

    def __post_init__(self) -> None:
        """Refuse what does not fit together.

        Raises:
            InputError: with the key.
        """
        _whole("batch", self.batch, 1)
        _whole("rows", self.rows, 1)
        _whole("cores", self.cores, 0)
        for key, allowed in (("norm", Norm), ("weight_gradient", WeightGradient), ("transposed", Transposed)):
            if getattr(self, key) not in get_args(allowed):
                what = f"{shown(getattr(self, key))} is not known"
                raise InputError(what, key=key, allowed=get_args(allowed))
        _whole("gradient_images", self.gradient_images, 1)
        if self.batch % self.gradient_images:
            what = f"kernels of {self.gradient_images} images do not divide a batch of {self.batch}"
            raise InputError(what, key="gradient_images")
        self._check_sub_batch()

    def _check_sub_batch(self) -> None:
        if self.norm != "sub-batch":
            if self.sub_batch is not None:
                raise InputError("has a meaning with norm: sub-batch only", key="sub_batch")
            return
        if self.sub_batch is None:
            raise InputError("norm is sub-batch: the number of its images is missing", key="sub_batch")
        _whole("sub_batch", self.sub_batch, 1)
        if self.batch % self.sub_batch:
            what = f"sub-batches of {self.sub_batch} images do not divide a batch of {self.batch}"
            raise InputError(what, key="sub_batch")

    @property
    def together(self) -> int:
        """Images whose statistics a BatchNorm takes together."""
        return self.sub_batch or self.batch

    @property
    def lowered_norm(self) -> BatchNormAs:
        """What a BatchNorm is lowered to."""
        return "batch" if self.norm in ("batch", "sub-batch") else self.norm  # type: ignore[return-value]


def _whole(key: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InputError(f"{shown(value)} is not a whole number of at least {least}", key=key)
