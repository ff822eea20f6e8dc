"""Traffic between kinds of tiles in words and tables, for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from pimsim.results.notebook import in_bytes, shortened, with_unit
from pimsim.results.record import LayerResult, Result
from pimsim.results.traffic_record import Endpoints, Group, Traffic

KINDS = {"host": "host", "reram": "ReRAM", "gpu": "GPU"}
_MIB = 2**20
UNKNOWN = "not known: --compare-ideal runs the same on an ideal network and finds the share of the time"
_WIDEST = 38  #: letters of a layer's name


@dataclass(frozen=True)
class Figures:
    """A table: the first column begins at the left, as do those of ``words``."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str
    words: tuple[int, ...] = ()

    def on_terminal(self) -> Table:
        """As `pimsim run` prints it."""
        table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0),
                      caption_justify="left", caption=Text(self.note))  # fmt: skip
        for n, head in enumerate(self.head):
            left = n == 0 or n in self.words
            table.add_column(head, justify="left" if left else "right", no_wrap=n not in self.words,
                             overflow="fold" if n in self.words else "ellipsis")  # fmt: skip
        for row in self.rows:
            table.add_row(*map(Text, row))
        return table


def traffic_figures(result: Result, pairs: int = 3) -> list[Figures]:
    """All tables about the network: who sends to whom, the hottest links, and the time that is lost to it.

    Args:
        pairs: of layers that are named for each link, at most.
    """
    traffic = result.traffic
    found = [] if traffic is None else [matrix_figures(traffic, _unit(result)), links_figures(traffic, pairs)]
    if traffic is not None or result.training is not None:
        found.append(loss_figures(result))
    return [each for each in found if each.rows]


def matrix_figures(traffic: Traffic, unit: str) -> Figures:
    """Bytes from tier to tier."""
    columns = [n for n, group in enumerate(traffic.groups) if group.kind != "host"]
    counts, total = traffic.bytes, max(traffic.total, 1)
    rows = [
        (group_name(group), *(f"{row[n] / _MIB:,.2f}" for n in columns), f"{sum(row) / _MIB:,.2f}",
         f"{100 * sum(row) / total:.1f}")
        for group, row in zip(traffic.groups, counts, strict=True)
    ]  # fmt: skip
    received = [sum(row[n] for row in counts) for n in columns]
    rows.append(("together", *(f"{each / _MIB:,.2f}" for each in received), f"{total / _MIB:,.2f}", "100.0"))
    head = (f"MiB of {unit} from", *(f"to {group_name(traffic.groups[n])}" for n in columns), "together", "share %")
    return Figures(head, tuple(rows), "delivered: a multicast counts once for each tile that it reaches; whole flits, "
                   "headers included; what stays in its tile is none")  # fmt: skip


def links_figures(traffic: Traffic, pairs: int = 3) -> Figures:
    """The links that are busiest, and for whom: at most ``pairs`` pairs of layers."""
    rows = tuple(
        (link.name + (" (vertical)" if link.vertical else ""),
         "" if link.busy_share is None else f"{100 * link.busy_share:.1f}", f"{link.bytes / _MIB:,.2f}",
         "; ".join(f"{shortened(pair.source, _WIDEST)} -> {shortened(pair.target, _WIDEST)} "
                   f"{pair.bytes / max(link.bytes, 1):.0%}" for pair in link.pairs[:pairs]))
        for link in traffic.hottest
    )  # fmt: skip
    return Figures(("hottest links", "busy %", "MiB", "most of it, of the link's bytes"), rows,
                   "(x, y, tier) of the routers that a link joins; a multicast counts once on a link, but for each "
                   "layer that it reaches", words=(3,))  # fmt: skip


def loss_figures(result: Result) -> Figures:
    """Time lost to packets under way, by phase, and of the layer that works longest."""
    working = [layer for layer in result.layers if layer.kind != "input"]
    if not working:
        return Figures((), (), "")
    rows = []
    phases = dict.fromkeys(layer.phase for layer in working)
    for phase in phases if len(phases) > 1 else ():
        rows.append(_loss_row(phase, [layer for layer in working if layer.phase == phase]))
    rows.append(_loss_row("all", working))
    slowest = max(working, key=lambda layer: layer.image_ps)
    worst = max(working, key=lambda layer: _lost(layer, "network"))
    rows.append(_loss_row(f"slowest: {shortened(slowest.name, _WIDEST)}", [slowest]))
    if _lost(worst, "network"):
        rows.append(_loss_row(f"loses most: {shortened(worst.name, _WIDEST)}", [worst]))
    return Figures(("replicas wait, of", "replicas", "network %", "back-pressure %"), tuple(rows),
                   "of the time between the first window of a replica and its last; network: all else was there, and "
                   "the inputs were on their way; back-pressure: no place for the output")  # fmt: skip


