"""A component of your own: replace one behaviour of the hardware, and run it compiled.

The routers of the shipped packet network have unlimited buffers and no pipeline hazards.  Suppose that each
packet pays one more cycle in every router; the handler below is all it takes.

    python scripts/06_component_of_your_own.py
"""

import tempfile
from pathlib import Path

from pimsim.arch.run import run_compiled
from pimsim.config import load_system
from pimsim.mapping.compile import map_network
from pimsim.workload import load_workload, lower

SLOWER_ROUTER = '''
from pimsim.arch.layout import EDGE
from pimsim.engine.events import schedule
from pimsim.engine.ports import FIELDS, serve
from pimsim.engine.registry import event

EXTRA_PS = 833


@event("hop")
def slower_hop(M, T, at, H, now, x):
    """As pimsim.arch.noc.packet.hop, one cycle later."""
    e = EDGE * x
    start = serve(M, at.link + FIELDS * T[at.edge_link + e], now, T[at.edge_hold_ps + e]) + EXTRA_PS
    leaf = T[at.edge_leaf + e]
    if leaf >= 0:
        schedule(M, at, H, start + T[at.edge_tail_ps + e], at.begin_deliver + leaf)
    else:
        for child in range(T[at.edge_child_lo + e], T[at.edge_child_hi + e]):
            schedule(M, at, H, start + T[at.edge_head_ps + e], at.begin_hop + child)
'''


def main() -> None:
    program = map_network(lower(load_workload("lenet5")), load_system("isaac-ce"))
    shipped = run_compiled(program)
    with tempfile.TemporaryDirectory() as folder:
        component = Path(folder) / "slower_router.py"
        component.write_text(SLOWER_ROUTER)
        slower = run_compiled(program, components=[component])
    print(f"LeNet-5: {shipped.image_done_ps[0] / 1e6:.1f} us as shipped,")
    print(f"         {slower.image_done_ps[0] / 1e6:.1f} us with one more cycle in every router")
    assert slower.image_done_ps[0] >= shipped.image_done_ps[0]


if __name__ == "__main__":
    main()
