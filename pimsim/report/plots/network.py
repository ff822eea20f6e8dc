"""How busy the channels of a chip's network are: the chip with the busiest channel, tier by tier."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from pimsim.config.records import System
from pimsim.network.topology import build_topology
from pimsim.report.labels import run_title
from pimsim.report.plots import channels
from pimsim.results.record import Result

TIERS = {"reram": "ReRAM tiles", "gpu": "GPU cores"}


def draw(result: Result) -> Figure:
    """One arrow a channel; raises LookupError where the network has none, or was ideal."""
    links = result.links
    if not links.channels:
        raise LookupError("an ideal network has no channels")
    described = System.model_validate(result.source.config).chip
    topology = build_topology(described.noc)
    tiles = result.tiles
    busy = np.array(links.channels).reshape(tiles.chips, -1)
    chip = int(np.argmax(busy.max(axis=1)))
    own = slice(chip * tiles.tiles_per_chip, (chip + 1) * tiles.tiles_per_chip)
    ends = [np.zeros(topology.terminals), np.zeros(topology.terminals)]
    for end, share in zip(ends, (links.inject, links.eject), strict=True):
        end[: tiles.tiles_per_chip] = share[own]
    which = f"\nchip {chip} of {tiles.chips}, the one with the busiest channel" if tiles.chips > 1 else ""
    return channels.draw(
        topology, busy[chip] / topology.flit_cycles, 1.0, run_title(result) + which, inject=ends[0], eject=ends[1],
        tier_names=[TIERS[kind] for kind in described.tiers or ()],
    )  # fmt: skip
