"""A Result in a few lines of text or HTML, for Python prompts and notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from pimsim.device.endurance import HUNDREDTH, WEAKEST

if TYPE_CHECKING:
    from pimsim.results.record import Result
    from pimsim.results.training_record import TrainingResult

_PREFIXES = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "u"),
             (1e-9, "n"), (1e-12, "p"))  # fmt: skip


BYTES = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "byte"))  #: units, largest first

_OBJECTIVES = (
    ("latency", "mean latency", 1e-9, "s"),
    ("peak", "busiest link", 1e-6, "s"),
    ("spread", "spread over links", 1e-6, "s"),
    ("energy", "energy of links", 1e-6, "J"),
    ("temperature", "hottest tile over the air", 1.0, "K"),
)  #: of a placement: its name, how it is called, its unit (see pimsim.mapping.placement.objectives)


def with_unit(value: float, unit: str, digits: int = 4) -> str:
    """``value`` with the prefix that makes it readable: with_unit(1.5e-6, "s") is '1.5 us'."""
    for size, prefix in _PREFIXES:
        if abs(value) >= size:
            return f"{value / size:.{digits}g} {prefix}{unit}"
    return f"{value:.{digits}g} {unit}"


def in_bytes(count: float) -> str:
    """Bytes as people read them: in_bytes(1536) is '1.5 KiB'."""
    size, unit = next((each for each in BYTES if count >= each[0]), BYTES[-1])
    return f"{count / size:.3g} {unit}"


def shortened(name: str, most: int = 30) -> str:
    """A long name's beginning and end."""
    return name if len(name) <= most else f"{name[: most // 2 - 1]}...{name[-(most - most // 2 - 2) :]}"


def _not_measured(steady_batch: int) -> str:
    return f"not measured (needs a batch of at least about {steady_batch})"


def headline_rows(result: Result) -> list[tuple[str, str]]:
    """What to know about a run, in the order in which one asks: (name, value)."""
    usage, costs = result.usage, result.costs
    energy_j, delay_s = costs.energy_pj / 1e12, result.delay_ps / 1e12
    return [
        *(_pace_of_inference(result) if result.training is None else _pace_of_training(result, result.training)),
        ("Energy-delay product", with_unit(energy_j * delay_s, "J s")),
        ("Average power", with_unit(costs.average_power_w, "W")),
        ("Peak power (bound)", with_unit(costs.peak_power_bound_w, "W")),
        ("Area", f"{costs.area_mm2:,.1f} mm2 ({_of(usage.chips_used, usage.chips)} chips)"),
        ("Tiles", _of(usage.tiles_used, usage.tiles)),
        ("IMAs", _of(usage.imas_used, usage.imas)),
        ("Crossbars", f"{_of(usage.crossbars_used, usage.crossbars)} ({usage.crossbars_used_share:.1%})"),
        ("Spatial utilisation", f"{usage.cells_used_share:.1%} of the cells of these crossbars hold weights"),
        ("Temporal utilisation", f"these crossbars read {usage.crossbar_busy_share:.1%} of the run"),
        *(_cores(result, result.training) if result.training and usage.gpu_cores_used else []),
        ("Bottleneck", result.bottleneck),
        *_busiest_links(result),
        *placement_rows(result),
        ("Programming, once", _programming(result)),
        ("Wear", _wear(result)),
    ]


def _pace_of_inference(result: Result) -> list[tuple[str, str]]:
    times, batch, rate = result.times, result.source.batch, result.times.throughput_per_s
    images = "1 image" if batch == 1 else f"{batch} images"
    return [
        ("Latency", f"{with_unit(times.latency_ps / 1e12, 's')} ({_latency_of(batch)})"),
        ("Throughput", f"{rate:,.5g} inferences/s" if rate else _not_measured(times.steady_batch)),
        ("Run", f"{with_unit(times.run_ps / 1e12, 's')} for {images}"),
        ("Energy an inference", _energy(result)),
    ]


