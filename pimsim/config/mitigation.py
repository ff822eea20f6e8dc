"""The record of what is done against cells that are not as they should be: ``mapping.mitigation``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from pimsim.config.base import Positive, Spec


def _odd(copies: int) -> int:
    if copies % 2 == 0:
        raise ValueError(f"{copies} copies can be of two minds: an odd number")
    return copies


Copies = Annotated[int, Field(ge=1, le=99, strict=True), AfterValidator(_odd)]
Flag = Annotated[bool, Field(strict=True)]


class Mitigation(Spec):
    """What is done, in all layers or in some."""

    layers: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    #: names of the layers for which the keys below hold, layer_copies apart; null: all
    weight_clip: Positive | None = None  #: weights are cut off at this magnitude before they are quantised; null: none
    weight_clip_unit: Literal["deviation", "weight"] = "deviation"
    #: of weight_clip: the standard deviation of the layer's weights, or a weight of 1
    permutation: Literal["none", "columns", "rows", "both"] = "none"
    #: what changes places around cells that are known to be stuck: outputs within a crossbar, inputs among wordlines
    #: that are driven together, or both
    correction: Flag = False  #: whether what cells known to be stuck add to a product is taken off digitally
    copies: Copies = 1  #: of each matrix, in crossbars of their own, that vote
    layer_copies: dict[str, Copies] = Field(default_factory=dict)  #: exceptions by layer
    vote: Literal["median", "class"] = "median"
    #: of copies; class: copies of the last layer decide for a class each, and the majority wins

    @model_validator(mode="after")
    def _keys_agree(self) -> Mitigation:
        if self.weight_clip is None and self.weight_clip_unit != "deviation":
            raise ValueError("weight_clip_unit belongs to weight_clip, which is not given")
        if self.vote == "class" and self.most_copies == 1:
            raise ValueError("vote: class takes copies of the last layer, and there are none")
        if self.layers is not None and len(set(self.layers)) != len(self.layers):
            raise ValueError("layers names one twice")
        return self

    def of_layer(self, name: str) -> Mitigation:
        """What is done in one layer: the same record, in which ``copies`` is this layer's."""
        found = self if self.layers is None or name in self.layers else Mitigation()
        copies = self.layer_copies.get(name, found.copies)
        return found.model_copy(update={"layers": None, "layer_copies": {}, "copies": copies})

    @property
    def named_layers(self) -> tuple[tuple[str, str], ...]:
        """Key and name of each layer that is named."""
        return (*(("layers", name) for name in self.layers or ()),
                *(("layer_copies", name) for name in self.layer_copies))  # fmt: skip

    @property
    def most_copies(self) -> int:
        """Largest number of copies of any layer."""
        return max(self.copies, *self.layer_copies.values(), 1)
