"""Allocators of a router: who of those that ask is matched to what (as in BookSim 2's ``allocators``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from pimsim.config.network import Allocator as Kind

Requests = Mapping[tuple[int, int], int]  #: (input, output) -> priority


class Allocator(Protocol):
    """Matches inputs to outputs, each at most once; remembers pointers from one cycle to the next."""

    def allocate(self, requests: Requests) -> dict[int, int]:
        """Input -> output of the match; no pointer moves where there are no requests."""


def build_allocator(kind: Kind, inputs: int, outputs: int, iterations: int) -> Allocator:
    """An allocator with all its pointers at 0; ``iterations`` is iSLIP's alone."""
    if kind == "islip":
        return Islip(inputs, outputs, iterations)
    return Separable(inputs, outputs, input_first=kind == "separable_input_first")


def first_from(pointer: int, size: int, candidates: Iterable[int]) -> int:
    """Round robin: the first of the candidates, all below ``size``, from the pointer on."""
    return min(candidates, key=lambda candidate: (candidate - pointer) % size)


class Islip:
    """iSLIP (McKeown 1999): outputs grant, inputs accept, and only what is accepted moves the pointers."""

    def __init__(self, inputs: int, outputs: int, iterations: int) -> None:
        self.grant_pointer = [0] * outputs
        self.accept_pointer = [0] * inputs
        self.iterations = iterations

    def allocate(self, requests: Requests) -> dict[int, int]:
        """Priorities are ignored."""
        match: dict[int, int] = {}
        for iteration in range(self.iterations):
            matched_outputs = set(match.values())
            asking: dict[int, list[int]] = {}
            for source, output in requests:
                if source not in match and output not in matched_outputs:
                    asking.setdefault(output, []).append(source)
            accepted = self._accept(self._grant(asking))
            match.update(accepted)
            if iteration == 0:
                self._move(accepted)
        return match

    def _grant(self, asking: Mapping[int, list[int]]) -> dict[int, list[int]]:
        """Input -> outputs that grant to it."""
        granting: dict[int, list[int]] = {}
        for output, inputs in asking.items():
            chosen = first_from(self.grant_pointer[output], len(self.accept_pointer), inputs)
            granting.setdefault(chosen, []).append(output)
        return granting

    def _accept(self, granting: Mapping[int, list[int]]) -> dict[int, int]:
        size = len(self.grant_pointer)
        return {source: first_from(self.accept_pointer[source], size, outputs) for source, outputs in granting.items()}

    def _move(self, accepted: Mapping[int, int]) -> None:
        for source, output in accepted.items():
            self.grant_pointer[output] = (source + 1) % len(self.accept_pointer)
            self.accept_pointer[source] = (output + 1) % len(self.grant_pointer)


class Separable:
    """Two ranks of round-robin arbiters with priorities, one at the inputs and one at the outputs."""

    def __init__(self, inputs: int, outputs: int, input_first: bool) -> None:
        self.input_pointer = [0] * inputs
        self.output_pointer = [0] * outputs
        self.input_first = input_first

    def allocate(self, requests: Requests) -> dict[int, int]:
        """The arbiters of the first side choose among their requests, those of the second among what was chosen."""
        if self.input_first:
            match = _arbitrate(requests, self.input_pointer, self.output_pointer)
        else:
            turned = {(output, source): priority for (source, output), priority in requests.items()}
            chosen = _arbitrate(turned, self.output_pointer, self.input_pointer)
            match = {source: output for output, source in chosen.items()}
        for source, output in match.items():
            self.input_pointer[source] = (output + 1) % len(self.output_pointer)
            self.output_pointer[output] = (source + 1) % len(self.input_pointer)
        return match


def _arbitrate(requests: Requests, first_pointer: list[int], second_pointer: list[int]) -> dict[int, int]:
    """(first, second) -> priority; each first picks a second, each second one of the firsts that picked it."""
    asked: dict[int, dict[int, int]] = {}
    for (first, second), priority in requests.items():
        asked.setdefault(first, {})[second] = priority
    picked: dict[int, dict[int, int]] = {}
    for first, priorities in asked.items():
        second = _best(first_pointer[first], len(second_pointer), priorities)
        picked.setdefault(second, {})[first] = priorities[second]
    return {
        _best(second_pointer[second], len(first_pointer), priorities): second for second, priorities in picked.items()
    }


def _best(pointer: int, size: int, priorities: Mapping[int, int]) -> int:
    """Highest priority, then round robin."""
    highest = max(priorities.values())
    return first_from(pointer, size, (key for key, priority in priorities.items() if priority == highest))