def _pace_of_training(result: Result, training: TrainingResult) -> list[tuple[str, str]]:
    times, n = result.times, training.iterations
    which = "of the only one" if n == 1 else "after the first" if n == 2 else f"mean of the {n - 1:,} after the first"
    energy_j = result.costs.energy_pj / 1e12 / training.batch
    run = f"{with_unit(times.run_ps / 1e12, 's')} for {n:,} iteration{'s' * (n > 1)} of {training.batch} images"
    return [
        ("First iteration", with_unit(times.latency_ps / 1e12, "s")),
        ("Iteration", f"{with_unit(training.time_per_iteration_ps / 1e12, 's')} ({which})"),
        ("Throughput", f"{training.images_per_s:,.5g} images/s"),
        ("Run", run + (f", {extrapolated(training)}" if training.more else "")),
        ("Energy an iteration", f"{_energy(result)}, {with_unit(energy_j, 'J')} an image{energy_error(result)}"),
    ]


def extrapolated(training: TrainingResult) -> str:
    """From what a longer run was extrapolated, and how far off its end can be."""
    more = training.more
    if more is None:
        return ""
    return (f"extrapolated from {more.simulated}, off by {with_unit(more.error_ps / 1e12, 's', 3)} at most if no "
            "iteration is longer or shorter than those")  # fmt: skip


def energy_error(result: Result) -> str:
    """How far off the energy of an iteration can be, in words; empty where nothing was extrapolated."""
    if result.training is None or result.training.more is None:
        return ""
    return f", off by {with_unit(result.energy_error_pj / 1e12, 'J', 3)} at most"


def _energy(result: Result) -> str:
    costs = result.costs
    static = sum(costs.static_pj.values()) / costs.energy_pj if costs.energy_pj else 0.0
    return f"{with_unit(costs.energy_pj / 1e12, 'J')} ({static:.0%} static)"


def _cores(result: Result, training: TrainingResult) -> list[tuple[str, str]]:
    usage = result.usage
    shares = training.core_busy_shares
    return [("GPU cores", f"{_of(usage.gpu_cores_used, usage.gpu_cores)}, busy {training.core_utilisation:.1%} of the "
                          f"run on average, {max(shares):.1%} at most")]  # fmt: skip


def _busiest_links(result: Result, shown: int = 3) -> list[tuple[str, str]]:
    """The busiest links, where the network has any."""
    links = [f"{link.name} {link.busy_share:.0%}" for link in result.links.busiest[:shown]]
    return [("Busiest links", "; ".join(links))] if links else []


def placement_rows(result: Result) -> list[tuple[str, str]]:
    """What a search for a placement has gained."""
    used = result.placement
    if used.objectives is None or used.at_start is None:
        return []
    gains = [f"{words} {with_unit(before * size, unit, 3)} to {with_unit(used.objectives[name] * size, unit, 3)}"
             for name, words, size, unit in _OBJECTIVES if (before := used.at_start.get(name))]  # fmt: skip
    return [("Placement", f"{used.strategy}, from {used.start}: {'; '.join(gains)}")]


def _programming(result: Result) -> str:
    """What it takes to write the weights."""
    once = result.programming
    return (
        f"{with_unit(once.time_ns / 1e9, 's')}, {with_unit(once.energy_uj / 1e6, 'J')} for {once.cells:,} cells in "
        f"{once.rows:,} rows (in no other figure)"
    )


def _wear(result: Result) -> str:
    """Writes of cells, and how often the cells bear them."""
    wear = result.wear
    if not wear.writes:
        return "no cell is written"
    if result.training is not None:
        return _wear_of_training(result.training)
    lasts = ", ".join(f"{_large(each.programmings or 0)} at {_large(each.endurance)}{_of_which(each.source)}"
                      for each in wear.lifetimes)  # fmt: skip
    lasts = lasts.replace(" at ", " programmings at an endurance of ", 1)
    return f"mean {wear.mean_writes:.3g}, maximum {wear.max_writes:,} writes a cell: lasts {lasts}"


