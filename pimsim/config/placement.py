"""Records of the searches for a placement of tiles: ``mapping.annealing`` and ``mapping.amosa``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from pimsim.config.base import Count, Fraction, Index, NotNegative, Positive, Spec
from pimsim.errors import did_you_mean, shown

ORDERS = ("snake", "bands")  #: placements that follow a rule
SEARCHES = ("annealing", "amosa")  #: placements that are searched for, from one of ORDERS

Order = Literal["snake", "bands"]
Objective = Literal["latency", "mean", "spread", "energy", "peak", "temperature"]
Temperature = Annotated[float, Field(ge=0, le=1e18, strict=True)]


def _known(placement: str) -> str:
    if placement not in (*ORDERS, *SEARCHES) and not placement.endswith(".json"):
        close = did_you_mean(placement, (*ORDERS, *SEARCHES))
        raise ValueError(f"{shown(placement)} is no placement{close}; allowed: {', '.join((*ORDERS, *SEARCHES))}, "
                         "or a .json file that was saved")  # fmt: skip
    return placement


PlacementName = Annotated[
    str,
    AfterValidator(_known),
    WithJsonSchema({"anyOf": [{"enum": [*ORDERS, *SEARCHES]}, {"type": "string", "pattern": r"\.json$"}]}),
]
"""One of ORDERS or SEARCHES, or the file of a placement that was saved."""


def _traded(objectives: tuple[Objective, ...]) -> tuple[Objective, ...]:
    if len(set(objectives)) != len(objectives):
        raise ValueError("names one twice")
    if len(objectives) < 2:
        raise ValueError(f"{shown(list(objectives))} are too few: at least two different objectives are needed")
    return objectives


Objectives = Annotated[
    tuple[Objective, ...], AfterValidator(_traded), Field(json_schema_extra={"minItems": 2, "uniqueItems": True})
]


class Weights(Spec):
    """How much each objective counts, relative to its value at the start (see pimsim.mapping.placement.objectives)."""

    latency: NotNegative = 1.0  #: mean time of head flits on an empty network
    mean: NotNegative = 0.0  #: mean time for which links are busy with one image
    spread: NotNegative = 1.0  #: standard deviation of that time over the links
    energy: NotNegative = 1.0  #: energy of all flits of an image
    peak: NotNegative = 4.0  #: time for which the busiest link is busy: no image follows another faster
    temperature: NotNegative = 0.0  #: of the hottest tile, over that of the air; of chips of several tiers

    @model_validator(mode="after")
    def _something_counts(self) -> Weights:
        if not any((self.latency, self.mean, self.spread, self.energy, self.peak, self.temperature)):
            raise ValueError("all weights are 0: nothing is left to search for")
        return self


class Annealing(Weights):
    """Simulated annealing of the weighted mean of objectives, each relative to its value at the start."""

    start: Order = "snake"  #: placement that is packed, and from which the search starts
    moves: Count = 300_000  #: exchanges tried; about 30 us each in a system of 2,688 tiles
    seed: Index = 0  #: of the random numbers
    hot: Temperature = 0.1  #: temperature of the first move, in units of the change that a random move makes
    cold: Temperature = 1e-3  #: that of the last; it falls geometrically
    interval_us: Positive | None = None
    #: with a weight for temperature: time between images (in training, of an iteration) of a run before, over which
    #: the energy of tiles is spread; None: that of the busiest unit, which no run beats

    @model_validator(mode="after")
    def _it_cools(self) -> Annealing:
        if not 0 < self.cold <= self.hot:
            raise ValueError(f"cold is {self.cold:g} and hot {self.hot:g}: it must be 0 < cold <= hot")
        if self.interval_us is not None and not self.temperature:
            raise ValueError("interval_us is for temperature, which has no weight")
        return self


class Amosa(Spec):
    """Archived multi-objective simulated annealing: a set of placements, and which of them is used."""

    objectives: Objectives = ("latency", "spread", "energy")
    #: what is traded against each other
    start: Order = "snake"  #: placement that is packed, and from which the search starts
    climb_moves: Index = 60_000
    #: exchanges by which each placement of the first archive is improved: one for each objective, one for their mean
    moves: Count = 100_000  #: exchanges tried afterwards
    seed: Index = 0  #: of the random numbers
    hard_limit: Count = 100  #: placements left by clustering, and in the result at most
    soft_limit: Count = 200  #: an archive of more than these is clustered
    temperature: Temperature = 1e12
    #: at first.  It multiplies an amount of domination, which is about 1e-10 for one exchange among thousands of tiles
    cooling: Annotated[Fraction, Field(gt=0)] = 0.9  #: by which it is multiplied in each step
    steps: Count = 50  #: of cooling; the moves are divided among them
    point: Literal["knee", "weights"] = "knee"  #: nearest to the best of every objective, or of least weighted mean
    weights: Weights | None = None  #: with point: weights alone; None: each objective counts the same
    interval_us: Positive | None = None  #: as of annealing, with temperature among the objectives

    @model_validator(mode="after")
    def _limits_and_objectives_agree(self) -> Amosa:
        if self.hard_limit > self.soft_limit:
            raise ValueError(f"hard_limit is {self.hard_limit}: it must be at most soft_limit, {self.soft_limit}")
        if self.weights is not None and self.point != "weights":
            raise ValueError("weights belong to point: weights")
        if self.interval_us is not None and "temperature" not in self.objectives:
            raise ValueError("interval_us is for temperature, which is not among the objectives")
        return self
