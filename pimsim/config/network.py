"""Records of a network-on-chip: its topology, its routers, its links, and what moving a flit costs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pimsim.config.base import Count, Index, Spec

Allocator = Literal["islip", "separable_input_first", "separable_output_first"]


class Router(Spec):
    """An input-queued wormhole router with virtual channels and credit flow control.

    The defaults are those of BookSim 2 (Jiang et al., ISPASS 2013): one cycle a stage, 4 virtual channels of 8 flits.
    """

    vcs: Annotated[int, Field(ge=1, le=32, strict=True)] = 4  #: virtual channels of an input
    vc_buffer: Count = 8  #: flits that a virtual channel holds
    routing_cycles: Index = 1  #: head flit at the input to virtual-channel allocation; 0: lookahead routing
    vc_allocation_cycles: Count = 1
    switch_allocation_cycles: Count = 1
    traversal_cycles: Count = 1  #: through the crossbar
    credit_cycles: Index = 0  #: extra delay of a credit, beside its link
    inject_latency: Count = 1  #: cycles of the link from a terminal to its router
    eject_latency: Count = 1  #: cycles of the link from a router to a terminal
    vc_allocator: Allocator = "islip"
    switch_allocator: Allocator = "islip"
    iterations: Count = 1  #: of iSLIP, in both allocators
    speculative: bool = False  #: a head asks for the switch while it asks for a virtual channel
    routing_in_batches: bool = False
    """True: a router takes the next heads only when its last ones are routed, as BookSim 2 does with a routing delay
    over 1; False: it takes some every cycle."""

    @property
    def pipeline_cycles(self) -> int:
        """Head flit: at an input of the router to out of its crossbar, when nothing is in its way."""
        hidden = min(self.vc_allocation_cycles, self.switch_allocation_cycles) if self.speculative else 0
        return (
            self.routing_cycles + self.vc_allocation_cycles + self.switch_allocation_cycles
            + self.traversal_cycles - hidden
        )  # fmt: skip

    @model_validator(mode="after")
    def _batches_need_a_delay(self) -> Router:
        if self.routing_in_batches and self.routing_cycles < 2:
            raise ValueError("routing_in_batches makes a difference only with routing_cycles of 2 and more")
        return self
