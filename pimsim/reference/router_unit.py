"""An input-queued router: its input virtual channels, and its pipeline stage by stage."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

from pimsim.config.network import Router
from pimsim.reference.router_allocators import Requests, build_allocator
from pimsim.reference.router_links import Flit, Link, Sender
from pimsim.reference.router_record import Record
from pimsim.reference.router_routes import Hop, Routes


class State(Enum):
    """What the first packet of an input virtual channel is doing."""

    IDLE = "there is none"
    ROUTING = "its route is computed"
    ASKING = "it asks for a virtual channel of an output"
    ACTIVE = "it owns a virtual channel of an output"


class InputVC:
    """A virtual channel of an input: a buffer, and the state of the packet at its front."""

    def __init__(self, port: int, index: int) -> None:
        self.port, self.index = port, index
        self.buffer: deque[Flit] = deque()
        self.state = State.IDLE
        self.ready = 0  #: first cycle in which the packet may do what its state says
        self.branches: range | None = None  #: edges of a multicast still to be served, the present one first
        self.sent = 0  #: flits that the present branch has taken, where others follow
        self.hop: Hop | None = None  #: where it goes, once ACTIVE
        self.out_vc = -1  #: on which virtual channel, once ACTIVE

    @property
    def last_branch(self) -> bool:
        """Whether flits leave the buffer when they are sent."""
        return self.branches is None or len(self.branches) == 1

    @property
    def next_flit(self) -> Flit | None:
        """The flit that can be sent next, if it has come."""
        return self.buffer[self.sent] if len(self.buffer) > self.sent else None


@dataclass(frozen=True)
class Bid:
    """A virtual channel's request for the switch."""

    vc: InputVC
    output: int
    speculative: bool


