"""Runs a Program in SimPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pimsim.mapping.program import Program
from pimsim.mapping.timing import Standstill, Timing
from pimsim.reference.replica import Replica, build_replica
from pimsim.reference.world import World

PROGRESS_WINDOWS = 256  #: progress is told after so many windows


def run_simpy(
    program: Program, images: int = 1, log: bool = False, progress: Callable[[int, int], None] | None = None
) -> Timing:
    """Simulate ``images`` images, a multiple of the program's batch; ``log`` keeps the times of all windows.

    ``progress(windows done, windows in all)`` is called now and then.  Raises Standstill.
    """
    assert images % program.batch == 0, "training takes whole batches"
    world = World(program, images)
    replicas = [build_replica(world, v, images) for v in range(program.replicas.layer.size)]
    for replica in replicas:
        world.env.process(replica.work())
    total = sum(replica.runs * len(replica.windows) for replica in replicas)
    told = 0
    while world.env.peek() != float("inf"):
        world.env.step()
        if progress and world.log.windows_sent >= told + PROGRESS_WINDOWS:
            told = world.log.windows_sent
            progress(told, total)
    if progress:
        progress(world.log.windows_sent, total)
    if world.log.windows_sent < total or any(replica.waits_for for replica in replicas):
        raise Standstill(_describe(program, replicas, world.env.now))
    return _timing(world, replicas, log)


def _describe(program: Program, replicas: list[Replica], now: int) -> str:
    waiting = [
        f"{program.layers[replica.layer].name} (replica {replica.index} of all) waits for {replica.waits_for}"
        for replica in replicas
        if replica.waits_for
    ]
    return f"standstill after {now} ps: " + "; ".join(waiting)


def _timing(world: World, replicas: list[Replica], log: bool) -> Timing:
    program, record = world.program, world.log
    layer_of_window = np.repeat(program.replicas.layer, np.diff(program.replicas.window_first))
    layers = range(len(program.layers))
    first = [record.window_start[:, layer_of_window == layer].min(axis=1) for layer in layers]
    last = [record.window_sent[:, layer_of_window == layer].max(axis=1) for layer in layers]
    none = record.window_start[:, :0]
    return Timing(
        image_done_ps=record.image_done,
        layer_first_ps=np.stack(first, axis=1),
        layer_last_ps=np.stack(last, axis=1),
        lost_ps=record.lost,
        interval_ps=np.array([replica.pace for replica in replicas], dtype=np.int64),
        work_ps=np.array([replica.pace_of_work for replica in replicas], dtype=np.int64),
        paced_by_bus=np.array([replica.paced_by_bus for replica in replicas], dtype=bool),
        last_start_ps=record.last_start,
        ports=world.counts(),
        window_start_ps=record.window_start if log else none,
        window_sent_ps=record.window_sent if log else none,
        events=world.env.turns,
    )
