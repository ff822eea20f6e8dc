"""A network alone: is it sound, how much does it carry, and what becomes of given packets?

    python scripts/07_network.py

The same from the command line:

    pimsim noc check mesh-8x8
    pimsim noc curve mesh-8x8 --traffic uniform --out curve
    pimsim noc replay mesh-8x8 packets.csv --out replay
"""

import tempfile
from pathlib import Path

from pimsim.config import load_network
from pimsim.network.traffic import hotspot, uniform
from pimsim.noc import build_network, check, latency_curve, replay

TIERS = """
format: pimsim-noc-1
name: four tiers, joined by narrow through-silicon vias
noc:
  topology:
    kind: mesh
    shape: [4, 4, 4]
    links:
      - {latency: 2}
      - {latency: 2}
      - {latency: 1, width_bits: 32, length_mm: 0.05, vertical: true}
  flit_bits: 64
  clock_ghz: 1.0
"""

PACKETS = """src,dst,size,ctime
0,15,5,0
3,12,5,0
5,1;6;11;14,4,10
"""


def compare(*files: str | Path) -> None:
    """Two networks of 64 terminals: distances, and the load at which they saturate."""
    for file in files:
        known = check(load_network(file))
        print(f"{known.found.topology}: mean {known.mean_hops:.2f} hops, diameter {known.found.diameter}, "
              f"{'free of deadlock' if known.found.deadlock_free else 'it can deadlock'}")  # fmt: skip
        network = build_network(file)
        for pattern in (uniform(network.topology), hotspot(network.topology, {0: 1, 21: 1})):
            curve = latency_curve(network, pattern, loads=[0.01, 0.9], run_packets=2000)
            print(f"  {curve.pattern}: {curve.points[0].latency:.1f} cycles at load 0.01, "
                  f"saturates near {curve.saturation_load:.3f} flits/terminal/cycle")  # fmt: skip


def branch(file: Path) -> None:
    """The third packet goes to four terminals: by a tree, then as four copies."""
    network = build_network("mesh-8x8", ["noc.topology.shape=[4, 4]"])
    for unicast in (False, True):
        done = replay(network, file, unicast=unicast)
        print(f"{'copies' if unicast else 'tree'}: last arrivals {done.arrivals.atime.tolist()}, "
              f"{int(done.arrivals.channel_flits.sum())} flits over channels")  # fmt: skip


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        tiers, packets = Path(folder) / "tiers.yaml", Path(folder) / "packets.csv"
        tiers.write_text(TIERS)
        packets.write_text(PACKETS)
        compare("mesh-8x8", tiers)
        branch(packets)


if __name__ == "__main__":
    main()
