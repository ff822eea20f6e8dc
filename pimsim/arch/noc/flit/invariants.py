"""What must hold after every cycle, whatever was sent: read off the arrays, slowly."""

from __future__ import annotations

import numpy as np

from pimsim.arch.noc.flit import layout
from pimsim.arch.noc.flit.inspection import first_channels, vc_records
from pimsim.arch.noc.flit.layout import Net
from pimsim.arch.noc.flit.state import set_words


def check_invariants(M: np.ndarray, T: np.ndarray, n: Net) -> None:
    """Raises AssertionError where a flit, a slot, an owner or a request was lost or doubled."""
    vcs, heads = vc_records(T, n)
    coming = _events(T, n)
    slots = M[n.slots : n.slots + n.depth * vcs.shape[0]].reshape(-1, n.depth)
    _check_flits(M, T, n, vcs, heads, slots, coming)
    _check_owners(M, T, n, vcs)
    _check_requests(M, n, vcs, slots, coming)
    _check_busy(M, T, n, coming)


def _events(T: np.ndarray, n: Net) -> dict[int, np.ndarray]:
    """For each kind of event, whom the coming ones concern."""
    ring = T[n.ring : n.ring + (n.ring_mask + 1) * n.ring_room].reshape(-1, n.ring_room)
    counts = T[n.ring_count : n.ring_count + n.ring_mask + 1]
    assert np.all(counts <= n.ring_room), "a cycle has more events than there is room for"
    events = np.concatenate([row[:count] for row, count in zip(ring, counts, strict=True)])
    kind, number = events >> layout.KIND_SHIFT, events & ((1 << layout.KIND_SHIFT) - 1)
    return {k: number[kind == k] for k in range(layout.REFILL + 1)}


def _check_flits(
    M: np.ndarray, T: np.ndarray, n: Net, vcs: np.ndarray, heads: np.ndarray, slots: np.ndarray,
    coming: dict[int, np.ndarray],
) -> None:  # fmt: skip
    """Every flit in the network is in a slot, in order; buffers count those that have arrived."""
    held = slots >= 0
    assert M[n.counts + layout.IN_FLIGHT] == np.count_nonzero(held), "flits and slots do not balance"
    arriving = np.bincount(coming[layout.ARRIVE], minlength=vcs.shape[0])
    for g in np.flatnonzero(held.any(axis=1) | (vcs[:, layout.COUNT] > 0) | (arriving > 0)).tolist():
        flits = np.count_nonzero(held[g])
        oldest = (vcs[g, layout.WRITE] - flits) % n.depth
        words = slots[g][(oldest + np.arange(flits)) % n.depth]
        assert np.all(words >= 0), f"virtual channel {g}: there is a gap between its flits"
        _check_order(g, words)
        sent = _sent_and_kept(T, n, g, vcs, heads)
        assert flits == vcs[g, layout.COUNT] + arriving[g] + sent, f"virtual channel {g}: flits are lost"
        assert vcs[g, layout.READ] == (oldest + sent) % n.depth or vcs[g, layout.COUNT] + arriving[g] == 0


def _sent_and_kept(T: np.ndarray, n: Net, g: int, vcs: np.ndarray, heads: np.ndarray) -> int:
    """Flits that the present branch of a multicast has taken and another one still needs."""
    branch = int(heads[g, layout.BRANCH])
    if vcs[g, layout.STATE] == layout.IDLE or branch < 0 or not T[n.edge_port : n.edge_parent].size:
        return 0
    last = int(T[n.edge_child_hi + T[n.edge_parent + branch]]) - 1
    return 0 if branch == last else int(vcs[g, layout.READ] - heads[g, layout.START]) % n.depth


def _check_order(g: int, words: np.ndarray) -> None:
    """A head follows a tail, everything else a flit of its packet."""
    packet = words >> layout.PACKET_SHIFT & layout.PACKET_MASK
    tail, head = words[:-1] & layout.TAIL > 0, words[1:] & layout.HEAD > 0
    assert np.array_equal(tail, head), f"virtual channel {g}: packets mix"
    assert np.all((packet[:-1] == packet[1:]) | tail), f"virtual channel {g}: packets mix"


def _router_words(M: np.ndarray, n: Net) -> np.ndarray:
    return M[n.router : n.router + n.router_words * n.routers].reshape(n.routers, n.router_words)


def _sets(M: np.ndarray, n: Net) -> np.ndarray:
    """(routers, BIDS + 2 ports, members) bool: the sets of every router."""
    words = set_words(n._asdict())
    sets = _router_words(M, n)[:, : words * (layout.BIDS + 2 * n.ports)].reshape(n.routers, -1, words)
    bits = np.ascontiguousarray(sets).view(np.uint8)
    return np.unpackbits(bits, axis=2, bitorder="little").astype(bool)


