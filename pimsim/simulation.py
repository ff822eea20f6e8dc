"""The composition root: network and system in, Result out.  The only file that knows everything below it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import pimsim.engine  # noqa: F401  (first: it says where compiled code is kept)
from pimsim.arch.run import run_compiled
from pimsim.arch.steady import LEAST_ITERATIONS, extrapolate
from pimsim.config import System, load_system, naming_keys
from pimsim.device.endurance import endurance_at
from pimsim.errors import InputError, shown
from pimsim.mapping.compile import map_network
from pimsim.mapping.program import Program
from pimsim.mapping.rooms import MEMORY
from pimsim.mapping.timing import Standstill, Timing
from pimsim.results import Result, build_result, with_endurance, with_ideal_network
from pimsim.results.assembly import workload_hash
from pimsim.results.ideal_network import on_ideal_network
from pimsim.results.trace import TraceFile
from pimsim.results.training_record import MoreIterations
from pimsim.workload import Dataflow, Workload, load_workload, lower
from pimsim.workload.training import Training, training_dataflow

__all__ = ["Progress", "Standstill", "map_workload", "simulate"]

Progress = Callable[[int, int], None]  #: (done, in all)

NETWORKS = ("packet", "flit", "ideal")
ENGINES = ("compiled", "simpy")
MODES = ("infer", "train")
MOST_CHIPS = 16  #: for which training is expanded, if their number is free
MOST_IMAGES = 10**9


def simulate(
    workload: str | Path | Workload | Dataflow,
    system: str | Path | System,
    *,
    mode: Literal["infer", "train"] = "infer",
    batch: int = 1,
    iterations: int = 1,
    exact: bool = False,
    noc: Literal["packet", "flit", "ideal"] = "packet",
    engine: Literal["compiled", "simpy"] = "compiled",
    overrides: Sequence[str] = (),
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    progress: Progress | None = None,
    placing: Progress | None = None,
    trace: TraceFile | None = None,
    endurance: float | tuple[float, float] | None = None,
    compare_ideal: bool = False,
) -> Result:
    """Run a network on a system of chips.

    >>> import pimsim
    >>> pimsim.simulate("lenet5", "isaac-ce").usage.chips_used
    1

    Args:
        workload: a shipped name, a YAML or ONNX file, or what :func:`pimsim.workload.load_workload` returns.
        system: a shipped name, a YAML file, or what :func:`pimsim.config.load_system` returns.
        mode: ``infer``, or ``train``: forward, backward, gradients of the weights, and their update.
        batch: images that stream through; throughput is measured once enough of them follow each other.  In training,
            images between two updates of the weights.
        iterations: of training: batches, each followed by an update.  Of more than three, three are simulated where
            these are alike, and the result of all is extrapolated (``result.training.more``, with its error).
        exact: all iterations are simulated.
        noc: ``packet``: links are shared; ``flit``: routers with virtual channels and credits, cycle by cycle;
            ``ideal``: only the distance counts.
        engine: ``simpy`` is the reference: the same model, hundreds of times slower.
        overrides: ``KEY=VALUE`` with dotted keys, for a system given by name or file.
        input_shapes: shape by input name, for a workload given by name or file.
        progress: called now and then with windows done and windows in all.
        placing: called now and then with moves done and moves in all of a search for a placement.
        trace: an open :class:`pimsim.results.trace.TraceFile`.
        endurance: writes that a cell bears, or of the median cell with the standard deviation of log10 over the
            cells; None: both ends of the range of ReRAM.
        compare_ideal: a second run of the same Program on an ideal network (``result.times_on_ideal``).

    Raises:
        InputError: something given is wrong, or the network does not fit the system.
        Standstill: nothing can move any more though work is left.
        OverflowError: the run is too long for the simulator's clock.
    """
    check_batch(batch)
    check_iterations(mode, batch, iterations, exact)
    if engine not in ENGINES:
        raise InputError(f"there is no engine {engine!r}", allowed=ENGINES)
    network = workload if isinstance(workload, Workload | Dataflow) else load_workload(workload, input_shapes)
    lowered = network if isinstance(network, Dataflow) else lower(network)
    program = map_workload(
        network if mode == "train" else lowered, system, mode=mode, batch=batch, noc=noc, overrides=overrides,
        placing=placing,
    )  # fmt: skip
    writes, decades = endurance if isinstance(endurance, tuple) else (endurance, 0.0)
    if writes is not None:
        endurance_at(writes, decades, 0.5)  # an error before the run
    few = iterations if exact or trace is not None else min(iterations, LEAST_ITERATIONS)
    timing = _run(program, batch * few, engine, progress, trace)
    steady = extrapolate(timing.image_done_ps, iterations) if few < iterations else None
    if few < iterations and steady is None:
        few, timing = iterations, _run(program, batch * iterations, engine, progress, trace)
    more = None
    if steady is not None:
        more = MoreIterations(few, steady.done_ps_of_last, steady.interval_ps, steady.error_ps)
    result = build_result(program, timing, batch * iterations, engine, network_hash=workload_hash(lowered), more=more)
    if compare_ideal:
        ideal = on_ideal_network(program)
        result = with_ideal_network(result, ideal, _run(ideal, batch * few, engine, progress, None))
    return result if writes is None else with_endurance(result, writes, "given", decades)


def map_workload(
    workload: str | Path | Workload | Dataflow,
    system: str | Path | System,
    *,
    mode: Literal["infer", "train"] = "infer",
    batch: int = 1,
    noc: str = "packet",
    overrides: Sequence[str] = (),
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    placing: Progress | None = None,
) -> Program:
    """Lay a network onto a system without running it; arguments and errors as :func:`simulate`."""
    if noc not in NETWORKS:
        raise InputError(f"there is no network {noc!r}", allowed=NETWORKS)
    if mode == "train":
        if isinstance(workload, Dataflow):
            raise InputError("a Dataflow is of inference or of training already; training needs the workload")
        network = workload if isinstance(workload, Workload) else load_workload(workload, input_shapes)
        described = _system(system, overrides)
        with naming_keys(system, overrides):
            return _map_training(network, described, batch, noc, placing)
    dataflow, described = _dataflow(workload, input_shapes), _system(system, overrides)
    with naming_keys(system, overrides):
        return map_network(dataflow, described, noc, placing)


def _map_training(network: Workload, system: System, batch: int, noc: str, placing: Progress | None) -> Program:
    """What is shared among GPU cores depends on their number, and that on the chips that the network takes."""
    chips = 1 if system.chips == "auto" else system.chips
    while True:
        dataflow = training_dataflow(network, training_options(system, batch, chips))
        try:
            program = map_network(dataflow, system, noc, placing)
        except InputError as error:  # parts of weights that are too large for a core: more cores make smaller ones
            if error.key != MEMORY or system.chips != "auto" or chips >= MOST_CHIPS:
                raise
            chips *= 2
            continue
        if program.chips <= chips:
            return program
        chips = program.chips


def training_options(system: System, batch: int, chips: int = 1) -> Training:
    """What the expansion of a network needs to know of a system of so many chips, for batches of so many images."""
    keys, cores, array = system.training, system.chip.gpu_cores * chips, system.chip.tile.ima.crossbar
    if keys.transposed == "array" and array.rows != array.columns:
        what = f"crossbars of {array.rows} rows and {array.columns} columns cannot be read from both sides"
        raise InputError(what, key="training.transposed", allowed="copy, or as many rows as columns")
    if keys.weight_gradient == "outer" and not system.chip.reram_tiles:
        what = "outer products are made in crossbars, and the chip has none"
        raise InputError(what, key="training.weight_gradient", allowed="gpu, or null")
    return Training(
        batch=batch, rows=array.rows, cores=cores, norm=keys.norm, sub_batch=keys.sub_batch,
        weight_gradient=keys.weight_gradient or ("gpu" if cores else "outer"),
        transposed=keys.transposed if system.chip.reram_tiles else "memory",
        gradient_images=_divisor(batch, keys.gradient_images) if system.chip.reram_tiles else 1,
    )  # fmt: skip


def _divisor(number: int, most: int) -> int:
    """The largest divisor of ``number`` up to ``most``."""
    return next(each for each in range(min(number, most), 0, -1) if number % each == 0)


def check_batch(batch: int) -> None:
    """Raises InputError for a batch that is no whole number from 1 to MOST_IMAGES."""
    if isinstance(batch, bool) or not isinstance(batch, int) or not 1 <= batch <= MOST_IMAGES:
        what = f"a batch of {shown(batch)} images cannot run"
        raise InputError(what, key="batch", allowed=f"a whole number from 1 to {MOST_IMAGES:,}")


def check_iterations(mode: str, batch: int, iterations: int, exact: bool = False) -> None:
    """Raises InputError for a mode that is unknown, and for iterations that cannot run."""
    if mode not in MODES:
        raise InputError(f"there is no mode {mode!r}", key="mode", allowed=MODES)
    most = MOST_IMAGES // batch
    if isinstance(iterations, bool) or not isinstance(iterations, int) or not 1 <= iterations <= most:
        what = f"{shown(iterations)} iterations cannot run"
        raise InputError(what, key="iterations", allowed=f"a whole number from 1 to {most:,}")
    if mode == "infer" and iterations > 1:
        raise InputError("are of training; inference has images alone", key="iterations", allowed="mode train, or 1")
    if mode == "infer" and exact:
        raise InputError("is of training, of which iterations may be extrapolated", key="exact", allowed="mode train")


def _dataflow(
    workload: str | Path | Workload | Dataflow, input_shapes: Mapping[str, Sequence[int]] | None
) -> Dataflow:
    if isinstance(workload, Dataflow):
        return workload
    return lower(workload if isinstance(workload, Workload) else load_workload(workload, input_shapes))


def _system(system: str | Path | System, overrides: Sequence[str]) -> System:
    if isinstance(system, System):
        if overrides:
            raise InputError("overrides change a system given by name or file, not one already loaded", key="overrides")
        return system
    return load_system(system, overrides)


def _run(
    program: Program, batch: int, engine: str, progress: Progress | None, trace: TraceFile | None
) -> Timing:
    if engine == "simpy":
        if trace is not None:
            raise InputError("the SimPy engine writes no trace", key="trace", allowed="the compiled engine")
        from pimsim.reference import run_simpy  # SimPy is only needed here

        return run_simpy(program, batch, progress=progress)
    if trace is None:
        return run_compiled(program, batch, progress=progress)
    return run_compiled(program, batch, progress=progress, trace=trace.begin(program))
