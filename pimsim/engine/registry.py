"""Event handlers, and the loop that is generated to dispatch to them.

A handler is a compiled function ``handler(M, T, at, H, now, x)``: arena, layout, queue, time [ps] and
the index of the component it concerns.  :func:`event` registers it under a name; ``begin_NAME``
and ``end_NAME`` in the layout give the range of static ids that belong to it, so the order of the
ranges is the order in which simultaneous events are handled.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from pimsim.engine.compiling import inlined

_handlers: dict[str, tuple[str, str]] = {}  #: event name -> (module, function)

behaviour = inlined
"""Decorator of a function that the loop inlines."""


def event(name: str) -> Callable[[Callable[..., Any]], Any]:
    """Register a handler for the event called ``name``; a later registration replaces an earlier one."""

    def register(function: Callable[..., Any]) -> Any:
        _handlers[name] = (function.__module__, function.__name__)
        return behaviour(function)

    return register


def load_component(path: Path) -> dict[str, tuple[str, str]]:
    """Import a user's component file: the handlers that it registers, which replace those of the same events.

    They count for the loops that are given them, not for others.
    """
    name = f"pimsim_component_{path.stem}"
    before = dict(_handlers)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
        return {event: handler for event, handler in _handlers.items() if before.get(event) != handler}
    finally:
        _handlers.clear()
        _handlers.update(before)


_TEMPLATE = '''"""Event loop, generated from the registered handlers: edits here are lost."""

from pimsim.engine.compiling import compiled, inlined
from pimsim.engine.queue import BUCKET, ROOM, TOTAL, WIDTH_BITS, pop_key
from pimsim.engine.words import words
{imports}

EMPTY, BUDGET, REBASE, PAUSE, GROW = range(5)


@compiled
def run(M, T, at, H, base, budget):
    """Handle events until none is left, ``budget`` are done, or the loop must be left.

    Returns (reason, events handled, time of the last one)."""
    return _run(words(M), words(T), at, words(H), base, budget)


@inlined
def _run(M, T, at, H, base, budget):
    mask = (1 << at.id_bits) - 1
    shift = at.id_bits + WIDTH_BITS
    horizon = 1 << (61 - shift)
    handled = 0
    now = base
    M[at.base] = base
    while H[TOTAL] > 0:
        if handled >= budget:
            return BUDGET, handled, now
        if M[at.pause] != 0:
            return PAUSE, handled, now
        if H[TOTAL] + at.margin > H[ROOM]:
            return GROW, handled, now
        if H[BUCKET] > horizon:
            return REBASE, handled, now
        key = pop_key(H, shift)
        now = (key >> at.id_bits) + base
        x = key & mask
        handled += 1
{dispatch}
    return EMPTY, handled, now
'''


def generate_loop(
    order: Sequence[str], folder: Path, components: dict[str, tuple[str, str]] | None = None
) -> ModuleType:
    """Write and import the loop that handles the events named in ``order``; ``components`` replace handlers.

    The module lives in the cache folder, so that numba finds its compiled form again.
    """
    handlers = {**_handlers, **(components or {})}
    missing = [name for name in order if name not in handlers]
    if missing:
        raise LookupError(f"no handler is registered for {', '.join(missing)}")
    imports = "\n".join(f"from {handlers[name][0]} import {handlers[name][1]} as handle_{name}" for name in order)
    dispatch = "\n".join(
        f"        {'if' if i == 0 else 'elif'} x < at.end_{name}:\n"
        f"            handle_{name}(M, T, at, H, now, x - at.begin_{name})"
        for i, name in enumerate(order)
    )
    text = _TEMPLATE.format(imports=imports, dispatch=dispatch)
    name = f"pimsim_loop_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    path = folder / f"{name}.py"
    if not path.exists() or path.read_text() != text:
        aside = path.with_suffix(f".{os.getpid()}.tmp")
        aside.write_text(text)
        aside.replace(path)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
