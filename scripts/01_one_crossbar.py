"""One crossbar: how a matrix is cut into bit slices, and how long one input vector takes.

    python scripts/01_one_crossbar.py
"""

from pimsim.config import load_system
from pimsim.mapping.compile import map_network
from pimsim.mapping.tiling import tile_matrix
from pimsim.reference import run_simpy
from pimsim.workload import load_workload, lower

MATRIX = """
format: pimsim-workload-1
name: one-matrix
inputs: {x: [128]}
layers:
  - {type: linear, name: matrix, features: 16}
"""


def main() -> None:
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "one-matrix.yaml"
        file.write_text(MATRIX)
        network = lower(load_workload(file))
    isaac = load_system("isaac-ce")

    node = network.nodes[1]
    tiling = tile_matrix(node, isaac)
    rows, columns = node.matrix.rows, node.matrix.columns
    print(f"A matrix of {rows} x {columns} 16-bit weights, {tiling.cells_per_weight} cells each,")
    print(f"takes {tiling.crossbars} crossbar of 128 x 128 cells, {tiling.used_cells:,} of its cells hold weights.")

    # The SimPy reference is slow and plain; for one vector that does not matter.
    program = map_network(network, isaac, network="ideal")
    timing = run_simpy(program, log=True)
    start, sent, done = timing.window_start_ps[0, 1], timing.window_sent_ps[0, 1], timing.image_done_ps[0]
    print(f"The vector is read from eDRAM at {start / 1000:.0f} ns; 16 reads of 100 ns, one input bit each, follow;")
    print(f"the result leaves the activation unit at {sent / 1000:.0f} ns and is in eDRAM at {done / 1000:.0f} ns:")
    print(f"{(done - start) // 100_000} cycles of 100 ns, ISAAC's pipeline.")
    assert done - start == 22 * 100_000


if __name__ == "__main__":
    main()