def _check_owners(M: np.ndarray, T: np.ndarray, n: Net, vcs: np.ndarray) -> None:
    """A virtual channel behind an output is free, or has one owner."""
    active = np.flatnonzero(vcs[: n.first_terminal, layout.STATE] >= layout.ACTIVE)
    out = vcs[active, layout.OUT]
    assert np.unique(out).size == out.size, "a virtual channel has two owners"
    first = first_channels(T, n)
    behind = first[active >> n.rs, vcs[active, layout.OUT_PORT]]
    assert np.all((out >= behind) & (out < behind + n.vcs)), "an owner has a virtual channel of another output"
    free = np.full((n.routers, n.ports), n.every_vc)
    np.bitwise_and.at(free, (active >> n.rs, vcs[active, layout.OUT_PORT]), ~(1 << (out - behind)))
    assert np.array_equal(free, _router_words(M, n)[:, n.free : n.free + n.ports]), "free virtual channels are lost"


def _check_requests(
    M: np.ndarray, n: Net, vcs: np.ndarray, slots: np.ndarray, coming: dict[int, np.ndarray]
) -> None:
    """Heads that wait and virtual channels that bid are in the sets of their outputs, and in no other."""
    sets, state = _sets(M, n), vcs[: n.first_terminal, layout.STATE]
    bidding, asking = sets[:, layout.BIDS : layout.BIDS + n.ports], sets[:, layout.BIDS + n.ports :]
    expected = np.zeros_like(asking)
    g = np.flatnonzero(state == layout.WAITING)
    g = g[~sets[g >> n.rs, layout.ADAPTIVE, g & ((1 << n.rs) - 1)]]
    expected[g >> n.rs, vcs[g, layout.OUT_PORT], g & ((1 << n.rs) - 1)] = True
    assert np.array_equal(asking, expected), "a waiting head is lost"
    has_free = _router_words(M, n)[:, n.free : n.free + n.ports] != 0
    ports = np.arange(n.ports)
    assert np.array_equal(sets[:, layout.READY, ports], asking.any(axis=2) & has_free), "outputs to allocate are lost"
    assert np.array_equal(sets[:, layout.OUTPUTS, ports], bidding.any(axis=2)), "outputs with bids are lost"
    assert not sets[:, layout.JOINING].any(), "a virtual channel has not joined the bidders"
    active = np.flatnonzero((state >= layout.ACTIVE) & (vcs[: n.first_terminal, layout.COUNT] > 0))
    bids = np.zeros(n.first_terminal, bool)
    r, port, i = np.nonzero(bidding)
    bids[r << n.rs | i] = True
    assert np.array_equal(vcs[r << n.rs | i, layout.OUT_PORT], port), "a bid is for the wrong output"
    due = vcs[: n.first_terminal, layout.CREDIT_DUE] == 1
    joining = np.zeros(n.first_terminal, bool)
    joining[coming[layout.JOIN]] = True
    assert np.all(np.isin(np.flatnonzero(bids), active)), "a virtual channel bids that has no flit or no way"
    assert np.all(bids[active] ^ (due | joining)[active]), "a virtual channel neither bids nor waits for a credit"
    told = np.zeros(vcs.shape[0], bool)
    told[coming[layout.CREDIT]] = True
    waits = np.flatnonzero(due)
    assert np.all(told[waits] | (vcs[vcs[waits, layout.OUT], layout.SENDER] == waits + 1)), "a credit is lost"


def _check_busy(M: np.ndarray, T: np.ndarray, n: Net, coming: dict[int, np.ndarray]) -> None:
    """Who has something to do is known to have."""
    sets = _sets(M, n)
    busy = _members(M[n.busy_routers : n.busy_routers + (n.routers + 63) // 64])[: n.routers]
    needed = sets[:, [layout.OUTPUTS, layout.READY, layout.ADAPTIVE]].any(axis=(1, 2))
    assert np.all(busy >= needed) and busy.sum() == M[n.counts + layout.BUSY_ROUTERS], "a router is forgotten"
    busy = _members(M[n.busy_sources : n.busy_sources + (n.terminals + 63) // 64])[: n.terminals]
    assert busy.sum() == M[n.counts + layout.BUSY_SOURCES], "sources are miscounted"
    sources = T[n.source : n.source + layout.SOURCE * n.terminals].reshape(-1, layout.SOURCE)
    vcs, _ = vc_records(T, n)
    told = np.zeros(n.terminals, bool)
    told[coming[layout.REFILL]] = True
    told[-1 - vcs[vcs[:, layout.SENDER] < 0, layout.SENDER]] = True
    assert np.all(busy | told | (sources[:, layout.FIRST] < 0)), "a source is forgotten"


def _members(words: np.ndarray) -> np.ndarray:
    return np.unpackbits(np.ascontiguousarray(words).view(np.uint8), bitorder="little").astype(bool)
