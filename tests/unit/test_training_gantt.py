"""Three layers in training, batches of two images, forward to update, computed by hand: with and without BatchNorm.

The chip is one ReRAM tile and, on the tier above, one GPU core.  Every layer has one weight, so that times are those of
the pipeline alone.  In slots of 100 ns (letters as in test_gantt.py), with inputs in two 8-bit steps:

    matrix   r x x x x o a   read at s, two reads of the crossbars, ADC and shift-and-add each one slot behind, output,
                             activation: sent at s + 7, there (w) for whoever reads from s + 8 on; the next one may be
                             read at s + 2
    update   r W W W o a     the row is read for 100 ns and written for 200: sent at s + 6, in force from s + 7 on
    kernel   2.4 slots       launch; what it computes and moves takes no picosecond worth mentioning

A GPU core knows no slots.  The network is so fast (1 ps a cycle) that a journey, too, is nothing but the wait for the
next slot: what leaves a tile or a core at 26.4 is read in a tile at 27; what leaves at 24 is in the core's memory at
24.0.  Times are rounded to a tenth of a slot; what is rounded away stays below a nanosecond.

There is one place for an image in front of a matrix, and two where two images pass or wait for each other.
"""

from __future__ import annotations

import numpy as np
import pytest

from pimsim.arch.run import run_compiled
from pimsim.config.records import System
from pimsim.mapping.compile import map_network
from pimsim.mapping.program import Program
from pimsim.mapping.timing import Timing
from pimsim.reference import run_simpy
from pimsim.workload.training import Training, expand_training
from tests.networks import Network
from tests.unit.test_gantt import SLOT_PS, small

SLOTTED = ("mvm", "update")


@pytest.fixture(params=[run_compiled, run_simpy], ids=["compiled", "reference"])
def engine(request):
    return request.param


@pytest.fixture(params=["packet", "ideal"])
def network(request):
    return request.param


def one_tile_and_one_core() -> System:
    """A tile of eight IMAs, and a GPU core above it, whose kernels take 240 ns."""
    data = small("chip.tile.ima.dac.bits=8", "chip.tile.imas=8").model_dump(mode="json")
    chip, link = data["chip"], {"latency": 1, "width_bits": None}
    topology = {"kind": "mesh", "shape": (1, 1, 2), "links": [link, link, link | {"vertical": True}]}
    chip["noc"] |= {"topology": topology, "routing": None, "io_router": 0, "concentration": 1, "clock_ghz": 1000.0}
    chip["tiers"], chip["tiles"] = ("reram", "gpu"), 2
    chip["tile"]["ima"]["crossbar"] |= {"read_ns": 100.0, "write_row_ns": 200.0, "write_pulses": 1}
    chip["gpu_core"] = {
        "multiprocessors": 1, "clock_ghz": 1.0, "flops_per_clock": 10**6, "launch_ns": 240.0, "occupancy": 1.0,
        "memory": {"mib": 1, "gb_per_s": 1e8, "latency_ns": 0, "pj_per_bit": 0.0, "source": "none"},
        "cost": {"source": "none"},
    }  # fmt: skip
    return System.model_validate(data)


def trained(normalised: bool, network: str) -> Program:
    """Two 1x1 convolutions and a fully connected layer on one pixel, in training on batches of two."""
    net = Network()
    x = net.conv(net.input(1, 1, 1), 1, kernel=1, relu=False)
    if normalised:
        x = net.batch_norm(x)
    net.fc(net.conv(x, 1, kernel=1, relu=False), 1)
    system = one_tile_and_one_core()
    options = Training(2, system.chip.tile.ima.crossbar.rows, system.chip.gpu_cores)
    return map_network(expand_training(net.finish(), options), system, network)


def spans(timing: Timing, program: Program) -> dict[str, list[tuple[float, float]]]:
    """Begin and end of each run of each node but the host, by name [slots]."""
    found = {}
    for i, node in enumerate(program.dataflow.nodes):
        if node.kind == "input":
            continue
        assert np.diff(program.replicas.window_first[i : i + 2]) == 1, "one replica with one window"
        window = program.replicas.window_first[i]
        started, sent = timing.window_start_ps[:, window], timing.window_sent_ps[:, window]
        run = zip(started[started >= 0], sent[started >= 0], strict=True)
        found[node.name] = [tuple(_in_slots(time, node.kind in SLOTTED) for time in times) for times in run]
    return found


