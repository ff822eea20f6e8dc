"""What the page says of results beside baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pimsim.baselines import presets
from pimsim.errors import InputError
from pimsim.report.beside import FLATTERED, other_norm
from pimsim.report.labels import ANALYTICAL
from pimsim.report.page import html
from pimsim.report.page.drawing import Drawing
from pimsim.report.page.versus import RATIOS, TRAINING, Missing, Pair, by_method, means, peak_of
from pimsim.results.notebook import with_unit
from pimsim.results.record import Result

MEASURED = (
    "A roofline's energy takes the board's limit of power while kernels run, which may be more than they draw. Only "
    "'measured' has happened. Means are over the results that are known. One FLOP is half a multiply-accumulate."
)
BOUND = (
    "A roofline's time is one that no kernel on the GPU undercuts (at its launch overhead, which an application may "
    f"hide in part). {MEASURED}"
)
OF_TRAINING = f" roofline is {FLATTERED}."
EQUAL = (
    "Equal area: throughput over the area of the chips in use, against throughput over the GPU's die (without memory "
    "and board). Equal power: throughput over the bound of the chips' peak power, against throughput over the power "
    "limit of the board or module. Where a result has no steady throughput, its whole batch is taken, filling and "
    "draining included, against the same batch on the baseline."
)
TECHNOLOGY = (
    "Nothing is scaled to one technology: ISAAC's table of areas and powers, from which nearly all shipped systems are "
    "priced, is of 32 nm (GPU cores in them: a V100's, of 12 nm)"
)
_PAIR_COLUMNS = (
    "result", "workload", "method", "baseline", "mark", "precision", "process", "chip_batch", "batch", "rate_per_s",
    "is_steady", "baseline_rate_per_s", "baseline_latency_s", "baseline_energy_j", "flops_per_byte", *RATIOS,
)  # fmt: skip


def table(pairs: Sequence[Pair], missing: Sequence[Missing]) -> str:
    """Every pair, then the means; what could not be set beside what."""
    head = ["baseline", "result", "batch, chip", "batch, baseline", "latency", "images/s", "energy", "latency x",
            "rate x", "energy x", "equal area x", "equal power x"]  # fmt: skip
    rows, strong = [], []
    methods = by_method(pairs)
    for baseline in dict.fromkeys(pair.baseline for pair in pairs):
        for method, found in methods.items():
            rows += [_row(pair) for pair in found if pair.baseline == baseline]
            if len({pair.result for pair in found}) > 1 and baseline in (mean := means(found)):
                strong.append(len(rows))
                of = f"geometric mean{f': {method}' if len(methods) > 1 else ''}"
                rows.append([baseline, of, "", "", "", "", "", *(_times(mean[baseline][ratio]) for ratio in RATIOS)])
    notes = [bound_words(pairs), EQUAL, _technology(pairs), "Latency (at a batch of 1), images a second and energy of "
             "one (at the batch named; in training, of an iteration's) are the baseline's; above a ratio of 1 the chip "
             "is better. A latency is compared only where the chip's batch is 1, too; energies at equal batches, or at "
             "the one that was asked for. -: not known, or not to be compared."]  # fmt: skip
    if len(methods) > 1:
        notes.append(f"Means are taken apart of what was found in different ways: {'; '.join(methods)}.")
    if unknown := [pair.title for pair in pairs if pair.process is None and pair.per_area is None]:
        notes.append(f"Not known, so not normalised by area: the die of {', '.join(dict.fromkeys(unknown))}.")
    return (html.table(head, rows, left=2, strong=strong) + "".join(html.text(note, "soft") for note in notes)
            + _unequal(pairs) + _left_out(missing))  # fmt: skip


def bound_words(pairs: Sequence[Pair]) -> str:
    """What the rooflines of some pairs are."""
    trained = [is_training(pair) for pair in pairs]
    if not any(trained):
        return BOUND
    return f"A{OF_TRAINING} {MEASURED}" if all(trained) else f"{BOUND} But a{OF_TRAINING}"


def is_training(pair: Pair) -> bool:
    """Whether a pair is of training."""
    return pair.method.startswith(TRAINING)


def _row(pair: Pair) -> list[str]:
    return [baseline_label(pair), pair.result, f"{pair.chip_batch:,}", f"{pair.batch:,}",
            "-" if is_training(pair) else _or(pair.baseline_latency_s, "s", "not measured"),
            rate_words(pair.baseline_rate_per_s),
            _or(pair.baseline_energy_j, "J", "not measured"), *(_times(getattr(pair, ratio)) for ratio in RATIOS)]


def _technology(pairs: Sequence[Pair]) -> str:
    """Of what is set beside each other at equal area."""
    known = {pair.baseline: pair.process for pair in pairs if pair.process}
    return f"{TECHNOLOGY}{''.join(f'; {baseline} is of {process}' for baseline, process in known.items())}."


def _unequal(pairs: Sequence[Pair]) -> str:
    """A warning where batches differ."""
    found = [pair for pair in pairs if pair.batch != pair.chip_batch]
    if not found:
        return ""
    words = dict.fromkeys(f"{pair.result} {pair.chip_batch:,}, {pair.baseline} {pair.batch:,}" for pair in found)
    return html.text(f"Batches are not equal: {'; '.join(words)}. A GPU gains more from a larger batch than the chip.",
                     "warn")  # fmt: skip


def incomplete(named: Mapping[str, Result]) -> str:
    """A warning where energies miss work: ratios to them flatter the chip."""
    names = [name for name, each in named.items() if any(work.is_headline for work in each.costs.unpriced)]
    if not names:
        return ""
    return html.text(f"The energy of {', '.join(names)} misses work that has no price (see the summary): the ratios of "
                     "energy are too high by as much.", "warn")  # fmt: skip


def other_norms(named: Mapping[str, Result]) -> str:
    """A warning where training has left out what the GPU beside it does."""
    found = {name: norm for name, each in named.items() if (norm := other_norm(each))}
    if not found:
        return ""
    words = ", ".join(f"{name} (training.norm: {norm})" for name, norm in found.items())
    return html.text(f"Beside {words} the GPU normalises over the batch, wherever the network has a BatchNorm: it does "
                     "other work.", "warn")  # fmt: skip


def _left_out(missing: Sequence[Missing]) -> str:
    reasons: dict[str, list[str]] = {}
    for each in missing:
        reasons.setdefault(each.reason, []).append(f"{each.result} beside {each.baseline}")
    return "".join(html.text(f"Left out: {', '.join(pairs)}: {why}", "warn") for why, pairs in reasons.items())


def baseline_label(pair: Pair) -> str:
    """A baseline and what kind of figure it is."""
    return f"{pair.baseline} ({pair.mark}, {pair.precision})"


def drawings(named: Mapping[str, Result], pairs: Sequence[Pair]) -> list[Drawing]:
    """Speed-up and energy, the same at equal area and power, rooflines; what was found in different ways apart."""
    found = []
    methods = by_method(pairs)
    for name, ratios, note in (
        ("speedup", ("latency", "throughput", "energy"), ""),
        ("normalised", ("per_area", "per_power"), f"{EQUAL} {_technology(pairs)} "),
    ):
        for method, own in methods.items():
            known = [ratio for ratio in ratios if any(getattr(pair, ratio) for pair in own)]
            if known:
                apart = f"-{TRAINING}" if is_training(own[0]) else ""
                found.append(_ratios(name + apart, known, named, own, f"{_how(method, own)} {note}{bound_words(own)}"))
    return [*found, _roofline(named, pairs)]


def _how(method: str, pairs: Sequence[Pair]) -> str:
    """What stands behind the chip's figures."""
    batches = ", ".join(f"{batch:,}" for batch in sorted({pair.chip_batch for pair in pairs}))
    return f"Chips: {method}, batch {batches}."


