"""SimPy's environment with a stated order for what happens at one time.

SimPy orders the events of one time by priority, then by age.  Here whatever acts on something shared
first takes its *turn*: a timeout whose priority is a static id, kind by kind and within a kind by index.
Wake-ups, releases and new processes keep SimPy's own, smaller priorities: at any time they all come
before the next turn.
"""

from __future__ import annotations

from enum import IntEnum

import simpy
from simpy.events import NORMAL

from pimsim.mapping.program import Program


class Kind(IntEnum):
    """Kinds of turns, in the order in which they are taken; each is numbered within by the thing in brackets."""

    FREE = 0  #: places of a replica's buffers become free [replica]
    ISSUE = 1  #: a replica issues its next window [replica]
    OUTPUT = 2  #: results leave the IMAs of a slice [slice]
    MERGE = 3  #: results of a slice are complete in its tile [slice]
    ACTIVATE = 4  #: a window's sums are complete at the home tile, or it ends in its kernel [replica]
    HOP = 5  #: a packet asks for a link [edge]
    DELIVER = 6  #: a packet is complete at a tile [leaf]
    ARRIVED = 7  #: its values can be read there [leaf]
    CYCLE = 8  #: a cycle of a network of routers [chip]


class Turn(simpy.Event):
    """Happens at time ``at`` [ps]; of those of one time, in the order of (kind, index)."""

    def __init__(self, env: Turns, kind: Kind, index: int, at: int) -> None:
        super().__init__(env)
        if at < env.now:
            raise ValueError(f"a turn at {at} ps was asked for at {env.now} ps")
        self._ok = True  # as simpy.Timeout does it: scheduled when made, never triggered by anybody
        self._value = None
        env.schedule(self, env.rank(kind, index), at - env.now)  # type: ignore[arg-type]


class Turns(simpy.Environment):
    """An environment in which processes take turns; time in whole picoseconds."""

    def __init__(self, program: Program) -> None:
        super().__init__(0)
        things = (program.replicas.layer, program.slices.replica, program.trees.link, program.leaves.tree)
        self._span = 1 + max(array.size for array in things)
        self.turns = 0  #: turns asked for so far

    def rank(self, kind: Kind, index: int) -> int:
        """The static id as a SimPy priority, behind those that SimPy uses itself."""
        return int(NORMAL) + 1 + kind * self._span + index

    def turn(self, kind: Kind, index: int, at: int) -> Turn:
        """To be yielded by a process: continue at time ``at`` when it is this one's turn."""
        self.turns += 1
        return Turn(self, kind, index, at)