def _in_slots(time_ps: int, slotted: bool) -> float:
    """Exactly a slot of a tile; of a core, a tenth of one that lies less than a nanosecond before."""
    assert time_ps % (SLOT_PS if slotted else SLOT_PS // 10) < (1 if slotted else 1000), time_ps
    return int(time_ps) // (SLOT_PS // 10) / 10


def later(each: dict[str, list[tuple[float, float]]], by: int) -> dict[str, list[tuple[float, float]]]:
    """The same chart, some slots later."""
    moved = {name: [(round(begin + by, 1), round(end + by, 1)) for begin, end in runs] for name, runs in each.items()}
    return {name: [*runs, *moved[name]] for name, runs in each.items()}


class TestWithoutBatchNorm:
    """Image after image, and both through before the weights change; an iteration is 62 slots.

        slot                     1       9       17        27      35      43     50    56     63
        conv1                    0------| 1------|                                             2
        conv2                            0------| 1------|
        fc3                                      0------| 1------|
        fc3/backward                                       0------| 1------|
        conv2/backward                                             0------| 1------|
        fc3/update                                                         rWWWoa|
        fc3/backward/update                                                rWWWoa|
        conv2/update                                                              rWWWoa|
        conv2/backward/update                                                     rWWWoa|
        conv1/update                                                                    rWWWoa|

    Image 1 enters conv1 at 10, not 3: conv2 has one place, which is free when image 0 has been read at 9; and so on,
    nine slots behind image 0 everywhere.  Nobody needs the gradient of the image: conv1 has no backward.

        core   24.0 loss 0 | 26.4 dW3 0 | 28.8
               33.0 loss 1 | 35.4 dW2 0 | 37.8 dW3 1 | 40.2 step 3 | 42.6 dW1 0 | 45.0 dW2 1 | 47.4 step 2 | 49.8
               51.0 dW1 1 | 53.4 step 1 | 55.8

    Who asks first is served first: dW2 0 asks at 34 (fc3/backward 0 sends), dW3 1 at 35.4 (loss 1 sends), step 3 at
    40.2, dW1 0 at 42, dW2 1 at 43, step 2 at 47.4.  dW1 0 has waited from 42 for step 3, dW2 1 from 43 for dW1 0.
    A gradient that adds to the sum of the batch sends only after image 1.  A step that leaves at 42.6 is written from
    43 on, into the matrix and its transposed copy alike.  The last, of conv1, is in force at 63, where image 2 begins.
    """

    CHART = {
        "conv1": [(1, 8), (10, 17)],
        "conv2": [(9, 16), (18, 25)],
        "fc3": [(17, 24), (26, 33)],
        "fc3/loss": [(24.0, 26.4), (33.0, 35.4)],
        "fc3/gradient:0": [(26.4, 28.8), (37.8, 40.2)],
        "fc3/backward": [(27, 34), (36, 43)],
        "conv2/gradient:0": [(35.4, 37.8), (45.0, 47.4)],
        "conv2/backward": [(35, 42), (44, 51)],
        "conv1/gradient:0": [(42.6, 45.0), (51.0, 53.4)],
        "fc3/optimiser:0": [(40.2, 42.6)],
        "conv2/optimiser:0": [(47.4, 49.8)],
        "conv1/optimiser:0": [(53.4, 55.8)],
        "fc3/update": [(43, 49)],
        "fc3/backward/update": [(43, 49)],
        "conv2/update": [(50, 56)],
        "conv2/backward/update": [(50, 56)],
        "conv1/update": [(56, 62)],
    }

    def test_every_run_of_two_iterations(self, engine, network):
        program = trained(normalised=False, network=network)
        assert spans(engine(program, 4, log=True), program) == later(self.CHART, by=62)

    def test_an_iteration_is_done_with_its_last_weight(self, engine, network):
        timing = engine(trained(normalised=False, network=network), 6)
        assert timing.image_done_ps.tolist() == [63 * SLOT_PS, (63 + 62) * SLOT_PS, (63 + 124) * SLOT_PS]

    def test_the_core_works_and_kernels_wait(self, engine):
        """Eleven kernels of 2.4 slots; dW2 0 waits 1.4, dW3 1 2.4, dW1 0 0.6, dW2 1 2.0."""
        timing = engine(trained(normalised=False, network="packet"), 2)
        core = timing.ports["core"]
        assert (core.count[1], core.busy_ps[1] // 1000, core.wait_ps[1] // 1000) == (11, 11 * 240, 640)


class TestWithBatchNorm:
    """Both images wait for the mean of both, forward and again backward; an iteration is 83 slots.

        slot                     1                18      26        36      44      52     59                77     84
        conv1                    0-1------|                                                                         2 3
        conv3                                     0------| 1------|
        fc4                                               0------| 1------|
        fc4/backward                                                0------| 1------|
        conv3/backward                                                      0------| 1------|
        fc4/update                                                                  rWWWoa|
        fc4/backward/update                                                         rWWWoa|
        conv3/update                                                                       rWWWoa|
        conv3/backward/update                                                              rWWWoa|
        conv1/update                                                                                         rWWWoa|

    In front of the barrier are places for both images: conv1 reads image 1 as soon as its input registers take it, at
    3.  The statistics add up image 0 and image 1 and send once.

        core    8.0 sums 0 | 10.4 sums 1 | 12.8 mean | 15.2 norm 0 | 17.6
               19.0 norm 1 | 21.4
               33.0 loss 0 | 35.4 dW4 0 | 37.8
               42.0 loss 1 | 44.4 dW3 0 | 46.8 dW4 1 | 49.2 step 4 | 51.6 back sums 0 | 54.0 dW3 1 | 56.4 step 3 | 58.8
               60.0 back sums 1 | 62.4 back mean | 64.8 back norm 0 | 67.2 back norm 1 | 69.6 dW1 0 | 72.0 dW1 1
                                                                                      | 74.4 step 1 | 76.8

    norm 1 could begin at 17.6, but conv3 has one place, free when image 0 has been read, at 19.  conv3 takes image 1
    at 27 for the same reason: fc4 has read image 0 at 26.  back sums 0 asks at 51 and waits for step 4, dW3 1 at 52
    for back sums 0.  back norm 1 asks at 67.2 sharp; dW1 0 a few picoseconds later, when the gradient that back norm 0
    has sent at 67.2 is in the memory.
    """

    CHART = {
        "conv1": [(1, 8), (3, 10)],
        "norm2/statistics": [(8.0, 10.4), (10.4, 12.8)],
        "norm2/combine": [(12.8, 15.2)],
        "norm2": [(15.2, 17.6), (19.0, 21.4)],
        "conv3": [(18, 25), (27, 34)],
        "fc4": [(26, 33), (35, 42)],
        "fc4/loss": [(33.0, 35.4), (42.0, 44.4)],
        "fc4/gradient:0": [(35.4, 37.8), (46.8, 49.2)],
        "fc4/backward": [(36, 43), (45, 52)],
        "conv3/gradient:0": [(44.4, 46.8), (54.0, 56.4)],
        "conv3/backward": [(44, 51), (53, 60)],
        "norm2/backward/statistics": [(51.6, 54.0), (60.0, 62.4)],
        "norm2/backward/combine": [(62.4, 64.8)],
        "norm2/backward": [(64.8, 67.2), (67.2, 69.6)],
        "conv1/gradient:0": [(69.6, 72.0), (72.0, 74.4)],
        "fc4/optimiser:0": [(49.2, 51.6)],
        "conv3/optimiser:0": [(56.4, 58.8)],
        "conv1/optimiser:0": [(74.4, 76.8)],
        "fc4/update": [(52, 58)],
        "fc4/backward/update": [(52, 58)],
        "conv3/update": [(59, 65)],
        "conv3/backward/update": [(59, 65)],
        "conv1/update": [(77, 83)],
    }

    def test_every_run_of_two_iterations(self, engine, network):
        program = trained(normalised=True, network=network)
        assert spans(engine(program, 4, log=True), program) == later(self.CHART, by=83)

    def test_an_iteration_is_done_with_its_last_weight(self, engine, network):
        timing = engine(trained(normalised=True, network=network), 6)
        assert timing.image_done_ps.tolist() == [84 * SLOT_PS, (84 + 83) * SLOT_PS, (84 + 166) * SLOT_PS]

    def test_nobody_passes_the_barrier_before_the_mean_of_the_batch(self, engine):
        program = trained(normalised=True, network="packet")
        found = spans(engine(program, 8, log=True), program)
        for mean, passing in (("norm2/combine", "norm2"), ("norm2/backward/combine", "norm2/backward")):
            ends = [end for _, end in found[mean]]
            begins = [begin for begin, _ in found[passing]]
            assert all(begins[2 * batch] >= end for batch, end in enumerate(ends)), (mean, ends, begins)
