"""The output folder of a curve or a replay: documents, tables and plots, all of them or none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pimsim.noc.network import BuiltNetwork
from pimsim.noc.records import Curve, Replay
from pimsim.report import noc
from pimsim.results.staging import filled_folder, write_texts

CURVE, POINTS, SUMMARY, PACKETS, CHANNELS = "curve.json", "curve.csv", "summary.json", "packets.npz", "channels.csv"
FILES = {
    "curve": (CURVE, POINTS, "latency.png", "latency.svg", CHANNELS, "channels.png", "channels.svg"),
    "replay": (SUMMARY, PACKETS, CHANNELS, "channels.png", "channels.svg"),
}
"""That each command writes."""


@dataclass(frozen=True)
class NocFolder:
    """Where results go; files become visible when the block of :func:`noc_folder` ends."""

    fill: Callable[[Callable[[Path], None]], None]  #: with what writes into a folder

    def fill_curve(self, curve: Curve, network: BuiltNetwork) -> None:
        """The points, the channels' use at each load, and plots.

        Raises:
            InputError: the disk is full, or the folder has gone.
        """
        self.fill(partial(_write_curve, curve, network))

    def fill_replay(self, replayed: Replay, network: BuiltNetwork) -> None:
        """The packets, the channels' use, and plots; errors as :meth:`fill_curve`."""
        self.fill(partial(_write_replay, replayed, network))


@contextmanager
def noc_folder(path: str | Path, command: Literal["curve", "replay"]) -> Iterator[NocFolder]:
    """A folder to fill, see :func:`pimsim.results.staging.filled_folder`; a curve and a replay may share it."""
    with filled_folder(path, FILES[command], _write) as fill:
        yield NocFolder(fill)


def _write(write: Callable[[Path], None], stage: Path) -> None:
    write(stage)


def _write_curve(curve: Curve, network: BuiltNetwork, stage: Path) -> None:
    used = {f"_at_{point.load:.6g}": (point.channel_flits, 1.0) for point in curve.points}
    texts = {
        CURVE: document_text(noc.curve_document(curve, network)),
        POINTS: noc.curve_csv(curve),
        CHANNELS: noc.channels_csv(network, used),
    }
    write_texts(texts, stage)
    _plot_curve(curve, network, stage)


def _write_replay(replayed: Replay, network: BuiltNetwork, stage: Path) -> None:
    texts = {
        SUMMARY: document_text(noc.replay_document(replayed, network)),
        CHANNELS: noc.channels_csv(network, {"": (replayed.arrivals.channel_flits, replayed.cycles)}),
    }
    write_texts(texts, stage)
    np.savez_compressed(stage / PACKETS, **_packet_arrays(replayed))  # type: ignore[arg-type]
    _plot_replay(replayed, network, stage)


def document_text(document: Mapping[str, Any]) -> str:
    """JSON; NaN cannot occur."""
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def _packet_arrays(replayed: Replay) -> dict[str, np.ndarray]:
    """Arrays of one element a packet, by name.

    Packets to several terminals have dst -1, and all terminals are in ``targets``, those of packet p from
    ``first_target[p]`` to ``first_target[p + 1]``.  Copies of a packet have the same ``row``, counted from 0.
    """
    packets, arrivals = replayed.packets, replayed.arrivals
    several = np.diff(replayed.first) > 1
    arrays = {
        "src": packets.source,
        "dst": np.where(several, -1, replayed.targets[replayed.first[:-1]]),
        "size": packets.size,
        "ctime": packets.ctime,
        "itime": arrivals.itime,
        "atime": arrivals.atime,
        "hops": arrivals.hops,
    }
    if np.any(several):
        arrays |= {"first_target": replayed.first, "targets": replayed.targets}
    if replayed.row.size and replayed.row[-1] != replayed.row.size - 1:
        arrays |= {"row": replayed.row}
    return arrays


def _plot_curve(curve: Curve, network: BuiltNetwork, stage: Path) -> None:
    from pimsim.report.plots import channels, latency_curve, style  # matplotlib takes long to import

    point = curve.busiest_stable
    title = f"{noc.curve_title(curve)}\nload {point.load:.4g}, the highest measured with a steady state"
    with style.in_style():
        style.save(latency_curve.draw(curve), stage / "latency", ("png", "svg"))
        figure = channels.draw(network.topology, point.channel_flits, 1.0, title, inject=point.inject_flits,
                               eject=point.eject_flits)  # fmt: skip
        style.save(figure, stage / "channels", ("png", "svg"))


def _plot_replay(replayed: Replay, network: BuiltNetwork, stage: Path) -> None:
    from pimsim.report.plots import channels, latencies, style

    title = f"{noc.replay_title(replayed)}\n{replayed.cycles:,} cycles"
    with style.in_style():
        style.save(latencies.draw(replayed), stage / "latency", ("png", "svg"))
        figure = channels.draw(network.topology, replayed.arrivals.channel_flits, replayed.cycles, title,
                               inject=replayed.inject_flits, eject=replayed.eject_flits)  # fmt: skip
        style.save(figure, stage / "channels", ("png", "svg"))
