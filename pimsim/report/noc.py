"""A network's curve, replay and check: tables for a terminal, and documents for files."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from pimsim.network.energy import NOT_PRICED, PARTS, ROUTERS, CarriedEnergy, flit_pj_of_channels
from pimsim.network.topology import Topology
from pimsim.noc.channels import ChannelUse, hottest, utilisation
from pimsim.noc.check import Check
from pimsim.noc.network import BuiltNetwork
from pimsim.noc.records import CURVE_FORMAT, REPLAY_FORMAT, Curve, LoadPoint, Replay
from pimsim.results.notebook import with_unit
from pimsim.version import __version__

CHECK_FORMAT = "pimsim-noc-check-1"
HOTTEST = 10  #: channels that are listed

_POINT = {
    "load": "load", "accepted": "accepted", "latency": "latency", "interval": "+-", "median_latency": "median",
    "p99_latency": "99 %", "network_latency": "in network", "hops": "hops", "packets": "packets",
}  # fmt: skip

NO_PRICES = "not priced: the network's description gives no `energy` and no power of a router"
_PART_NAMES = dict(zip(PARTS, ("buffers", "crossbars", "arbitration", "links", "TSVs"), strict=True))


def network_words(network: str, topology: str, routing: str) -> str:
    """What carries the packets."""
    return f"{topology}, {routing}" if network == topology else f"{network}: {topology}, {routing}"


def packet_words(packet_flits: int | Mapping[int, float] | None) -> str:
    """Packets of a size, or of several."""
    if packet_flits is None:
        return "packets of its own sizes"
    if isinstance(packet_flits, int):
        return f"packets of {packet_flits} flit{'s' if packet_flits > 1 else ''}"
    return "packets of " + ", ".join(f"{size} flits ({share:g})" for size, share in packet_flits.items())


def curve_title(curve: Curve) -> str:
    """What was measured on what."""
    words = network_words(curve.network, curve.topology, curve.routing)
    return f"{words}; {curve.pattern} traffic, {packet_words(curve.packet_flits)}"


def replay_title(replayed: Replay) -> str:
    """What was replayed on what."""
    words = network_words(replayed.network, replayed.topology, replayed.routing)
    return f"{words}; {replayed.packets.size.size:,} packets"


def curve_tables(curve: Curve, topology: Topology) -> Group:
    """Everything that `pimsim noc curve` prints."""
    table = Table(title=Text(curve_title(curve), "bold"), box=SIMPLE_HEAD, title_justify="left",
                  header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))  # fmt: skip
    shown = [key for key in _POINT if key != "interval" or len(curve.seeds) > 1]
    for key in shown:
        table.add_column(_POINT[key], justify="right", no_wrap=True)
    priced = curve.points[0].energy is not None
    for name in ("pJ/flit", "W") if priced else ():
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for point in curve.points:
        cells = [_cell(key, getattr(point, key)) for key in shown]
        cells += [f"{value:.4g}" for value in _price_of(point).values() if value is not None]
        table.add_row(*cells, "" if point.stable else "unstable", style=None if point.stable else "dim")
    words = "loads in flits/terminal/cycle, latencies in cycles; hops: routers that a packet passes"
    energy = f"energy {NO_PRICES}"
    if priced:
        energy = f"pJ/flit: of a flit delivered, W: power; dynamic, without {NOT_PRICED[0]}"
    units = Text(f"{words}\n{energy}", "dim")
    notes = [Text(line, "bold red") for line in curve.unstable_words()]
    return Group(table, units, _rows(curve_headlines(curve)), *notes, _curve_hottest(curve, topology))


def curve_headlines(curve: Curve) -> list[tuple[str, str]]:
    """(name, value) of what the points lead to."""
    at = curve.saturation_load
    near = "not within the loads"
    if at is not None:
        near = f"{at:.4g} flits/terminal/cycle, searched to {curve.saturation_resolution:.0%}"
    rows = [
        ("Zero-load latency", f"{curve.zero_load_latency:.4g} cycles"),
        ("Saturation", f"{near} (latency is three times zero-load latency)"),
    ]
    if curve.capacity is not None:
        rows.append(("Bound", f"{curve.capacity:.4g} flits/terminal/cycle, where the busiest channel is never idle"))
    return rows


def _price_of(point: LoadPoint) -> dict[str, float | None]:
    """Energy of a flit delivered, and power; None: not priced."""
    return {"energy_pj_per_flit": point.energy.pj_per_flit if point.energy else None, "power_w": point.power_w}


def _cell(key: str, value: float | None) -> str:
    if value is None or math.isnan(value):
        return "-"
    if key == "packets":
        return f"{value:,}"
    return f"{value:.4g}" if key in ("load", "accepted") else f"{value:,.2f}"


def _curve_hottest(curve: Curve, topology: Topology) -> Group:
    point = curve.busiest_stable
    return hottest_table(_hottest(topology, point), f"Busiest channels at load {point.load:.4g}")


def _hottest(topology: Topology, point: LoadPoint) -> list[ChannelUse]:
    return hottest(topology, point.channel_flits, 1.0, HOTTEST, inject=point.inject_flits, eject=point.eject_flits)


def hottest_table(uses: Sequence[ChannelUse], title: str, *, flits: bool = False) -> Group:
    """Channels and how busy they are."""
    table = Table(title=Text(title, "bold"), box=SIMPLE_HEAD, title_justify="left", header_style="bold",
                  pad_edge=False, padding=(0, 1, 0, 0))  # fmt: skip
    table.add_column("channel")
    table.add_column("busy", justify="right")
    if flits:
        table.add_column("flits", justify="right")
    for use in uses:
        table.add_row(Text(use.name), f"{use.utilisation:.1%}", *([f"{use.flits:,.0f}"] if flits else []))
    return Group(table)


def _rows(rows: Sequence[tuple[str, str]]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, Text(value))
    return table


def replay_summary(replayed: Replay) -> dict[str, Any]:
    """The headline figures of a replay; times in cycles."""
    latency, arrivals, size = replayed.latency, replayed.arrivals, replayed.packets.size
    received = float(replayed.eject_flits.sum())
    return {
        "packets": int(size.size),
        "deliveries": int(replayed.targets.size),
        "flits": int(size.sum()),
        "cycles": replayed.cycles,
        "mean_latency": float(latency.mean()),
        "median_latency": float(np.median(latency)),
        "p99_latency": float(np.percentile(latency, 99)),
        "max_latency": int(latency.max()),
        "mean_network_latency": float(replayed.network_latency.mean()),
        "mean_hops": float(arrivals.hops.mean()),
        "flit_hops": int((arrivals.hops * size).sum()),
        "throughput_flits_per_cycle": received / replayed.cycles,
        "throughput_flits_per_terminal_cycle": received / replayed.cycles / replayed.eject_flits.size,
        **energy_document(replayed.energy),
    }


def energy_document(energy: CarriedEnergy | None) -> dict[str, Any]:
    """Energy of all flits of a run as plain data; None: not priced."""
    keys = ("pj_per_flit_hop", "pj_per_flit", "pj_per_bit")
    if energy is None:
        return dict.fromkeys(("energy_pj", "energy_parts_pj", *(f"energy_{key}" for key in keys)))
    return {"energy_pj": energy.total_pj, "energy_parts_pj": dict(energy.parts_pj),
            **{f"energy_{key}": getattr(energy, key) for key in keys}}  # fmt: skip


def _energy_words(energy: CarriedEnergy | None) -> str:
    if energy is None:
        return NO_PRICES
    if ROUTERS in energy.parts_pj:
        split = "routers, by their power, channels included"
    else:
        parts = [(part, pj) for part, pj in energy.parts_pj.items() if pj]
        split = ", ".join(f"{_PART_NAMES[part]} {pj / energy.total_pj:.0%}" for part, pj in parts)
    return (f"{with_unit(energy.total_pj / 1e12, 'J')}, dynamic: {split}\n"
            f"{energy.pj_per_flit_hop:.4g} pJ a flit and hop, {energy.pj_per_bit:.4g} pJ a delivered bit; "
            f"without {NOT_PRICED[0]}")  # fmt: skip


def replay_tables(replayed: Replay, topology: Topology) -> Group:
    """Everything that `pimsim noc replay` prints."""
    facts = replay_summary(replayed)
    several = facts["deliveries"] != facts["packets"]
    rows = [
        ("Packets", f"{facts['packets']:,}, {facts['flits']:,} flits"
                    + (f", to {facts['deliveries']:,} terminals" if several else "")),
        ("Cycles", f"{facts['cycles']:,} from the first creation to the last arrival"),
        ("Latency", f"mean {facts['mean_latency']:,.2f}, median {facts['median_latency']:,.0f}, "
                    f"99 % {facts['p99_latency']:,.0f}, largest {facts['max_latency']:,} cycles, from creation"),
        ("In the network", f"mean {facts['mean_network_latency']:,.2f} cycles"),
        ("Hops", f"mean {facts['mean_hops']:.2f} routers"),
        ("Throughput", f"{facts['throughput_flits_per_cycle']:.4g} flits/cycle, "
                       f"{facts['throughput_flits_per_terminal_cycle']:.4g} for each terminal"),
        ("Energy", _energy_words(replayed.energy)),
    ]  # fmt: skip
    return Group(
        Text(replay_title(replayed), "bold"), _rows(rows),
        hottest_table(_replay_hottest(replayed, topology), "Busiest channels", flits=True),
    )  # fmt: skip


def _replay_hottest(replayed: Replay, topology: Topology) -> list[ChannelUse]:
    arrivals = replayed.arrivals
    return hottest(topology, arrivals.channel_flits, replayed.cycles, HOTTEST, inject=replayed.inject_flits,
                   eject=replayed.eject_flits)  # fmt: skip


def check_tables(checked: Check) -> Group:
    """Everything that `pimsim noc check` prints."""
    found = checked.found
    bisection, capacity = "not searched for, the graph is large", "not known, the routing is adaptive"
    if found.bisection_channels is not None:
        bisection = f"{found.bisection_channels:,} channels between two halves, both directions together"
    if checked.capacity is not None:
        capacity = f"{checked.capacity:.4g} flits/terminal/cycle, uniform: then the busiest channel is never idle"
    rows = [
        ("Topology", f"{found.topology}: {found.routers:,} routers of {checked.ports} ports, {found.terminals:,} "
                     f"terminals, {found.channels:,} channels"),
        ("Routing", f"{found.routing}, {checked.vcs} virtual channels"),
        ("Deadlock", "cannot occur: no channels wait for each other in a circle" if found.deadlock_free else
                     f"can occur: {len(found.cycle)} channels may wait for each other in a circle"),
        ("Diameter", f"{found.diameter} channels"),
        ("Hops", f"mean {checked.mean_hops:.4g}, at most {checked.longest_route} routers, of all pairs of terminals"),
        ("Bisection", bisection),
        ("Zero-load latency", f"mean {checked.zero_load_cycles:.4g}, at most {checked.longest_cycles:.4g} cycles, "
                              f"{packet_words(checked.packet_flits)}"),
        ("Bound", capacity),
    ]  # fmt: skip
    cycle = [Text(f"  {name}", "bold red") for name in found.cycle]
    if cycle:
        cycle = [Text("The circle:", "bold red"), *cycle]
    offers = [Text(f"free of deadlock: {offer}") for offer in found.offers]
    return Group(Text(checked.network, "bold"), _rows(rows), *cycle, *offers)


def check_document(checked: Check) -> dict[str, Any]:
    """A check as plain data."""
    data = asdict(checked)
    found = data.pop("found")
    return {"format": CHECK_FORMAT, "pimsim_version": __version__, "deadlock_free": checked.found.deadlock_free,
            **data, **found}  # fmt: skip


def curve_document(curve: Curve, network: BuiltNetwork) -> dict[str, Any]:
    """A curve as plain data: everything but the channels, of which the busiest are told."""
    apart = ("channel_flits", "inject_flits", "eject_flits", "energy", "power_w")
    points = [
        {key: _plain(value) for key, value in vars(point).items() if key not in apart}
        | _price_of(point) | {"power_parts_w": _power_parts(point)}
        for point in curve.points
    ]  # fmt: skip
    rest = {key: value for key, value in vars(curve).items() if key != "points"}
    return {
        "format": CURVE_FORMAT, "pimsim_version": __version__, **rest, "unstable": curve.unstable_words(),
        "points": points, "hottest_load": curve.busiest_stable.load,
        "hottest": [asdict(use) for use in _hottest(network.topology, curve.busiest_stable)],
        "not_priced": list(NOT_PRICED),
        "config": _config(network),
    }  # fmt: skip


def _power_parts(point: LoadPoint) -> dict[str, float] | None:
    if point.energy is None or point.power_w is None:
        return None
    total = point.energy.total_pj or 1.0
    return {part: point.power_w * pj / total for part, pj in point.energy.parts_pj.items()}


def replay_document(replayed: Replay, network: BuiltNetwork) -> dict[str, Any]:
    """A replay as plain data: the headline figures and the busiest channels."""
    return {
        "format": REPLAY_FORMAT, "pimsim_version": __version__, "network": replayed.network,
        "topology": replayed.topology, "routing": replayed.routing, "summary": replay_summary(replayed),
        "hottest": [asdict(use) for use in _replay_hottest(replayed, network.topology)],
        "not_priced": list(NOT_PRICED),
        "config": _config(network),
    }  # fmt: skip


def _config(network: BuiltNetwork) -> dict[str, Any] | None:
    return None if network.spec is None else network.spec.model_dump(mode="json")


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def curve_csv(curve: Curve) -> str:
    """One row a load."""
    columns = [*_POINT, "stable", "cycles"]
    rows = [[*(_plain(getattr(point, column)) for column in columns), *_price_of(point).values()]
            for point in curve.points]  # fmt: skip
    return _csv([*columns, "energy_pj_per_flit", "power_w", "zero_load_latency", "saturation_load"],
                [[*row, curve.zero_load_latency, curve.saturation_load] for row in rows])  # fmt: skip


def channels_csv(network: BuiltNetwork, columns: Mapping[str, tuple[np.ndarray, float]]) -> str:
    """One row a channel; flits and share of busy cycles of each column, given as flits (C,) and cycles.

    ``flit_pj`` is the energy of one flit over the channel alone; nothing where it is not priced apart from routers.
    """
    topology = network.topology
    head = ["channel", "source", "target", "name", "dimension", "vertical", "flit_pj"]
    values = []
    energy = None if network.spec is None else flit_pj_of_channels(network.spec, topology)
    price = [None] * topology.channels if energy is None else energy.tolist()
    for name, (flits, cycles) in columns.items():
        head += [f"flits{name}", f"busy{name}"]
        values += [flits.tolist(), utilisation(topology, flits, cycles).tolist()]
    rows = [
        [c, int(topology.source[c]), int(topology.target[c]), topology.channel_name(c), int(topology.dimension[c]),
         bool(topology.vertical[c]), price[c], *(value[c] for value in values)]
        for c in range(topology.channels)
    ]  # fmt: skip
    return _csv(head, rows)


def _csv(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([head, *rows])
    return text.getvalue()
