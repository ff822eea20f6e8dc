"""`pimsim baseline`: what chips are compared with."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from pimsim.cli.options import JSON, check_name, read_shape
from pimsim.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from rich.console import RenderableType

_INPUT = click.option("--input", "inputs", multiple=True, metavar="NAME=1,3,224,224", help="Shape of an input, where "
                      "the network leaves it open or another is wanted.")  # fmt: skip
_BATCH = click.option("--batch", type=click.IntRange(1, 10**6), default=1, show_default=True,
                      help="Inputs that go through together.")  # fmt: skip


@click.group()
def baseline() -> None:
    """Look at GPUs and other accelerators to compare with, or measure the processor at hand."""


@baseline.command("list")
@JSON
def list_baselines(as_json: bool) -> None:
    """List GPU presets, measured files and published figures of other accelerators."""
    from pimsim.baselines import accelerators, load_measured, measured_files, presets
    from pimsim.report.baselines import describe_all, list_tables
    from pimsim.report.terminal import terminal

    measured = {name: load_measured(path) for name, path in measured_files().items()}
    document = describe_all(presets(), measured, accelerators())
    _print(document, None if as_json else list_tables(document, terminal().width))


@baseline.command()
@click.argument("name", metavar="NAME|FILE.json")
@click.option("--workload", metavar="WORKLOAD", help="Say how long a network takes on the preset's roofline.")
@_BATCH
@click.option("--precision", type=click.Choice(["fp32", "tf32", "fp16", "int8"]), default="fp32", show_default=True,
              help="Of the roofline.")  # fmt: skip
@click.option("--unfused", is_flag=True, help="Activations and BatchNorm in kernels of their own.")
@click.option("--calibrate", "measured", metavar="FILE.json", help="Fit the preset's efficiencies to a measured file "
              "of the network.")  # fmt: skip
@_INPUT
@JSON
@click.pass_context
def show(context: click.Context, name: str, workload: str | None, measured: str | None, inputs: tuple[str, ...],
         as_json: bool, **run: Any) -> None:  # fmt: skip
    """Show NAME: a preset with its sources, a measured file, or what a paper says of its accelerator."""
    if workload is None:
        _refuse_without_network(context)
    from pimsim import baselines
    from pimsim.report import baselines as report

    name = baselines.preset_name(name)
    if name in baselines.presets():
        return _show_preset(name, workload, measured, dict(map(read_shape, inputs)), as_json, **run)
    if workload or measured or inputs:
        raise InputError(f"{name} is no preset; --workload, --calibrate and --input go with one",
                         allowed=baselines.presets())  # fmt: skip
    document: dict[str, Any]
    if name in baselines.accelerators():
        document = report.describe_accelerator(name, baselines.load_accelerator(name))
        shown: RenderableType = report.accelerator_table(document)
    else:
        names = [*baselines.presets(), *baselines.measured_files(), *baselines.accelerators()]
        if name not in names and not name.lower().endswith(".json"):
            raise InputError(f"no baseline is called '{name}'{did_you_mean(name, names)}",
                             allowed=[*names, "a .json file"])  # fmt: skip
        document = report.describe_measured(Path(name).stem, baselines.load_measured(name))
        shown = report.measured_tables(document)
    _print(document, None if as_json else shown)


def _refuse_without_network(context: click.Context) -> None:
    """Raises InputError for what says how a network runs, where none is named: nothing would come of it."""
    for key in ("batch", "precision", "unfused", "inputs"):
        if context.get_parameter_source(key) is ParameterSource.COMMANDLINE:
            option = "input" if key == "inputs" else key
            raise InputError("says how a network runs, and none is named", key=f"--{option}",
                             allowed="--workload beside it")  # fmt: skip


def _show_preset(name: str, workload: str | None, measured: str | None, shapes: dict[str, tuple[int, ...]],
                 as_json: bool, *, batch: int, precision: str, unfused: bool) -> None:  # fmt: skip
    from pimsim import baselines
    from pimsim.report import baselines as report
    from pimsim.report.terminal import terminal

    document = report.describe_preset(name, baselines.load_preset(name))
    parts: list[RenderableType] = [report.preset_tables(document)]
    if measured and not workload:
        raise InputError("needs the network that was measured", key="--calibrate", allowed="--workload beside it")
    if workload:
        from pimsim.costmodels.roofline import roofline

        network, device = baselines.load_network(workload, shapes), baselines.preset_device(name)
        if measured:
            facts = baselines.load_measured(measured)
            if facts.device.kind != "cuda":
                raise InputError(f"was measured on {facts.device.name}, which is no GPU", file=measured,
                                 key="--calibrate", allowed="a file measured with --device cuda")  # fmt: skip
            calibration = baselines.calibrate(facts, network, device)
            document["calibration"] = report.describe_calibration(calibration)
            parts.append(report.calibration_table(document["calibration"]))
            device, unfused = calibration.device, unfused or not calibration.fused
        cost = roofline(network, device, batch=batch, precision=precision, fused=not unfused)
        document["roofline"] = report.describe_roofline(cost, device)
        parts.append(report.roofline_tables(document["roofline"], terminal().width))
    from rich.console import Group

    _print(document, None if as_json else Group(*parts))


@baseline.command()
@click.argument("model", metavar="MODEL.onnx|WORKLOAD")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), required=True, help="What to run it on.")
@_BATCH
@click.option("--seconds", type=click.FloatRange(0.01, 3600), default=5.0, show_default=True,
              help="Time to spend on repeats, of which there are 10 to 1000.")  # fmt: skip
@click.option("--runtime", type=click.Choice(["auto", "onnxruntime", "torch"]), default="auto", show_default=True,
              help="auto: onnxruntime on a CPU, PyTorch on CUDA.")  # fmt: skip
@click.option("--precision", type=click.Choice(["fp32", "tf32", "fp16"]), default="fp32", show_default=True,
              help="Other than fp32: on CUDA, with PyTorch.")  # fmt: skip
@_INPUT
@click.option("--out", metavar="FILE", help="Write the measured file there.")
@JSON
def measure(model: str, device: str, inputs: tuple[str, ...], out: str | None, as_json: bool, **run: Any) -> None:
    """Time MODEL.onnx on the processor at hand; a network without weights (vgg16, bert-base) gets random ones."""
    check_name("--out", out, "file")
    if out is not None and not os.access(Path(out).absolute().parent, os.W_OK):  # known before minutes are spent
        raise InputError("is no folder that can be written", file=Path(out).absolute().parent, key="--out")
    from pimsim.baselines import write_measured
    from pimsim.baselines.measure import measure as measure_network
    from pimsim.report.baselines import describe_measured, measured_tables
    from pimsim.report.progress import ProgressBar

    with ExitStack() as stack:
        bar = stack.enter_context(ProgressBar(not as_json))
        found = measure_network(model, device, input_shapes=dict(map(read_shape, inputs)),
                                progress=bar.counting("measuring"), **run)  # fmt: skip
    if out is not None:
        write_measured(found, out)
    document = describe_measured(found.file_name.removesuffix(".json"), found)
    _print(document, None if as_json else measured_tables(document))
    if out is not None and not as_json:
        click.echo(f"Written to {out}")


def _print(document: dict[str, Any], words: RenderableType | None) -> None:
    """On the terminal; without words as JSON."""
    if words is None:
        click.echo(json.dumps(document, indent=1, allow_nan=False))
        return
    from pimsim.report.terminal import terminal

    terminal().print(words)
