"""Against HotSpot, an independent program: recorded temperatures of its own examples.

The floorplan, the mean of the power trace and the configuration are those of `examples/example1` of HotSpot
(github.com/uvahotspot/HotSpot, commit f18831e): an Alpha EV6 on HotSpot's package with a convection resistance of
0.1 K/W.  The temperatures are what a run of that example with the grid model of 32 x 32 cells left behind
(github.com/Bwoah-Kimi/HotSpot, examples/example1/outputs/gcc.steady).  HotSpot's temperature of a block is the plain
mean of all cells that the block touches.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pimsim.thermal import Conduction, PowerMap, Stack, stack_for_tiers, steady_state

#: block, width, depth, x, y [mm], mean power [W], HotSpot's temperature [K]
EV6 = (
    ("L2_left", 4.9, 6.2, 0, 9.8, 0.99527, 324.62), ("L2", 16, 9.8, 0, 0, 5.0855, 323.94),
    ("L2_right", 4.9, 6.2, 11.1, 9.8, 0.99527, 325.18), ("Icache", 3.1, 2.6, 4.9, 9.8, 5.388, 329.54),
    ("Dcache", 3.1, 2.6, 8, 9.8, 10.3192, 332.13), ("Bpred_0", 1.033, 0.7, 4.9, 12.4, 0.943167, 329.61),
    ("Bpred_1", 1.033, 0.7, 5.933, 12.4, 0.943167, 331.57), ("Bpred_2", 1.033, 0.7, 6.967, 12.4, 0.943167, 331.64),
    ("DTB_0", 1.033, 0.7, 8, 12.4, 0.043053, 331.11), ("DTB_1", 1.033, 0.7, 9.033, 12.4, 0.043053, 331.54),
    ("DTB_2", 1.033, 0.7, 10.067, 12.4, 0.043053, 329.95), ("FPAdd_0", 1.1, 0.9, 4.9, 13.1, 0.41538, 328.35),
    ("FPAdd_1", 1.1, 0.9, 6, 13.1, 0.41538, 329.63), ("FPReg_0", 0.55, 0.38, 4.9, 14, 0.12951, 327.28),
    ("FPReg_1", 0.55, 0.38, 5.45, 14, 0.12951, 328.51), ("FPReg_2", 0.55, 0.38, 6, 14, 0.12951, 329.11),
    ("FPReg_3", 0.55, 0.38, 6.55, 14, 0.12951, 328.69), ("FPMul_0", 1.1, 0.95, 4.9, 14.38, 0.444505, 327.12),
    ("FPMul_1", 1.1, 0.95, 6, 14.38, 0.444505, 328.42), ("FPMap_0", 1.1, 0.67, 4.9, 15.33, 0.018553, 325.96),
    ("FPMap_1", 1.1, 0.67, 6, 15.33, 0.018553, 327.48), ("IntMap", 0.9, 1.35, 7.1, 14.65, 0.70293, 328.89),
    ("IntQ", 1.3, 1.35, 8, 14.65, 0.2408, 331.23), ("IntReg_0", 0.9, 0.67, 9.3, 15.33, 1.7431, 337.71),
    ("IntReg_1", 0.9, 0.67, 10.2, 15.33, 1.7431, 336.34), ("IntExec", 1.8, 2.23, 9.3, 13.1, 5.0736, 333.27),
    ("FPQ", 0.9, 1.55, 7.1, 13.1, 0.023649, 329.07), ("LdStQ", 1.3, 0.95, 8, 13.7, 2.4054, 333.89),
    ("ITB_0", 0.65, 0.6, 8, 13.1, 0.12896, 331.93), ("ITB_1", 0.65, 0.6, 8.65, 13.1, 0.12896, 332.62),
)  # fmt: skip


def stack(slices: int) -> Stack:
    """HotSpot's package; spreader and sink in so many slices each."""
    whole = stack_for_tiers(1, 16e-3, 16e-3, convection_resistance=0.1)
    layers = tuple(replace(each, slices=slices if each.name in ("spreader", "sink") else 1) for each in whole.layers)
    return replace(whole, layers=layers)


