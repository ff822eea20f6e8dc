"""Traffic between kinds of tiles: a chip of two tiles whose matrix is known by hand; conservation on larger ones."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from pimsim.arch.run import run_compiled
from pimsim.config import load_system
from pimsim.mapping.compile import map_network
from pimsim.mapping.program import Program
from pimsim.mapping.timing import Timing
from pimsim.network.fabric import MESH
from pimsim.results import Result, build_result, load_result, save_result, with_ideal_network
from pimsim.results.hot_links import HOTTEST, bytes_of_links, link_name
from pimsim.results.ideal_network import on_ideal_network
from pimsim.results.sending import sending
from pimsim.results.traffic import MOST_CELLS, traffic_of_run
from pimsim.results.traffic_record import Endpoints, Group, LayerPair, Traffic
from pimsim.workload.training import Training, expand_training
from tests.unit.results_runs import result
from tests.unit.training_runs import ITERATIONS, mapped, trained, two_layers

FLIT = 32  #: bytes
MESSAGE = 2 * FLIT  #: a header, and a flit that has room for 16 values
IMAGES, PLACES = 2, 16  #: of the batch; of a convolution's input and output
ROWS = {"conv1": 36, "fc2": 128}  #: of weights: one message each from the optimiser
TWO_TILES = ("mapping.replication=none", "chip.tiles=2", "chip.tiers=[reram, gpu]", "chip.noc.topology.shape=[1,1,2]",
             "chip.noc.io_router=[0,0,0]")  # fmt: skip


@cache
def two_tiles(noc: str = "packet") -> tuple[Program, Timing, Result]:
    """All matrices on tile 0, all kernels on the GPU core above it."""
    options = Training(batch=IMAGES, rows=128, cores=1, weight_gradient="gpu")
    program = map_network(expand_training(two_layers(), options), load_system("hetero-3d", TWO_TILES), noc)
    timing = run_compiled(program, IMAGES)
    return program, timing, build_result(program, timing, IMAGES, "compiled")


def traffic_of(run: Result) -> Traffic:
    assert run.traffic is not None
    return run.traffic


class TestByHand:
    """Host, ReRAM tile 0, GPU core of tile 1; no message has more than 16 values, but one that stays in its tile."""

    def test_groups_are_the_host_and_then_tier_after_tier(self) -> None:
        assert traffic_of(two_tiles()[2]).groups == (Group("host", -1, 0), Group("reram", 0, 1), Group("gpu", 1, 1))

    def test_forward_sends_inputs_activations_and_outputs_to_the_core(self) -> None:
        images = IMAGES * PLACES * MESSAGE  # to the convolution, and to the gradient of its weights
        outputs = IMAGES * (PLACES + 1) * MESSAGE  # activations to the gradient of fc2, outputs to the loss
        assert self.phase("forward") == ((0, images, images), (0, 0, outputs), (0, 0, 0))

    def test_backward_sends_the_loss_down_and_what_becomes_of_it_up(self) -> None:
        delta = IMAGES * PLACES * MESSAGE  # behind the ReLU of the convolution
        assert self.phase("backward") == ((0, 0, 0), (0, 0, delta), (0, IMAGES * MESSAGE, 0))

    def test_an_update_sends_each_row_once_and_a_multicast_counts_for_each_tile(self) -> None:
        rows = sum(ROWS.values()) * MESSAGE  # those of fc2 go to two arrays of one tile: once
        assert self.phase("update") == ((0, 0, 0), (0, 0, 0), (0, rows, 0))

    def test_gradients_stay_with_their_optimiser(self) -> None:
        assert [each.phase for each in traffic_of(two_tiles()[2]).phases] == ["forward", "backward", "update"]

    def test_cells_are_the_matrix_without_the_host(self) -> None:
        found = traffic_of(two_tiles()[2])
        cells, counts = found.cells, found.bytes
        assert (cells.tiles_of_cell, cells.group, cells.source, cells.target) == (1, (1, 2), (0, 1), (1, 0))
        assert cells.bytes == (counts[1][2], counts[2][1])
        assert found.between_kinds == sum(cells.bytes)

    def test_both_tiles_have_a_part_in_everything_between_them(self) -> None:
        found = traffic_of(two_tiles()[2])
        from_host = IMAGES * PLACES * MESSAGE
        each = found.between_kinds + from_host
        assert found.endpoints == (Endpoints("reram", 1, each, each, 0, each), Endpoints("gpu", 1, each, each, 1, each))
        assert all(end.imbalance == 1 for end in found.endpoints)

    def test_the_way_down_is_hottest_and_the_optimiser_is_why(self) -> None:
        found = {link.name: link for link in traffic_of(two_tiles()[2]).hottest}
        hottest = traffic_of(two_tiles()[2]).hottest[0]
        rows = {name: count * MESSAGE for name, count in ROWS.items()}
        assert (hottest.name, hottest.vertical) == ("(0, 0, 1) -> (0, 0, 0)", True)
        assert hottest.bytes == sum(rows.values()) + IMAGES * MESSAGE
        assert hottest.pairs == (
            LayerPair("fc2/optimiser", "fc2/update", rows["fc2"]),
            LayerPair("fc2/optimiser", "fc2/backward/update", rows["fc2"]),  # the same packets
            LayerPair("conv1/optimiser", "conv1/update", rows["conv1"]),
        )
        assert found["(0, 0, 0) -> (0, 0, 1)"].vertical and not found["GPU core of tile 1 -> (0, 0, 1)"].vertical
        assert found["(0, 0, 0) -> ReRAM of tile 0"].bytes == hottest.bytes + IMAGES * PLACES * MESSAGE

    @staticmethod
    def phase(name: str) -> tuple[tuple[int, ...], ...]:
        return next(each.bytes for each in traffic_of(two_tiles()[2]).phases if each.phase == name)


@pytest.mark.parametrize("noc", ["packet", "flit", "ideal"])
@pytest.mark.parametrize("network", ["two", "norm"])
class TestConservation:
    def test_the_matrix_holds_every_flit_that_leaves_a_router_for_a_tile(self, network: str, noc: str) -> None:
        run = trained(network, noc=noc)[2]
        found = traffic_of(run)
        for phase in found.phases:
            flits = sum(each.counts.get("flit_eject", 0) for each in run.layers if each.phase == phase.phase)
            assert sum(map(sum, phase.bytes)) == FLIT * flits > 0
        assert found.total == FLIT * sum(each.counts.get("flit_eject", 0) for each in run.layers)

    def test_what_is_sent_is_received(self, network: str, noc: str) -> None:
        found = traffic_of(trained(network, noc=noc)[2])
        counts, cells = np.array(found.bytes), found.cells
        assert counts[:, 0].sum() == 0  # nothing goes back to the host
        assert sum(cells.bytes) == counts[1:].sum()
        groups = np.zeros_like(counts)
        np.add.at(groups, (np.take(cells.group, cells.source), np.take(cells.group, cells.target)), cells.bytes)
        assert np.array_equal(groups[1:], counts[1:])
        assert sum(end.handled for end in found.endpoints) == counts[1:].sum() + counts[:, 1:].sum()
        for end in found.endpoints:
            own = [n for n, group in enumerate(found.groups) if group.kind == end.kind]
            either = counts[own].sum() + counts[:, own].sum() - counts[np.ix_(own, own)].sum()
            assert end.bytes == either and 1 <= end.imbalance <= end.tiles

    def test_links_carry_what_the_layers_count(self, network: str, noc: str) -> None:
        program, _, run = trained(network, noc=noc)
        load, kinds = bytes_of_links(program, sending(program)), program.fabric.link_kinds()
        flits = sum(each.counts.get("flit_mesh", 0) for each in run.layers)
        assert load[kinds == MESH].sum() == FLIT * flits > 0
        found = traffic_of(run).hottest
        names = {link_name(program.fabric, link, program.on_gpu): int(load[link]) for link in range(load.size)}
        assert len(found) == HOTTEST and all(names[link.name] == link.bytes for link in found)
        assert all(pair.bytes <= link.bytes for link in found for pair in link.pairs)
        shares = [link.busy_share for link in found]
        assert shares == ([None] * HOTTEST if noc == "ideal" else sorted(shares, reverse=True))


def test_links_are_busy_as_long_as_their_bytes_take() -> None:
    program, timing, run = trained("norm", "chip.noc.clock_ghz=1")
    fabric = program.fabric
    load = bytes_of_links(program, sending(program))
    cycles = np.array([speed.flit_cycles for speed in fabric.speeds])[fabric.link_speeds()]
    of_tiles = slice(0, fabric.first_chip_link)
    busy = ITERATIONS * load // FLIT * cycles * 1000
    assert np.array_equal(timing.ports["link"].busy_ps[of_tiles], busy[of_tiles])
    assert traffic_of(run).hottest[0].busy_share == max(timing.ports["link"].busy_ps) / run.times.run_ps


def test_many_tiles_are_gathered_into_few_cells_of_one_tier(monkeypatch: pytest.MonkeyPatch) -> None:
    program, timing, run = trained("norm")
    monkeypatch.setattr("pimsim.results.traffic.MOST_CELLS", 9)
    few = traffic_of_run(program, timing, run.times.run_ps)
    assert few is not None and MOST_CELLS >= 64
    assert few.cells.tiles_of_cell == 8 and few.cells.group == (1, 1, 2, 2, 3, 3, 4, 4)
    assert few.bytes == traffic_of(run).bytes and sum(few.cells.bytes) == sum(traffic_of(run).cells.bytes)


def test_tiles_of_one_kind_and_tier_have_no_traffic_between_kinds() -> None:
    assert result("joined", 2, "packet", ()).traffic is None


class TestIdealNetwork:
    @pytest.mark.parametrize("noc", ["packet", "flit"])
    def test_it_is_the_program_mapped_for_an_ideal_network(self, noc: str) -> None:
        program = trained("norm", noc=noc)[0]
        ours, mapped_so = run_compiled(on_ideal_network(program), 2), mapped("norm", (), "gpu", "ideal", 2, 1)[1]
        assert np.array_equal(ours.image_done_ps, mapped_so.image_done_ps)
        assert np.array_equal(ours.last_start_ps, mapped_so.last_start_ps)

    def test_what_packets_wait_for_each_other_is_lost(self) -> None:
        program, _, run = trained("norm")
        narrow = beside_ideal(program, run)
        times = narrow.times_beside_ideal
        assert times is not None and times[1] <= times[0]
        assert narrow.lost_to_network == 1 - times[1] / times[0]
        assert times[0] == run.training.time_per_iteration_ps  # type: ignore[union-attr]

    def test_nothing_is_lost_on_an_ideal_network(self) -> None:
        program, _, run = trained("norm", noc="ideal")
        assert on_ideal_network(program) is program
        assert beside_ideal(program, run).lost_to_network == 0

    def test_slow_links_are_found_to_cost_time(self) -> None:
        """A row of weights takes 427 ns over a link of one bit, longer than to write it: rows of an update queue."""
        fast, slow = (beside_ideal(*crowded(bits)).lost_to_network for bits in (256, 1))
        assert fast is not None and slow is not None and 0 <= fast < 0.001 and 0.3 < slow < 1

    def test_it_is_not_known_without_a_second_run(self) -> None:
        assert trained()[2].lost_to_network is None and trained()[2].times_beside_ideal is None


def beside_ideal(program: Program, run: Result) -> Result:
    ideal = on_ideal_network(program)
    return with_ideal_network(run, ideal, run_compiled(ideal, run.source.batch * run.units))


@cache
def crowded(bits: int) -> tuple[Program, Result]:
    """A chip of two tiles whose vertical link is ``bits`` wide."""
    up = f"{{latency: 1, width_bits: {bits}, vertical: true}}"
    links = f"chip.noc.topology.links=[{{latency: 1}}, {{latency: 1}}, {up}]"
    options = Training(batch=IMAGES, rows=128, cores=1, weight_gradient="gpu")
    system = load_system("hetero-3d", [*TWO_TILES, links])
    program = map_network(expand_training(two_layers(), options), system, "packet")
    return program, build_result(program, run_compiled(program, IMAGES), IMAGES, "compiled")


def test_traffic_and_the_ideal_run_are_saved(tmp_path) -> None:  # type: ignore[no-untyped-def]
    program, _, run = two_tiles()
    both = beside_ideal(program, run)
    save_result(both, tmp_path)
    assert load_result(tmp_path) == both
    assert replace(both, traffic=None) != both and both.times_on_ideal is not None
