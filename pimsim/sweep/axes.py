"""Axes of a sweep: which keys they set, and the values that they take together."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pimsim.errors import InputError, shown

Rule = Literal["grid", "list", "random", "latin_hypercube"]
RULES = ("grid", "list", "random", "latin_hypercube")
SCALES = ("linear", "log")
SAMPLED = ("random", "latin_hypercube")  #: rules that draw their values


@dataclass(frozen=True)
class Range:
    """An interval to draw from.

    Raises:
        InputError: it is empty, or has no logarithm.
    """

    low: float
    high: float  #: included where numbers are whole
    scale: Literal["linear", "log"] = "linear"  #: equal shares of it, or of its logarithm, are equally likely
    whole: bool = False  #: whole numbers only

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise InputError(f"{shown(value)} is no number", key=name)
            if self.whole and value != int(value):
                raise InputError(f"{shown(value)} is no whole number, and whole is true", key=name)
        if self.scale not in SCALES:
            raise InputError(f"{shown(self.scale)} is not allowed", key="scale", allowed=SCALES)
        if not isinstance(self.whole, bool):
            raise InputError(f"{shown(self.whole)} is not allowed", key="whole", allowed="true or false")
        if self.low > self.high:
            raise InputError(f"is empty: from {self.low:g} to {self.high:g}", key="low")
        if self.scale == "log" and self.low <= 0:
            raise InputError(f"{self.low:g} has no logarithm", key="low", allowed="a number above 0")

    def at(self, share: float) -> int | float:
        """The value below which ``share`` of the range lies; 0 <= share < 1."""
        low, high = self.low, self.high + self.whole  # a whole number has the interval above it
        value = low + share * (high - low) if self.scale == "linear" else low * (high / low) ** share
        return min(math.floor(value), int(self.high)) if self.whole else float(value)


@dataclass(frozen=True)
class Axis:
    """Keys that are set together, and how their value is chosen.

    ``grid``: every value with every value of the other axes.  ``list``: with the values at the same place in the other
    lists.  ``random`` and ``latin_hypercube``: drawn, all such axes together ``Sweep.samples`` times; of the latter
    each of as many equal parts of the range is drawn from once.

    Raises:
        InputError: there are no keys or no values, or a range where values are listed.
    """

    keys: tuple[str, ...]
    #: of the system with dots, such as ``chip.tile.imas``; of the device after ``device.``; or one of
    #: ``pimsim.sweep.spec.RUN_KEYS``
    rule: Rule
    values: tuple[Any, ...] | Range

    def __post_init__(self) -> None:
        if not self.keys:
            raise InputError("sets no key", key="keys")
        if self.rule not in RULES:
            raise InputError(f"{shown(self.rule)} is not allowed", key="rule", allowed=RULES)
        if isinstance(self.values, Range):
            if self.rule not in SAMPLED:
                raise InputError("is a range, from which nothing is drawn", key=self.rule,
                                 allowed="a list of values, or a range in random or latin_hypercube")  # fmt: skip
        elif not self.values:
            raise InputError("is empty", key=self.rule, allowed="at least one value")

    @property
    def first(self) -> Any:
        """A value of the axis, for checks."""
        return self.values.low if isinstance(self.values, Range) else self.values[0]

    def at(self, share: float) -> Any:
        """The value below which ``share`` of the axis lies; 0 <= share < 1."""
        return self.values.at(share) if isinstance(self.values, Range) else self.values[int(share * len(self.values))]


def grid(keys: str | Sequence[str], values: Sequence[Any]) -> Axis:
    """An axis whose values meet every value of the others."""
    return _axis(keys, "grid", values)


def listed(keys: str | Sequence[str], values: Sequence[Any]) -> Axis:
    """An axis whose values go with those at the same place in the other lists."""
    return _axis(keys, "list", values)


def random(keys: str | Sequence[str], values: Sequence[Any] | Range) -> Axis:
    """An axis whose values are drawn independently."""
    return _axis(keys, "random", values)


def latin_hypercube(keys: str | Sequence[str], values: Sequence[Any] | Range) -> Axis:
    """An axis whose values are drawn so that they cover it evenly."""
    return _axis(keys, "latin_hypercube", values)


def _axis(keys: str | Sequence[str], rule: Rule, values: Sequence[Any] | Range) -> Axis:
    kept = values if isinstance(values, Range) else tuple(map(plain, values))
    return Axis((keys,) if isinstance(keys, str) else tuple(keys), rule, kept)


def plain(value: Any) -> Any:
    """A number of numpy's as Python's own; anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def combinations(axes: Mapping[str, Axis], samples: int, seed: int) -> Iterator[dict[str, Any]]:
    """All combinations of values by the name of their axis, in an order that depends on the arguments alone."""
    by_rule = {rule: {name: axis for name, axis in axes.items() if axis.rule == rule} for rule in RULES}
    grids, lists = by_rule["grid"], by_rule["list"]
    drawn = {name: axis for name, axis in axes.items() if axis.rule in SAMPLED}
    parts: list[list[dict[str, Any]]] = [
        [dict(zip(grids, values, strict=True)) for values in itertools.product(*(_values(a) for a in grids.values()))]
    ]
    if lists:
        parts.append([dict(zip(lists, row, strict=True)) for row in zip(*map(_values, lists.values()), strict=True)])
    if drawn:
        columns = [_draw(name, axis, samples, seed) for name, axis in drawn.items()]
        parts.append([dict(zip(drawn, row, strict=True)) for row in zip(*columns, strict=True)])
    for chosen in itertools.product(*parts):
        together = {name: value for part in chosen for name, value in part.items()}
        yield {name: together[name] for name in axes}


def combinations_count(axes: Mapping[str, Axis], samples: int) -> int:
    """How many :func:`combinations` there are, before conditions."""
    count = math.prod(len(_values(axis)) for axis in axes.values() if axis.rule == "grid")
    lists = [len(_values(axis)) for axis in axes.values() if axis.rule == "list"]
    drawn = any(axis.rule in SAMPLED for axis in axes.values())
    return count * (lists[0] if lists else 1) * (samples if drawn else 1)


def _values(axis: Axis) -> tuple[Any, ...]:
    assert not isinstance(axis.values, Range)
    return axis.values


def _draw(name: str, axis: Axis, samples: int, seed: int) -> list[Any]:
    """``samples`` values; each axis has a stream of its own, so that another axis more does not change it."""
    stream = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    generator = np.random.default_rng([seed, stream])
    shares = generator.random(samples)
    if axis.rule == "latin_hypercube":  # McKay, Beckman, Conover: Technometrics 21(2), 1979
        shares = (generator.permutation(samples) + shares) / samples
    return [axis.at(min(share, 1 - 2**-53)) for share in shares.tolist()]
