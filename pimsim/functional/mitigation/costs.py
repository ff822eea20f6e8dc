"""What each method of mitigation takes and has brought in a run, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pimsim.config.mitigation import Mitigation
from pimsim.functional.mitigation.correction import CorrectedMatrix
from pimsim.functional.mitigation.matrices import Composed, Matrix
from pimsim.functional.mitigation.permutation import PermutedMatrix
from pimsim.functional.mitigation.vote import VotedMatrix

HARDWARE = {
    "columns": "a table of addresses at the output register of each column of crossbars",
    "rows": "a table of addresses at each input register",
}


@dataclass(frozen=True)
class MitigatedLayer:
    """A layer as it was executed."""

    name: str
    matrices: Sequence[Matrix]  #: of its groups
    weights: int
    clipped_weights: int
    crossbars: int  #: of one copy


def mitigation_notes(mitigation: Mitigation, layers: Sequence[MitigatedLayer]) -> list[str]:
    """A sentence for each method that is asked for; that it has no effect in this run, where it has none."""
    found = [*_clipping(mitigation, layers), *_permutation(mitigation, layers), *_correction(mitigation, layers),
             *_copies(mitigation, layers)]  # fmt: skip
    return [f"mapping.mitigation.{sentence}" for sentence in found]


def _clipping(mitigation: Mitigation, layers: Sequence[MitigatedLayer]) -> Iterator[str]:
    if mitigation.weight_clip is None:
        return
    clipped, of = sum(layer.clipped_weights for layer in layers), sum(layer.weights for layer in layers)
    if clipped:
        yield (f"weight_clip: {clipped:,} of {of:,} weights are cut off; it takes a comparator and a multiplexer in "
               "the way of every weight that is written")  # fmt: skip
    else:
        yield "weight_clip has no effect in this run: no weight is larger"


def _permutation(mitigation: Mitigation, layers: Sequence[MitigatedLayer]) -> Iterator[str]:
    if mitigation.permutation == "none":
        return
    found = [each.permutation for each in _within(layers) if isinstance(each, PermutedMatrix)]
    before, after = sum(each.damage_before for each in found), sum(each.damage for each in found)
    if before == 0:
        yield f"permutation has no effect in this run: {_nothing_known(bool(found))}"
        return
    if after == before:
        yield "permutation has no effect in this run: no other order suits the stuck cells better"
        return
    kinds = [kind for kind in HARDWARE if mitigation.permutation in (kind, "both")]
    yield (f"permutation: the squared errors of weights on stuck cells fall by {1 - after / before:.1%} in all; it "
           "takes " + " and ".join(HARDWARE[kind] for kind in kinds))  # fmt: skip


def _correction(mitigation: Mitigation, layers: Sequence[MitigatedLayer]) -> Iterator[str]:
    if not mitigation.correction:
        return
    found = [each for each in _within(layers) if isinstance(each, CorrectedMatrix)]
    corrected = sum(each.corrected for each in found)
    if not corrected:
        yield f"correction has no effect in this run: {_nothing_known(bool(found))}"
        return
    yield (f"correction: {corrected:,} weights are off because of cells known to be stuck; it takes a memory of these "
           "differences and as many digital multiply-accumulate operations for a window of each layer")  # fmt: skip


def _copies(mitigation: Mitigation, layers: Sequence[MitigatedLayer]) -> Iterator[str]:
    if mitigation.most_copies == 1:
        return
    voted = {layer.name: [each for each in layer.matrices if isinstance(each, VotedMatrix)] for layer in layers}
    if not any(each.differs for matrices in voted.values() for each in matrices):
        yield "copies has no effect in this run: all copies gave the same results"
    copies = {name: len(matrices[0].parts) if matrices else 1 for name, matrices in voted.items()}
    once, all_of_them = (sum(layer.crossbars * n for layer, n in zip(layers, each, strict=True))
                         for each in ([1] * len(layers), copies.values()))  # fmt: skip
    named = ", ".join(f"{n} of {name}" for name, n in copies.items() if n > 1)
    words = {"median": "and a median of each result",
             "class": "and a median of each result, in the last layer a vote of classes"}  # fmt: skip
    yield (f"copies: {named}; they take {all_of_them:,} crossbars instead of {once:,} for one replica of every layer, "
           f"each read in every window, {words[mitigation.vote]}")  # fmt: skip


def _within(layers: Sequence[MitigatedLayer]) -> Iterator[Matrix]:
    """Every matrix, and what it is made of."""
    waiting = [matrix for layer in layers for matrix in layer.matrices]
    while waiting:
        matrix = waiting.pop()
        yield matrix
        if isinstance(matrix, Composed):
            waiting += matrix.parts


def _nothing_known(faults: bool) -> str:
    return "no weight lies on a stuck cell" if faults else "the device has no cells that are known to be stuck (faults)"