class RouterUnit:
    """One router; ``step`` is one cycle of it."""

    def __init__(self, number: int, spec: Router, ports: int, routes: Routes, record: Record) -> None:
        self.number, self.spec, self.routes, self.record = number, spec, routes, record
        self.vcs = [[InputVC(port, v) for v in range(spec.vcs)] for port in range(ports)]
        self.inputs: dict[int, Link] = {}  #: input port -> the link that ends there
        self.outputs: dict[int, Sender] = {}  #: output port -> the link that begins there
        width = ports * spec.vcs
        self.vc_allocator = build_allocator(spec.vc_allocator, width, width, spec.iterations)
        self.switch_allocator = build_allocator(spec.switch_allocator, ports, ports, spec.iterations)
        self.vc_pointer = [0] * ports  #: of each input, among its virtual channels
        self.batch_until = 0  #: first cycle in which the next heads may be taken for routing

    # ---- arrival

    def receive(self, now: int) -> None:
        """Flits and credits that arrive in this cycle."""
        for port, link in self.inputs.items():
            flit = link.flits.receive(now)
            if flit is not None:
                vc = self.vcs[port][flit.vc]
                vc.buffer.append(flit)
                assert len(vc.buffer) <= self.spec.vc_buffer, "nothing is sent without a credit"
                if vc.state is State.IDLE:
                    self._start_packet(vc, now)
        for sender in self.outputs.values():
            sender.receive_credit(now)

    def _start_packet(self, vc: InputVC, start: int) -> None:
        head = vc.buffer[0]
        assert head.head, "packets of a virtual channel do not mix"
        vc.branches = self.routes.branches_after(head)
        self._start_routing(vc, start)

    def _start_routing(self, vc: InputVC, start: int) -> None:
        vc.state, vc.ready, vc.sent, vc.hop, vc.out_vc = State.ROUTING, start, 0, None, -1
        if not self.spec.routing_in_batches:
            vc.state, vc.ready = State.ASKING, start + self.spec.routing_cycles

    # ---- the pipeline

    def step(self, now: int) -> int:
        """One cycle; the number of grants that were used."""
        waiting = [vc for port in self.vcs for vc in port if vc.buffer]
        if not waiting:
            return 0
        self._route(waiting, now)
        asking = {vc: self.wanted_hop(vc) for vc in waiting if vc.state is State.ASKING and vc.ready <= now}
        owners = self._allocate_vcs(asking)
        bids = self._allocate_switch(waiting, asking, now)
        self._take_vcs(owners, asking, now)
        return len(owners) + self._traverse(bids, now)

    def _route(self, waiting: list[InputVC], now: int) -> None:
        """In batches: all heads that wait are taken together when the last batch is done."""
        if not self.spec.routing_in_batches or now < self.batch_until:
            return
        for vc in waiting:
            if vc.state is State.ROUTING and vc.ready <= now:
                self.batch_until = now + self.spec.routing_cycles
                vc.state, vc.ready = State.ASKING, self.batch_until

    def wanted_hop(self, vc: InputVC) -> Hop:
        """Where the packet wants to go, as things stand at the beginning of this cycle."""
        if vc.branches is not None:
            return self.routes.along(vc.branches[0])
        return self.routes.towards(self.number, vc.buffer[0], self.outputs)

    def _allocate_vcs(self, asking: dict[InputVC, Hop]) -> dict[InputVC, int]:
        """Input VC -> virtual channel of its output."""
        width = self.spec.vcs
        requests: Requests = {
            (vc.port * width + vc.index, hop.port * width + v): 0
            for vc, hop in asking.items()
            for v in self.outputs[hop.port].free_vcs(hop.vcs)
        }
        match = self.vc_allocator.allocate(requests)
        return {self.vcs[asker // width][asker % width]: granted % width for asker, granted in match.items()}

    def _allocate_switch(self, waiting: list[InputVC], asking: dict[InputVC, Hop], now: int) -> list[Bid]:
        """The bids that were granted."""
        chosen: dict[tuple[int, int], Bid] = {}  # (input, output) -> bid
        for vc in waiting:
            bid = self._bid(vc, asking, now)
            if bid is None or self.outputs[bid.output].free_from > now:
                continue
            rival = chosen.get((vc.port, bid.output))
            if rival is None or self._rank(bid) < self._rank(rival):
                chosen[vc.port, bid.output] = bid
        match = self.switch_allocator.allocate({ports: -int(bid.speculative) for ports, bid in chosen.items()})
        granted = [chosen[ports] for ports in match.items()]
        for bid in granted:
            self.vc_pointer[bid.vc.port] = (bid.vc.index + 1) % self.spec.vcs
        return granted

    def _bid(self, vc: InputVC, asking: dict[InputVC, Hop], now: int) -> Bid | None:
        """The request of an input VC for the switch, if it has one."""
        if vc.state is State.ACTIVE and vc.hop is not None and vc.next_flit is not None:
            speculative = vc.ready > now
            has_credit = self.outputs[vc.hop.port].credits[vc.out_vc] > 0
            if has_credit and (self.spec.speculative or not speculative):
                return Bid(vc, vc.hop.port, speculative)
        elif vc in asking and self.spec.speculative:
            output = self.outputs[asking[vc].port]
            if any(output.credits[v] > 0 for v in output.free_vcs(asking[vc].vcs)):
                return Bid(vc, asking[vc].port, speculative=True)
        return None

    def _rank(self, bid: Bid) -> tuple[bool, int]:
        """Of the bids of one input for one output, the smallest is chosen."""
        return bid.speculative, (bid.vc.index - self.vc_pointer[bid.vc.port]) % self.spec.vcs

    def _take_vcs(self, owners: dict[InputVC, int], asking: dict[InputVC, Hop], now: int) -> None:
        for vc, out_vc in owners.items():
            vc.state, vc.ready = State.ACTIVE, now + self.spec.vc_allocation_cycles
            vc.hop, vc.out_vc = asking[vc], out_vc
            taken = self.outputs[vc.hop.port].taken
            assert not taken[out_vc], "a virtual channel has one owner"
            taken[out_vc] = True

    # ---- traversal

    def _traverse(self, bids: list[Bid], now: int) -> int:
        """Flits that were granted the switch leave; how many did."""
        sent = 0
        for bid in bids:
            if self._is_used(bid, now):
                self._send(bid.vc, now)
                sent += 1
        return sent

    def _is_used(self, bid: Bid, now: int) -> bool:
        """A speculative grant may have come too early."""
        vc = bid.vc
        if not bid.speculative:
            return True
        return (
            vc.state is State.ACTIVE
            and vc.hop is not None
            and vc.hop.port == bid.output
            and vc.ready <= now + self.spec.switch_allocation_cycles
            and self.outputs[bid.output].credits[vc.out_vc] > 0
        )

    def _send(self, vc: InputVC, now: int) -> None:
        flit, hop = vc.next_flit, vc.hop
        assert flit is not None and hop is not None
        allocated = self.spec.switch_allocation_cycles - 1
        onward = Flit(flit.packet, flit.index, flit.tail, vc.out_vc, hop.route)
        self.outputs[hop.port].send(onward, now, delay=allocated + self.spec.traversal_cycles)
        self.record.granted(onward, self.outputs[hop.port].link.channel)
        if vc.last_branch:
            vc.buffer.popleft()
            self.inputs[vc.port].send_credit(vc.index, now + allocated)
        else:
            vc.sent += 1
        if flit.tail:
            self._finish(vc, now)

    def _finish(self, vc: InputVC, now: int) -> None:
        """The tail has been granted: the next branch, the next packet, or nothing."""
        if not vc.last_branch:
            assert vc.branches is not None
            vc.branches = vc.branches[1:]
            self._start_routing(vc, now + 1)
        elif vc.buffer:
            self._start_packet(vc, now + 1)
        else:
            vc.state, vc.hop, vc.out_vc = State.IDLE, None, -1