def _wear_of_training(training: TrainingResult) -> str:
    wear = training.wear
    most = max((each.cell_writes for each in wear.layers), default=0)
    lasts = "; ".join(
        f"{_large(each.iterations)} iterations, {each.years:.3g} years of them, at an endurance of "
        f"{_large(each.endurance)}{_of_which(each.source)}"
        for each in wear.lifetimes if each.iterations is not None
    )  # fmt: skip
    first = next((each.layer for each in wear.lifetimes if each.layer), "")
    return f"at most {most:g} writes a cell in an iteration; {shortened(first)} fails first, after {lasts}"


def _of_which(source: str) -> str:
    """The cells for which an endurance holds, where it is not the same for all."""
    return next((f" ({cells})" for cells in (WEAKEST, HUNDREDTH) if source.endswith(cells)), "")


def _large(value: float) -> str:
    """A number in few characters, powers of ten as such: 1e8."""
    return f"{value:,.0f}" if value < 1e5 else f"{value:.4g}".replace("e+0", "e").replace("e+", "e")


def _latency_of(batch: int) -> str:
    if batch == 1:
        return "empty system"
    return f"first of {batch} images, with the others behind it; batch 1: on an empty system"


def title(result: Result) -> str:
    """What was run on what."""
    source = result.source
    does = "" if result.training is None else "training, "
    return f"{source.workload} on {source.system}, {does}batch {source.batch}, {source.network} network"


def as_text(result: Result) -> str:
    """The headline figures, one a line."""
    lines = [title(result), *(f"  {name + ':':22}{value}" for name, value in headline_rows(result))]
    return "\n".join(lines + [f"  {line}" for line in (*warnings(result), *remarks(result))])


def warnings(result: Result) -> list[str]:
    """What a reader of the totals must know: work that has no price."""
    unit = "an inference" if result.training is None else "an iteration"
    return [
        f"NOT PRICED: {each.count:,} {each.action.replace('_', ' ')}s {unit} "
        f"({each.share:.1%} of {'the digital values' if each.share < 1 else 'this work'}; "
        f"{_some(each.layers)}): their energy is missing above"
        for each in result.costs.unpriced
        if each.is_headline
    ]


def remarks(result: Result) -> list[str]:
    """What a reader of the energy should know: chip links that only idle."""
    costs = result.costs
    idle_pj = costs.static_pj.get("chip.link", 0.0)
    if idle_pj <= 0.5 * costs.energy_pj or any(layer.counts.get("link_byte", 0) for layer in result.layers):
        return []
    return [
        f"chip links idle at full power: {idle_pj / costs.energy_pj:.0%} of the energy, "
        "though no byte crossed between chips"
    ]


def as_html(result: Result) -> str:
    """The headline figures and the layers as two tables."""
    rows = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th><td style='text-align:left'>{escape(value)}</td></tr>"
        for name, value in headline_rows(result)
    )
    head = ("layer", "operation", "windows", "replicas", "crossbars", "energy", "busy", "first start", "last output")
    layers = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in _layer_cells(result, index)) + "</tr>"
        for index in range(len(result.layers))
    )
    warned = "".join(f"<p><b>{escape(warning)}</b></p>" for warning in warnings(result))
    warned += "".join(f"<p>{escape(remark)}</p>" for remark in remarks(result))
    header = "".join(f"<th>{name}</th>" for name in head)
    return (
        f"<b>{escape(title(result))}</b>{warned}<table>{rows}</table>"
        f"<details><summary>{len(result.layers)} layers</summary><table><tr>{header}</tr>{layers}</table></details>"
    )


def _layer_cells(result: Result, index: int) -> tuple[str, ...]:
    layer, energy_pj = result.layers[index], sum(result.costs.by_layer_pj[index].values())
    return (
        layer.name, layer.operation, f"{layer.windows:,}", f"{layer.replicas:,}", f"{layer.crossbars:,}",
        with_unit(energy_pj / 1e12, "J"), f"{layer.utilisation:.1%}", with_unit(layer.first_start_ps / 1e12, "s"),
        with_unit(layer.last_output_ps / 1e12, "s"),
    )  # fmt: skip


def _of(used: int, there: int) -> str:
    return f"{used:,} of {there:,}"


def _some(names: tuple[str, ...], shown: int = 3) -> str:
    more = f" and {len(names) - shown} more layers" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
