"""What cannot be trained, asked of the command: one line, exit status 2, nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

from pimsim.cli import main

NETWORK = """\
format: pimsim-workload-1
name: two
inputs: {image: [3, 32, 32]}
layers:
  - {name: a, type: conv, channels: 64, kernel: 3, padding: 1}
  - {name: norm, type: batch_norm}
  - {type: flatten}
  - {name: b, type: linear, features: 10}
"""

LINKS = """\
base: hetero-3d
name: apart
chip:
  noc:
    topology:
      kind: mesh
      shape: [4, 4, 4]
      links: [{latency: 1, length_mm: 3.35}, {latency: 1, length_mm: 3.35}, %s]
"""

REFUSED = {
    "BatchNorm without GPU cores": (["--arch", "reram-only"], "'norm': BatchNorm in training needs mini-batch mean, "
                                    "variance, division and square root; this chip has no GPU cores"),
    "statistics of one image": (["--batch", "1"], "'norm': BatchNorm over a batch of 1 image has no statistics"),
    "no room for what is saved": (["--batch", "128", "--set", "chip.gpu_core.memory.mib=1"],
                                  "memory of GPU core 0 is too small: it must hold at least"),
    "no iterations": (["--iterations", "0"], "0 iterations cannot run"),
    "analytical": (["--fidelity", "analytical"], "train does not go with --fidelity analytical"),
    "outer products without crossbars": (
        ["--arch", "gpu-only-3d", "--set", "training.weight_gradient=outer"],
        "training.weight_gradient: outer products are made in crossbars, and the chip has none; allowed: gpu, or null"),
    "all iterations of inference": (["--mode", "infer", "--exact", ""], "exact: is of training"),
    "iterations of an estimate": (["--mode", "infer", "--fidelity", "analytical", "--iterations", "2"],
                                  "iterations: are of training"),
    "no vertical wires": (["--arch", LINKS % "{latency: 1, width_bits: 0, vertical: true}"], "width_bits"),
    "no vertical links": (["--arch", LINKS % "{latency: 1}"], "vertical"),
}  # fmt: skip


@pytest.fixture
def refused(tmp_path: Path, capfd):
    """Runs the command; returns what it says."""

    def run(*arguments: str) -> str:
        network, chip, results = (tmp_path / name for name in ("two.yaml", "apart.yaml", "results"))
        network.write_text(NETWORK)
        options = {"--arch": "hetero-3d", "--mode": "train", "--batch": "4"}
        options |= dict(zip(arguments[::2], arguments[1::2], strict=True))
        if "\n" in options["--arch"]:
            chip.write_text(options["--arch"])
            options["--arch"] = str(chip)
        before = sorted(tmp_path.iterdir())
        words = [word for pair in options.items() for word in pair if word]
        assert main(["run", str(network), *words, "--out", str(results)]) == 2
        assert sorted(tmp_path.iterdir()) == before, "something was written"
        said = capfd.readouterr()
        assert said.out == "" and said.err.count("\n") == 1
        return said.err

    return run


@pytest.mark.parametrize(("arguments", "said"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused_in_one_line(refused, arguments, said):
    assert said in refused(*arguments)
