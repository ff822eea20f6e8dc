"""Routing: at which output port a packet leaves each router, and on which virtual channels.  Tables, no time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CLASS_SHIFT = 8  #: an entry of ``Routing.next`` is ``port | class << CLASS_SHIFT``


@dataclass(frozen=True)
class Routing:
    """Routing tables of a topology with R routers.

    A packet carries a class, 0 when it is injected.  At router r, bound for a terminal of router t != r, a packet
    of class c takes output port ``next[c, r, t] & 255``, in class ``next[c, r, t] >> 8``, on any virtual channel in
    the mask ``class_vcs[that class]``.  (Classes are what a torus needs to cross its dateline, and up*/down* to
    remember that it has gone down.)  At router t it goes to the terminal's port, on any virtual channel.

    Adaptive: a packet of class 0 may take any port in the bit mask ``adaptive[r, t]``, and stays in class 0; or the
    escape hop ``next[0, r, t]``, which leads to another class, from which no packet comes back.
    """

    name: str
    next: np.ndarray  #: (classes, R, R) int32; -1 where no packet of the class can be
    class_vcs: np.ndarray  #: (classes,) int64, bit v: virtual channel v
    adaptive: np.ndarray | None = None  #: (R, R) int64 bit masks of ports, or None
