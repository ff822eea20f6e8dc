"""Slow and obvious twins of the compiled models.

:func:`run_simpy` is the timing model in SimPy: one process for each thing that happens (a replica at
work, a window in a slice, a branch of a packet).  It shares no timing code with ``pimsim.arch``; the
tests hold the two equal to the last picosecond.
"""

from pimsim.reference.run import run_simpy

__all__ = ["run_simpy"]
