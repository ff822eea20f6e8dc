"""Which element-wise operations can run where their input is produced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from pimsim.workload.operations.registry import TABLE
from pimsim.workload.records import Operation, Workload

FARTHEST = 64  #: operations looked at from one tensor on


def fusable(
    workload: Workload, tensor: str, consumers: Mapping[str, Sequence[int]], alone: Set[str] = frozenset()
) -> list[int]:
    """Indices of element-wise operations that start at ``tensor`` and come together again in one result.

    x * sigmoid(x) is two operations that both read x; nobody outside sees x or sigmoid(x), so that both
    belong to x's producer.  A chain of activations is the simple case.  Types in ``alone`` join nobody.
    """
    inside, best = {tensor}, 0
    taken: list[int] = []
    last = len(workload.operations)
    candidates = sorted(set(consumers[tensor]))
    while candidates and len(taken) < FARTHEST:
        index = candidates.pop(0)
        if index == last or workload.operations[index].type in alone:
            continue
        if not _eligible(workload, workload.operations[index], inside, tensor):
            continue
        output = workload.operations[index].outputs[0]
        taken.append(index)
        inside.add(output)
        candidates = sorted(set(candidates) | set(consumers[output]))
        exits = [name for name in inside if any(at not in taken for at in consumers[name])]
        if len(exits) == 1 and exits[0] != tensor:
            best = len(taken)
    return taken[:best]


def _eligible(workload: Workload, operation: Operation, inside: set[str], tensor: str) -> bool:
    if not TABLE[operation.type].elementwise or len(operation.outputs) != 1:
        return False
    if workload.shape(operation.outputs[0]) != workload.shape(tensor):
        return False
    varying = [name for name in operation.inputs if name and not workload.tensors[name].constant]
    return all(name in inside for name in varying)
