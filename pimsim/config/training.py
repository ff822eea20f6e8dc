"""Keys of training: what a system does that the network and the chip leave open."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from pimsim.config.base import Count, Spec


class TrainingKeys(Spec):
    """How networks are trained on a system."""

    norm: Literal["batch", "sub-batch", "group", "layer", "none"] = "batch"
    #: what a BatchNorm takes together: the whole batch; sub_batch images; groups of channels of one image, or all
    #: channels of one image, without a barrier; none: it is left out
    sub_batch: Count | None = None  #: images of one statistic; sub-batch only
    weight_gradient: Literal["gpu", "outer"] | None = None
    #: gradients of weights: by GPU cores, or as outer products on crossbars that are written with the inputs of every
    #: image (PipeLayer); null: by GPU cores where there are any
    gradient_images: Count = 1
    #: images of one kernel that makes gradients of weights: the largest number up to it that divides the batch
    transposed: Literal["copy", "array"] = "copy"
    #: transposed weights: a second copy in crossbars of its own, or the same crossbars, read from the other side

    @model_validator(mode="after")
    def _sub_batch_belongs_to_its_norm(self) -> TrainingKeys:
        if (self.norm == "sub-batch") != (self.sub_batch is not None):
            raise ValueError("norm: sub-batch needs sub_batch, and no other norm has one")
        return self
