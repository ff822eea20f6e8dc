"""What the page says of runs: the summary of all, and the figures of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import yaml

from pimsim.report.labels import ANALYTICAL, TIME_GROUPS, component_label, method_words, run_title
from pimsim.report.page import html, traffic
from pimsim.report.page.against import rate_words
from pimsim.report.page.drawing import Drawing, file_name
from pimsim.results.notebook import headline_rows, remarks, shortened, warnings, with_unit
from pimsim.results.record import Result


def summary(named: Mapping[str, Result]) -> str:
    """One row a result."""
    head = ["result", "network", "system", "found by", "batch", "time", "of", "images/s", "energy", "power",
            "area [mm2]", "chips", "cells used", "crossbars busy"]  # fmt: skip
    rows = []
    for name, each in named.items():
        costs, usage = each.costs, each.usage
        rows.append([
            name, each.source.workload, each.source.system, _method(each), f"{each.source.batch:,}", *_pace(each),
            with_unit(costs.energy_pj / 1e12, "J"), with_unit(costs.average_power_w, "W"), f"{costs.area_mm2:,.1f}",
            f"{usage.chips_used:,}", f"{usage.cells_used_share:.1%}", f"{usage.crossbar_busy_share:.1%}",
        ])  # fmt: skip
    note = (
        "Time and energy are of one inference (its latency), or of one iteration of training, which is a whole batch. "
        "Images a second: those inferred in the steady state, or trained on. Cells used: those with weights, of the "
        "crossbars in use. Crossbars busy: share of the run in which those in use read."
    )
    warned = [f"{name}: {words}" for name, each in named.items() for words in (*warnings(each), *remarks(each))]
    return html.table(head, rows, left=4) + html.text(note, "soft") + "".join(html.text(w, "warn") for w in warned)


def _pace(result: Result) -> tuple[str, str, str]:
    """Time, of what it is, and images a second."""
    training, rate = result.training, result.times.throughput_per_s
    if training is None:
        latency = with_unit(result.times.latency_ps / 1e12, "s")
        return latency, "an inference", rate_words(rate) if rate else "not measured"
    return with_unit(training.time_per_iteration_ps / 1e12, "s"), "an iteration", rate_words(training.images_per_s)


def _method(result: Result) -> str:
    return method_words(result.source.engine, result.source.network)


def what_was_run(named: Mapping[str, Result]) -> str:
    """Networks, systems, hashes and versions; every key of each configuration on demand."""
    head = ["result", "network", "parameters", "MACs", "system", "network model", "engine", "pimsim",
            "configuration", "network hash"]  # fmt: skip
    rows = [
        [name, each.source.workload, f"{each.source.parameters:,}", f"{each.source.macs:,}", each.source.system,
         each.source.network, each.source.engine, each.pimsim_version, each.source.config_hash[:12],
         (each.source.network_hash or each.source.workload_hash)[:12]]
        for name, each in named.items()
    ]  # fmt: skip
    notes = html.notes_of({name: each.notes for name, each in named.items()})
    configs = [
        html.details(f"{name}: every key of {each.source.system}",
                     html.listing(yaml.safe_dump(each.source.config, sort_keys=False)))
        for name, each in named.items()
    ]  # fmt: skip
    return html.table(head, rows, left=2) + "".join(html.text(note, "soft") for note in notes) + "".join(configs)


def facts(result: Result) -> str:
    """The headline figures and the layers of a run."""
    rows = [[name, value] for name, value in headline_rows(result)]
    unit = "an inference" if result.training is None else "an iteration"
    head = ["layer", "operation", "windows", "replicas", "crossbars", "energy", *TIME_GROUPS]
    layers = [
        [layer.name, layer.operation, f"{layer.windows:,}", f"{layer.replicas:,}", f"{layer.crossbars:,}",
         with_unit(sum(energy.values()) / 1e12, "J", 3),
         *(f"{100 * layer.share(*parts):.1f}" for parts in TIME_GROUPS.values())]
        for layer, energy in zip(result.layers, result.costs.by_layer_pj, strict=True)
    ]  # fmt: skip
    table = html.table(head, layers, left=2) + html.text(
        f"Windows and (dynamic) energy are those of {unit}. {', '.join(TIME_GROUPS)}: share of the {_run(result)} in "
        "%, mean of a layer's replicas.", "soft")  # fmt: skip
    shown = html.table(["", ""], rows, left=2) + traffic.tables(result)
    return shown + html.details(f"{len(layers)} layers as a table", table)


def _run(result: Result) -> str:
    """What shares of time are of."""
    training = result.training
    return "run" if training is None or training.more is None else f"{training.simulated} iterations simulated"


def drawings(name: str, result: Result) -> list[Drawing]:
    """The figures of a run; one of training has hundreds of layers, gathered by those of the forward pass."""
    from pimsim.report.plots import network, utilisation

    what, training = run_title(result), result.training
    found = _by_layer(name, result) if training is None else [traffic.training_drawing(name, result, training)]
    found.append(_of(name, "utilisation", _tiles_message(result), lambda: utilisation.draw(result),
                     *_tiles_rows(result), f"{what}: one square a tile, where it lies on its chip."))  # fmt: skip
    if result.links.channels:
        found.append(_of(name, "network", _channels_message(result), lambda: network.draw(result),
                         *_channels_rows(result), f"{what}: channels between the routers."))  # fmt: skip
    found += [*traffic.drawings(name, result), *_placements(name, result)]
    return [replace(each, message=_marked(result, each.message)) for each in found]


def _placements(name: str, result: Result) -> list[Drawing]:
    """What a search for a placement had to choose from."""
    from pimsim.report.plots import placement

    front = result.placement.front
    if front is None:
        return []
    head = ["chosen", *(f"{each} [{placement.UNITS[each]}]" for each in front.names)]
    rows = [[int(at == front.chosen), *values] for at, values in enumerate(front.values)]
    message = f"Of {len(rows):,} placements none is better in everything than the one in use"
    note = f"{run_title(result)}: a point for each placement that the search has kept; less is better along every axis."
    return [_of(name, "placement", message, lambda: placement.draw(result, front), head, rows, note)]


def _by_layer(name: str, result: Result) -> list[Drawing]:
    """Those of inference with a row for each layer."""
    from pimsim.report.plots import energy, losses, timeline

    what = run_title(result)
    return [
        _of(name, "timeline", _timeline_message(result), lambda: timeline.draw(result), *_timeline_rows(result),
            f"{what}: from a layer's first window's start to its last output."),
        _of(name, "energy", _energy_message(result), lambda: energy.draw(result), *_energy_rows(result),
            f"{what}. Hatched: power that is drawn all the time."),
        _of(name, "losses", _losses_message(result), lambda: losses.draw(result), *_losses_rows(result),
            f"{what}: the parts of a layer's row add up to the run."),
    ]  # fmt: skip


def _of(name: str, what: str, message: str, draw: Any, head: Sequence[str], rows: Any, note: str) -> Drawing:
    return Drawing(file_name(name, what), message, draw, head, rows, note)


def _marked(result: Result, message: str) -> str:
    """A message that says so where it is of an estimate."""
    return f"Analytical estimate: {message[0].lower()}{message[1:]}" if result.source.engine == ANALYTICAL else message


def _timeline_message(result: Result) -> str:
    times = result.timeline
    spans = [end - start for start, end in zip(times.first_start_ps[0], times.last_output_ps[0], strict=True)]
    longest = result.layers[int(np.argmax(spans))]
    batch = result.source.batch
    whole = f"; the run of {batch:,} images {with_unit(result.times.run_ps / 1e12, 's')}" if batch > 1 else ""
    return (f"The first image takes {with_unit(result.times.latency_ps / 1e12, 's')}, in which "
            f"{shortened(longest.name)} works longest, {with_unit(max(spans) / 1e12, 's')}{whole}")  # fmt: skip


def _timeline_rows(result: Result) -> tuple[list[str], list[list[Any]]]:
    head = ["image", "layer", "first_start_us", "last_output_us"]
    times = zip(result.timeline.first_start_ps, result.timeline.last_output_ps, strict=True)
    return head, [
        [image, layer.name, start / 1e6, end / 1e6]
        for image, (starts, ends) in enumerate(times)
        for layer, start, end in zip(result.layers, starts, ends, strict=True)
    ]


def _energy_message(result: Result) -> str:
    costs = result.costs
    parts = {name: costs.dynamic_pj.get(name, 0.0) + costs.static_pj.get(name, 0.0)
             for name in (*costs.dynamic_pj, *costs.static_pj)}  # fmt: skip
    if not costs.energy_pj:
        return "Nothing that was done has a price"
    largest = max(parts, key=lambda name: parts[name])
    words = component_label(largest)
    return (f"{words[0].upper()}{words[1:]} take {parts[largest] / costs.energy_pj:.0%} of the "
            f"{with_unit(costs.energy_pj / 1e12, 'J')} of an inference")  # fmt: skip


def _energy_rows(result: Result) -> tuple[list[str], list[list[Any]]]:
    costs = result.costs
    names = dict.fromkeys([*costs.dynamic_pj, *costs.static_pj])
    rows = [["all layers", name, costs.dynamic_pj.get(name, 0.0), costs.static_pj.get(name, 0.0)] for name in names]
    rows += [[layer.name, name, energy, None]
             for layer, by_component in zip(result.layers, costs.by_layer_pj, strict=True)
             for name, energy in by_component.items()]  # fmt: skip
    return ["layer", "component", "dynamic_pJ", "static_pJ"], rows


def _losses_message(result: Result) -> str:
    from pimsim.report.plots import losses

    shares = {group: np.mean([layer.share(*parts) for layer in result.layers]) for group, parts in TIME_GROUPS.items()}
    worst = max((group for group in shares if group != "compute"), key=lambda group: shares[group])
    return (f"Layers compute {shares['compute']:.0%} of the run on average; most is lost to "
            f"{losses.WORDS.get(worst, worst)}, {shares[worst]:.0%}")  # fmt: skip


def _losses_rows(result: Result) -> tuple[list[str], list[list[Any]]]:
    head = ["layer", *(f"{group}_share" for group in TIME_GROUPS)]
    return head, [[layer.name, *(layer.share(*parts) for parts in TIME_GROUPS.values())] for layer in result.layers]


def _tiles_message(result: Result) -> str:
    from pimsim.report.plots import utilisation

    usage = result.usage
    cores = f" and {usage.gpu_cores_used:,} of {usage.gpu_cores:,} GPU cores" if usage.gpu_cores else ""
    shares = utilisation.message(result)
    return f"{usage.tiles_used:,} of {usage.tiles:,} tiles{cores} are in use; {shares[0].lower()}{shares[1:]}"


def _tiles_rows(result: Result) -> tuple[list[str], list[list[Any]]]:
    tiles = result.tiles
    rows, cores = zip(tiles.crossbars_used, tiles.busy_share, strict=True), set(tiles.gpu_cores)
    head = ["tile", "kind", "crossbars_used", "busy_share"]
    return head, [[n, "GPU" if n in cores else "ReRAM", *row] for n, row in enumerate(rows)]


def _channels_message(result: Result) -> str:
    busiest = max(result.links.channels)
    return f"The busiest channel between routers is busy {busiest:.1%} of the run"


def _channels_rows(result: Result) -> tuple[list[str], list[list[Any]]]:
    return ["channel", "busy_share"], [[n, share] for n, share in enumerate(result.links.channels)]
