"""Pictures of networks and curves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import PolyCollection

from pimsim.config.network import Network
from pimsim.network.topology import Topology, build_topology
from pimsim.noc.records import Curve, LoadPoint
from pimsim.report.plots import channels, latency_curve, style

TOPOLOGIES = [
    {"kind": "mesh", "shape": [1]},
    {"kind": "mesh", "shape": [5, 4]},
    {"kind": "mesh", "shape": [3, 3, 5]},
    {"kind": "torus", "shape": [4, 3]},
    {"kind": "torus", "shape": [3, 3, 3]},
    {"kind": "mesh", "shape": [2, 2, 2, 2]},
    {"kind": "small_world", "routers": 12, "neighbours": 4, "rewiring": 0.2},
    {"kind": "graph", "edges": [{"ends": [0, 3]}, {"ends": [3, 1], "one_way": True}, {"ends": [1, 0]}]},
    {"kind": "graph", "edges": [{"ends": [0, 1]}], "places": [[0, 0, 0], [0, 0, 2]]},
]  # fmt: skip


def topology(spec: dict) -> Topology:
    return build_topology(Network(topology=spec, flit_bits=64, clock_ghz=1.0))  # type: ignore[arg-type]


@pytest.mark.parametrize("spec", TOPOLOGIES, ids=lambda spec: spec["kind"])
def test_every_channel_is_drawn_in_the_colour_of_its_use(spec: dict, tmp_path: Path) -> None:
    built = topology(spec)
    flits = np.arange(built.channels)
    with style.in_style():
        figure = channels.draw(built, flits, 2.0 * built.channels, "title", inject=np.ones(built.terminals),
                               eject=np.zeros(built.terminals))  # fmt: skip
        style.save(figure, tmp_path / "a", ("png", "svg"))
    assert (tmp_path / "a.png").stat().st_size > 3000
    sets = [each for each in figure.axes[0].collections if isinstance(each, PolyCollection)]
    drawn = next((each for each in sets if each.get_zorder() == 2 and len(each.get_paths())), None)
    if built.channels == 0:
        assert drawn is None
        return
    assert drawn is not None and len(drawn.get_paths()) == built.channels
    busiest = drawn.get_facecolor()[-1]
    top = max(100 * flits.max() / (2 * built.channels), 100 / (2 * built.channels))
    assert busiest == pytest.approx(channels.HEAT(50 * flits.max() / built.channels / top), abs=0.02)


def test_directions_of_a_channel_do_not_lie_on_each_other() -> None:
    built = topology({"kind": "mesh", "shape": [2, 1]})
    with style.in_style():
        figure = channels.draw(built, np.ones(2), 10, "title")
    drawn = next(each for each in figure.axes[0].collections if each.get_zorder() == 2)
    one, other = (path.vertices for path in drawn.get_paths())
    assert one[:, 1].min() > 0 > other[:, 1].max() or other[:, 1].min() > 0 > one[:, 1].max()


def test_names_are_readable_on_any_colour() -> None:
    built = topology({"kind": "graph", "edges": [{"ends": [0, 1]}, {"ends": [1, 2]}, {"ends": [2, 3]}]})
    busy = [np.array([0.0, 10, 0, 10]), np.array([0.0, 10, 10, 0])]  # of the two halves of a square
    with style.in_style():
        figure = channels.draw(built, np.ones(built.channels), 10, "title", inject=busy[0], eject=busy[1])
    names = {text.get_text(): text for text in figure.axes[0].texts}
    assert [names[str(router)].get_color() for router in range(4)] == ["black", "white", "black", "black"]
    assert [bool(names[str(router)].get_path_effects()) for router in range(4)] == [False, False, True, True]


def test_idle_channels_are_thin_and_large_graphs_are_drawn_no_larger_than_needed() -> None:
    built = topology({"kind": "small_world", "routers": 64, "neighbours": 4, "rewiring": 0.2, "seed": 1})
    flits = np.zeros(built.channels)
    flits[:100] = 1
    with style.in_style():
        figure = channels.draw(built, flits, 10, "title")
    assert max(figure.get_size_inches()) < 9
    assert min(text.get_fontsize() for text in figure.axes[0].texts) > 7
    drawn = next(each for each in figure.axes[0].collections if each.get_zorder() == 2)
    shaft = [np.linalg.norm(path.vertices[0] - path.vertices[6]) for path in drawn.get_paths()]
    idle = built.channels - 100  # busy ones lie above idle ones
    assert max(shaft[:idle]) < 0.5 * min(shaft[idle:])


def curve(*points: tuple[float, float, bool], saturation: float | None = 0.4) -> Curve:
    nothing = np.zeros(0)
    return Curve(
        network="n", topology="mesh", routing="xy", pattern="uniform", packet_flits=5, senders=4, seeds=(0, 1),
        zero_load_latency=20.0, capacity=0.5, saturation_load=saturation, saturation_resolution=0.01,
        points=tuple(
            LoadPoint(load, latency, 1.0, latency, 2 * latency, latency, load, 3.0, stable, 10, 100, nothing, nothing,
                      nothing) for load, latency, stable in points
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    "drawn",
    [
        curve((0.1, 21.0, True), (0.3, 30.0, True), (0.45, 900.0, False)),
        curve((0.45, 900.0, False)),
        curve((0.1, 21.0, True), saturation=None),
    ],
)
def test_a_curve_marks_saturation_and_what_is_unstable(drawn: Curve, tmp_path: Path) -> None:
    with style.in_style():
        figure = latency_curve.draw(drawn)
        style.save(figure, tmp_path / "a", ("png",))
    words = {text.get_text() for text in figure.axes[0].texts}
    labels = {text.get_text() for text in figure.axes[0].get_legend().get_texts()}
    assert ("saturation 0.4" in words) == (drawn.saturation_load is not None)
    assert ("no steady state" in labels) == any(not point.stable for point in drawn.points)
    assert figure.axes[0].get_ylim()[1] < 6.5 * drawn.zero_load_latency
