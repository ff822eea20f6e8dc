"""Windows to replicas and need lists, against plain sets; buffers that are large enough."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pimsim.mapping.joins import join_reach
from pimsim.mapping.windows import columns_of_bands, deal_windows, find_needs, last_needed
from tests.networks import Network

POLICIES = st.sampled_from(["strips", "interleaved"])


def needed_by(edge, columns: int, source_columns: int, window: int) -> set[int]:
    y, x = divmod(window, columns)
    return {
        row * source_columns + col
        for row in range(edge.rows_lo[y], edge.rows_hi[y] + 1)
        for col in range(edge.cols_lo[x], edge.cols_hi[x] + 1)
    }


@settings(max_examples=150, deadline=None, derandomize=True)
@given(rows=st.integers(1, 12), columns=st.integers(1, 12), replicas=st.integers(1, 20), policy=POLICIES)
def test_every_window_has_one_replica_and_no_replica_is_idle(rows, columns, replicas, policy):
    replicas = min(replicas, rows * columns)
    first, windows = deal_windows((rows, columns), replicas, policy)
    assert sorted(windows) == list(range(rows * columns))
    shares = np.diff(first)
    assert shares.min() >= 1
    if policy == "interleaved":
        assert shares.max() == -(-rows * columns // replicas)  # as balanced as can be
    for v in range(replicas):
        assert (np.diff(windows[first[v] : first[v + 1]]) > 0).all()


def test_strips_of_vgg_are_bands_of_seven_columns_in_perfect_balance():
    for size, replicas in ((224, 256), (112, 64), (56, 16), (28, 4)):
        assert set(np.diff(columns_of_bands((size, size), replicas, "strips"))) == {7}
        first, _ = deal_windows((size, size), replicas, "strips")
        assert set(np.diff(first)) == {196}
    assert set(np.diff(columns_of_bands((56, 56), 16, "interleaved"))) == {1}


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 2),
    replicas=st.integers(1, 9),
    policy=POLICIES,
)
def test_need_lists_hold_what_windows_need_and_no_more(size, kernel, stride, replicas, policy):
    net = Network()
    net.conv(net.input(*size, 1), 1, kernel, stride, pad=kernel - 1)
    node, edge = net.nodes[1], net.nodes[1].edges[0]
    dealt = deal_windows(node.grid, min(replicas, node.windows), policy)
    needs = find_needs(edge, node.grid, size, dealt, last_needed(edge, size[1]))
    first_window, windows = dealt
    for v in range(first_window.size - 1):
        mine = windows[first_window[v] : first_window[v + 1]]
        wanted = [needed_by(edge, node.grid[1], size[1], int(w)) for w in mine]
        listed = needs.positions[needs.first[v] : needs.first[v + 1]].tolist()
        assert listed == sorted(set().union(*wanted))
        freed, capacity = 0, int(needs.least[v])
        for i, need in enumerate(wanted):
            at = first_window[v] + i
            assert need <= set(listed[: needs.ready[at]])
            assert needs.ready[at] - freed <= capacity
            still_needed = set().union(*wanted[i + 1 :]) if i + 1 < len(wanted) else set()
            assert not still_needed & set(listed[: needs.done[at]])
            freed = needs.done[at]
        assert freed == len(listed)


def test_isaac_sizes_a_sliding_window_as_two_rows_and_three_columns():
    net = Network()
    net.conv(net.input(14, 14, 512), 512)
    node, edge = net.nodes[1], net.nodes[1].edges[0]
    needs = find_needs(edge, node.grid, (14, 14), deal_windows(node.grid, 1, "strips"), last_needed(edge, 14))
    assert needs.least[0] == 14 * 2 + 3  # ((Nx * (Ky - 1)) + Kx), recalled from ISAAC: a model definition


def test_a_skip_edge_is_buffered_for_what_the_long_branch_holds_back():
    net = Network()
    x = net.input(8, 8, 4)
    y = net.conv(net.conv(x, 4), 4)
    net.add(x, y)
    dataflow = net.finish()
    reach = join_reach(dataflow)
    short, long = reach[3]
    assert long[0] == 0
    assert short[0] == 2 * 8 + 2  # two 3x3 convolutions look two rows and two columns ahead
    assert short[-1] == 63