def _ratios(
    name: str, ratios: Sequence[str], named: Mapping[str, Result], pairs: Sequence[Pair], note: str
) -> Drawing:
    from pimsim.report.plots import speedup

    found = means(pairs)
    baselines = {pair.baseline: _at_axis(pair, "per_area" in ratios) for pair in pairs}
    panels = {
        RATIOS[ratio]: {
            baseline: {pair.result: getattr(pair, ratio) for pair in pairs if pair.baseline == baseline}
            for baseline in baselines
        }
        for ratio in ratios
    }
    of_means = {RATIOS[ratio]: {each: found[each][ratio] for each in baselines} for ratio in ratios}
    names = [each for each in named if any(pair.result == each for pair in pairs)]
    return Drawing(
        name, _ratio_message(ratios, pairs), lambda: speedup.draw(panels, baselines, names, of_means),
        _PAIR_COLUMNS, [[getattr(pair, key) for key in _PAIR_COLUMNS] for pair in pairs],
        "Right of 1 the chip is better. " + note,
    )  # fmt: skip


def _at_axis(pair: Pair, with_process: bool) -> str:
    process = f", {pair.process}" if with_process and pair.process else ""
    return f"{pair.baseline}\n{pair.mark}, {pair.precision}{process}"


def _ratio_message(ratios: Sequence[str], pairs: Sequence[Pair]) -> str:
    """Where the means lie, in words."""
    found, several = means(pairs), len({pair.result for pair in pairs}) > 1
    parts = []
    for ratio in ratios:
        values = {name: mean for name, row in found.items() if (mean := row[ratio])}
        if not values:
            continue
        low, high = (pick(values, key=lambda name: values[name]) for pick in (min, max))
        words = RATIOS[ratio].partition(":")[0]
        span = (f"{_times(values[low])} ({low})" if len(values) == 1 else
                f"{_times(values[low])} ({low}) to {_times(values[high])} ({high})")  # fmt: skip
        parts.append(f"{words} {span}")
    text = "; ".join(parts)
    what = "Geometric means" if several else "Ratios"
    what += " in training" if is_training(pairs[0]) else ""
    estimated = " of analytical estimates" if pairs[0].method.startswith(ANALYTICAL) else ""
    return f"{what}{estimated}, above 1 the chip is better: {text}"