def _loss_row(name: str, layers: list[LayerResult]) -> tuple[str, ...]:
    shares = (lost_share(layers, part) for part in ("network", "space"))
    return name, f"{sum(layer.replicas for layer in layers):,}", *(f"{100 * share:.2f}" for share in shares)


def lost_share(layers: Sequence[LayerResult], part: str) -> float:
    """Share of the time between first and last window that replicas of some layers lose to ``part``."""
    working = sum(sum(layer.time_ps.values()) - layer.time_ps["fill"] - layer.time_ps["drain"] for layer in layers)
    return sum(layer.time_ps[part] for layer in layers) / working if working else 0.0


def _lost(layer: LayerResult, part: str) -> float:
    return lost_share([layer], part)


def traffic_rows(result: Result) -> list[tuple[str, str]]:
    """The headline figures: (name, value)."""
    rows, traffic = [], result.traffic
    if result.training is not None or result.times_on_ideal is not None:
        rows.append(("Lost to the network", ideal_words(result) or UNKNOWN))
    if result.training is not None:
        rows.append(("Waiting for packets", waiting_words(result)))
    if traffic is not None and traffic.total:
        between = traffic.between_kinds / traffic.total
        rows.append(("Traffic", f"{in_bytes(traffic.total)} {_unit(result)}"
                     + (f", {between:.0%} between ReRAM and GPU cores" if traffic.between_kinds else "")))  # fmt: skip
        if len(traffic.phases) > 1:
            shares = ((phase.phase, sum(map(sum, phase.bytes)) / traffic.total) for phase in traffic.phases)
            rows.append(("Sent in", ", ".join(f"{phase} {percent(share)}" for phase, share in shares)))
        rows += [(f"From or to {KINDS[each.kind]}", _ends(each, traffic.total)) for each in traffic.endpoints
                 if each.bytes]  # fmt: skip
    return rows


def ideal_words(result: Result) -> str:
    """What an ideal network would save, in words; empty: it was not run."""
    times, share = result.times_beside_ideal, result.lost_to_network
    if times is None or share is None:
        return ""
    ours, ideal = (with_unit(ps / 1e12, "s") for ps in times)
    what = "the run" if result.training is None else "an iteration"
    if result.training is not None and result.training.more is not None:
        what += f" of the {result.training.simulated} simulated"
    if share < 0:  # packets that arrive earlier may start kernels, which queue in that order, in a worse one
        return (f"nothing of the time of {what}: {ours}, against {ideal} on an ideal network ({percent(-share)} more), "
                "where work arrives in another order")  # fmt: skip
    return (f"{percent(share)} of the time of {what}: {ours}, against {ideal} on an ideal network, where packets never "
            "wait for each other")  # fmt: skip


def waiting_words(result: Result) -> str:
    """How long replicas wait for packets: of those that have nothing to do, too, so that this is no time of the run."""
    assert result.training is not None
    share = percent(lost_share(result.layers, "network"))
    return (f"{share} of the replicas' time from first to last window, {percent(result.training.network_share)} of all "
            "of it: a mean over replicas, most of which have time to wait")  # fmt: skip


def percent(share: float) -> str:
    """A share in per cent, of which a small one is not rounded to nothing."""
    return f"{share:.1%}" if abs(share) >= 0.01 or share == 0 else f"{100 * share:.2g}%"


def group_name(group: Group) -> str:
    """A tier and its kind."""
    return KINDS[group.kind] if group.kind == "host" else f"{KINDS[group.kind]} tier {group.tier}"


def _ends(each: Endpoints, total: int) -> str:
    hottest = each.hottest_bytes / total
    tiles = f"{each.tiles} tile{'s' * (each.tiles > 1)}"
    return (f"{each.bytes / total:.1%} of the bytes, at {tiles}; the hottest, tile {each.hottest_tile}, "
            f"handles {hottest:.1%}, {each.imbalance:.2f} times their mean")  # fmt: skip


def _unit(result: Result) -> str:
    return "an inference" if result.training is None else "an iteration"
