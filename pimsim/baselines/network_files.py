"""Networks that baselines are measured with: the shipped ones, and those kept for baselines alone.

The latter are in ``networks/``: tables of layers as in ``workloads/``, of networks that GPUs are compared by and that
no shipped chip has units for (attention multiplies activations by each other).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pimsim.errors import InputError, did_you_mean
from pimsim.workload import load_workload, shipped
from pimsim.workload.records import Workload

FOLDER = Path(__file__).parent / "networks"


def networks() -> dict[str, Path]:
    """Those for baselines alone: name -> file."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}


def load_network(name_or_path: str | Path, input_shapes: Mapping[str, Sequence[int]] | None = None) -> Workload:
    """A network by name, or any YAML or ONNX file.

    Args:
        input_shapes: shape by input name; fixes free dimensions of ONNX files, overrides others.

    Raises:
        InputError: nothing of that name, or a file that cannot be read.
    """
    name, own = str(name_or_path), networks()
    known = [*own, *shipped()]
    if name not in known and Path(name).suffix.lower() not in (".yaml", ".yml", ".onnx"):
        raise InputError(f"no network is called '{name}'{did_you_mean(name, known)}",
                         allowed=[*known, "a .yaml file", "a .onnx file"])  # fmt: skip
    return load_workload(own.get(name, name_or_path), input_shapes)