def _roofline(named: Mapping[str, Result], pairs: Sequence[Pair]) -> Drawing:
    from pimsim.report.plots import roofline

    roofs, chips = [], {}
    for name, result in named.items():
        label = _chip_label(result)
        if label not in chips:
            if (peak := _peak_flops_per_s(result)) is None:
                continue  # the networks are drawn without it
            roofs.append(roofline.Roof(label, peak, None))
        chips[label] = name
    for pair in {(pair.baseline, pair.precision): pair for pair in pairs}.values():
        if pair.baseline in presets():
            preset = presets()[pair.baseline]
            roofs.append(roofline.Roof(f"{pair.baseline} {pair.precision}", preset.peak_tflops[
                pair.precision].value * 1e12, preset.bandwidth_gb_per_s.value * 1e9))  # type: ignore[index]  # fmt: skip
    reached = []
    for pair in pairs:
        on_gpu = f"{pair.baseline} {pair.precision}"
        reached.append(roofline.Reached(_network_words(pair), on_gpu, pair.flops_per_byte,
                                        pair.flops * pair.baseline_rate_per_s))  # fmt: skip
    for name, result in named.items():
        own = [pair for pair in pairs if pair.result == name]
        if own:
            reached.append(roofline.Reached(_network_words(own[0]), _chip_label(result), own[0].flops_per_byte,
                                            own[0].flops * own[0].rate_per_s, name))  # fmt: skip
    rows = [[each.device, each.workload, each.result, each.flops_per_byte, each.flops_per_s] for each in reached]
    rows += [[roof.name, "peak", "", None, roof.peak_flops_per_s] for roof in roofs]
    return Drawing(
        "roofline", _roofline_message(named, pairs), lambda: roofline.draw(roofs, reached, list(chips)),
        ["device", "what", "result", "flops_per_byte", "flops_per_s"], rows,
        "Large markers: networks on the chip; small hollow ones: on GPUs, launches of kernels included, which is why "
        "they lie below their roofs. The chip's weights stay in its crossbars, so that its roof is flat; its networks "
        "stand at the intensity that they have on the first GPU.",
    )  # fmt: skip


def _network_words(pair: Pair) -> str:
    return pair.workload + (f", {TRAINING}" if is_training(pair) else "")


def _peak_flops_per_s(result: Result) -> float | None:
    """Of all crossbars and GPU cores of the chips in use; None: not known."""
    try:
        peak = peak_of(result)
    except InputError:
        return None
    return (peak.tops + peak.gpu_tflops) * 1e12 * result.usage.chips_used or None


def _chip_label(result: Result) -> str:
    chips = result.usage.chips_used
    return f"{result.source.system}, {chips:,} chip{'s' if chips > 1 else ''}"


def _roofline_message(named: Mapping[str, Result], pairs: Sequence[Pair]) -> str:
    best = max((pair for pair in pairs), key=lambda pair: pair.flops * pair.rate_per_s)
    rate = best.flops * best.rate_per_s
    words = f"{_network_words(best)} runs at {with_unit(rate, 'FLOP/s', 3)} on {named[best.result].source.system}"
    peak = _peak_flops_per_s(named[best.result])
    if peak is None:
        return words
    gpu = max((pair for pair in pairs if pair.result == best.result), key=lambda pair: pair.baseline_rate_per_s)
    return (f"{words}, {100 * rate / peak:.2g}% of the chips' peak; at most at "
            f"{with_unit(gpu.flops * gpu.baseline_rate_per_s, 'FLOP/s', 3)} on {gpu.baseline}")  # fmt: skip


def rate_words(rate_per_s: float) -> str:
    """Without powers of ten."""
    return f"{rate_per_s:,.0f}" if rate_per_s >= 10_000 else f"{rate_per_s:,.5g}"


def _or(value: float | None, unit: str, otherwise: str) -> str:
    return otherwise if value is None else with_unit(value, unit)


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
