"""`pimsim infer`: a network executed on data."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import click

from pimsim.cli.options import JSON, SET, check_name, read_shape
from pimsim.errors import InputError, shown

_OPTIONS = {name: f"--{name}" for name in ("data", "images", "calibration", "tier", "device", "seed")}
_OPTIONS |= {"dataset": "--data", "system": "--arch", "temperatures_k": "--temperature-from"}
"""The options that give the library's arguments."""


@click.command()
@click.argument("workload")
@click.option("--arch", "system", required=True, metavar="SYSTEM", help="Shipped name (isaac-ce) or YAML file.")
@click.option("--data", required=True, metavar="DATASET", help="digits, mnist5k, fashion-mnist, a folder or a file.")
@click.option("--images", type=int, help="Only the first so many; default: all.")
@click.option("--device", metavar="DEVICE", help="The cells: shipped name or YAML file; default: ideal.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of everything random.")
@click.option("--calibration", type=int, default=64, show_default=True,
              help="Images from which the ranges of each layer's inputs are taken.")  # fmt: skip
@click.option("--tier", type=click.Choice(["T0", "T1", "T2", "T3", "T3b"]),
              help="Force one way of computing crossbars; default: chosen by proof.")  # fmt: skip
@click.option("--temperature-from", metavar="RESULT", help="Each layer's cells as warm as this run makes them: a "
              "folder of `pimsim run --out`. Accuracy is set beside that at other temperatures.")  # fmt: skip
@click.option("--sweep", metavar="KEY=V1,V2,...", help="The same for each value of one key: device.…, or the system's.")
@SET
@click.option("--input", "inputs", multiple=True, metavar="NAME=1,3,224,224", help="Shape of the input, where the "
              "network leaves more than the batch open.")  # fmt: skip
@click.option("--out", metavar="DIR", help="Write inference.json, layers.csv and plots there.")
@JSON
@click.option("--quiet", is_flag=True, help="No progress bar and no tables.")
def infer(
    workload: str,
    system: str,
    data: str,
    overrides: tuple[str, ...],
    inputs: tuple[str, ...],
    out: str | None,
    as_json: bool,
    quiet: bool,
    seed: int,
    temperature_from: str | None,
    **options: Any,
) -> None:
    """Execute WORKLOAD (an ONNX file with its weights, or a shipped network that has some) on data.

    Its weights lie in crossbars of SYSTEM; decisions are compared with those in floating point and in exact integers.
    """
    check_name("--out", out)
    swept = options.pop("sweep")
    key, values = ("", []) if swept is None else _sweep(swept)
    of_device = tuple(text for text in overrides if text.startswith("device."))
    options |= {
        "seed": seed, "overrides": tuple(text for text in overrides if text not in of_device),
        "device_overrides": of_device, "input_shapes": dict(map(read_shape, inputs)),
    }  # fmt: skip
    with ExitStack() as stack:
        fill = stack.enter_context(_folder(out)) if out else None
        from pimsim.report.progress import ProgressBar

        bar = stack.enter_context(ProgressBar(not quiet, "executing images"))
        if temperature_from is None:
            found = _execute(workload, system, data, key, values, progress=bar, **options)
        else:
            found = _execute_warm(workload, system, data, key, values, temperature_from, progress=bar, **options)
        if fill is not None:
            fill(found)
    _print(found, as_json, quiet)
    if out and not quiet and not as_json:
        click.echo(f"Written to {out}")


def _execute(workload: str, system: str, data: str, key: str, values: list[str], **options: Any) -> Any:
    from pimsim import inference

    try:
        if key:
            return inference.sweep(workload, system, data, key, values, **options)
        return inference.infer(workload, system, data, **options)
    except InputError as error:
        if key and error.file and error.file.startswith(f"--set {key.removeprefix('device.')}="):
            file = error.file.replace("--set ", "--sweep " + "device." * key.startswith("device."), 1)
            raise InputError(error.what, file=file, key=error.key, allowed=error.allowed) from None
        raise _of_option(error) from None


def _of_option(error: InputError) -> InputError:
    """What the library says of its arguments, told of the option that gives it; anything else as it is."""
    if error.file is not None or error.key not in _OPTIONS:
        return error
    return InputError(error.what, key=_OPTIONS[error.key], allowed=error.allowed)


def _execute_warm(
    workload: str, system: str, data: str, key: str, values: list[str], source: str, **options: Any
) -> Any:
    """Executed at the temperatures of a run; keys of its package come from --set, too."""
    from pimsim.heat import accuracy_at_temperatures, layer_temperatures, temperatures
    from pimsim.results import load_result

    package = [text for text in options["overrides"] if text.startswith("chip.thermal.")]
    run, shapes = f"--temperature-from {source}", options["input_shapes"]
    try:
        result = load_result(source)
        heat = temperatures(result, overrides=package)
        if key:
            options["temperatures_k"] = layer_temperatures(result, workload, heat=heat, input_shapes=shapes)
    except InputError as error:
        raise InputError(error.what, file=error.file or run, key=error.key, allowed=error.allowed) from None
    if key:
        return _execute(workload, system, data, key, values, **options)
    try:
        return accuracy_at_temperatures(workload, system, data, result, heat=heat, **options)
    except InputError as error:
        if error.file is None and error.key is None:  # it is the result that does not fit
            raise InputError(error.what, file=run, allowed=error.allowed) from None
        raise _of_option(error) from None


def _sweep(text: str) -> tuple[str, list[str]]:
    """KEY=V1,V2 as the key and its values; commas within brackets belong to a value."""
    key, equals, rest = text.partition("=")
    values, depth = [""], 0
    for char in rest:
        depth += (char in "[{") - (char in "]}")
        if char == "," and depth == 0:
            values.append("")
        else:
            values[-1] += char
    values = [value.strip() for value in values]
    if not equals or not key.strip() or not all(values):
        raise InputError(f"{shown(text)} is no sweep", key="--sweep",
                         allowed="KEY=V1,V2,..., such as chip.tile.ima.adc.bits=6,7,8")  # fmt: skip
    return key.strip(), values


def _folder(out: str) -> Any:
    """Entered before the execution: whether the folder can be written is known then."""
    from pimsim.report.inference_folder import inference_folder

    return inference_folder(out)


def _print(found: Any, as_json: bool, quiet: bool) -> None:
    if as_json:
        from pimsim.results.inference import inference_json

        click.echo(inference_json(found), nl=False)
    elif not quiet:
        from pimsim.report.inference import inference_tables
        from pimsim.report.terminal import terminal

        console = terminal()
        console.print(inference_tables(found, console.width))