def blocks() -> tuple[np.ndarray, PowerMap, np.ndarray]:
    """((blocks, 4) x, y, width, depth [m], powers, (blocks,) HotSpot's temperatures)."""
    figures = np.array([row[1:] for row in EV6])
    width, depth, x, y = figures[:, :4].T * 1e-3
    power = PowerMap(x, y, width, depth, np.zeros(len(EV6), int), figures[:, 4])
    return np.stack([x, y, width, depth], axis=1), power, figures[:, 5]


def block_means(temperature_k: np.ndarray, places: np.ndarray, conduction: Conduction) -> np.ndarray:
    """(blocks,) plain mean over the cells that each touches [K]."""
    means = []
    for x, y, width, depth in places:
        one = PowerMap(*(np.array([each]) for each in (x, y, width, depth, 0, 1.0)))
        means.append(temperature_k[one.on(conduction.grid)[0] > 1e-9].mean())
    return np.array(means)


def test_hotspots_scheme_gives_hotspots_temperatures() -> None:
    """What is left, 1 % of the rise, is the package beside the die: twelve nodes there, a grid here."""
    places, power, recorded = blocks()
    conduction = Conduction(stack(1), 32, 32, far_share=1.0)
    found = steady_state(conduction, power)
    ours = block_means(found.temperature_k[0], places, conduction)
    assert abs(ours - recorded).max() < 0.25
    assert abs(ours - recorded).mean() < 0.15
    assert np.corrcoef(ours, recorded)[0, 1] > 0.9995


def test_our_scheme_is_hotter_and_thinner_slices_say_that_it_is_right() -> None:
    places, power, recorded = blocks()
    rises = {}
    for far_share, thin in ((0.5, False), (1.0, False), (1.0, True)):
        layers = stack(4)
        if thin:
            factor = {"spreader": 16, "sink": 32}
            parts = tuple(replace(each, slices=factor.get(each.name, 4)) for each in layers.layers)
            layers = replace(layers, layers=parts)
        conduction = Conduction(layers, 32, 32, far_share=far_share)
        found = block_means(steady_state(conduction, power).temperature_k[0], places, conduction)
        rises[far_share, thin] = found - 318.15
    ours, theirs, theirs_thin = rises.values()
    assert 1.1 < (ours / (recorded - 318.15)).max() < 1.2
    assert abs(theirs_thin - ours).max() < 0.35 * abs(theirs - ours).max()


def test_tiles_of_a_small_die_differ_as_hotspot_says() -> None:
    """Nine tiles on 0.9 mm (the same repository, examples/cim_tiles, 64 x 64 cells; mean of six rows of powers).

    Its configuration was not kept, and the package differs by what an even offset can take up; the tiles' temperatures
    less those of the spreader below them do not depend on it.
    """
    die = np.array([[325.50, 326.02, 326.29], [325.49, 325.76, 326.00], [325.70, 326.19, 326.56]])
    spreader = np.array([[319.05, 319.13, 319.07], [319.12, 319.22, 319.15], [319.05, 319.14, 319.08]])
    watts = np.array([[0.48, 0.75, 0.75], [0.48, 0.39, 0.42], [0.54, 0.75, 0.84]]) / 6
    package = replace(stack(1), width_m=9e-4, depth_m=9e-4)
    conduction = Conduction(package, 66, 66, far_share=1.0)
    column, row = np.mgrid[:3, :3].reshape(2, 9) * 3e-4
    side = np.full(9, 3e-4)
    found = steady_state(conduction, PowerMap(column, row, side, side, np.zeros(9, int), watts.ravel()))
    grid = conduction.grid
    planes = (found.temperature_k[0], 318.15 + grid.box(found.rise_k)[2, grid.y.die, grid.x.die])
    ours = [plane.reshape(3, 22, 3, 22).mean(axis=(1, 3)).T for plane in planes]
    assert abs((ours[0] - ours[1]) - (die - spreader)).max() < 0.06
