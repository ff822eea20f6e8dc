"""Finds a workload by shipped name or by file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pimsim.errors import InputError, did_you_mean
from pimsim.workload.layers import BatchNormPlaces
from pimsim.workload.records import Workload
from pimsim.workload.yaml_format import read_workload

#: files of shipped networks: tables of layers, and trained networks with their weights
SUFFIXES = (".yaml", ".onnx")
#: in the package (a link in a checkout), or beside it where links are not supported
FOLDERS = (
    Path(__file__).resolve().parents[1] / "data" / "workloads",
    Path(__file__).resolve().parents[2] / "workloads",
)


def shipped() -> dict[str, Path]:
    """Shipped networks: name -> file."""
    folder = next((folder for folder in FOLDERS if folder.is_dir()), None)
    files = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES) if folder else []
    return {path.stem: path for path in files}


def load_workload(
    name_or_path: str | Path,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    batch_norm: BatchNormPlaces | None = None,
) -> Workload:
    """A shipped network, a YAML file, or an ONNX file.

    Args:
        name_or_path: ``vgg16``, ``lenet5-fashion``, ``path/to/net.yaml`` or ``path/to/net.onnx``.
        input_shapes: shape by input name; fixes free dimensions of ONNX files, overrides others.
        batch_norm: which of a YAML file's BatchNorms are kept, in place of what the file says.

    Raises:
        InputError: nothing of that name, or a file that cannot be read.
    """
    name = str(name_or_path)
    path = shipped().get(name, Path(name_or_path))
    if path.suffix.lower() == ".onnx":
        if batch_norm is not None:
            raise InputError("an ONNX file has the BatchNorms that it has", key="batch_norm", allowed="a .yaml file")
        from pimsim.workload.onnx_import import import_onnx  # onnx takes long to import, YAML does without

        return import_onnx(path, input_shapes)
    if path.suffix.lower() in (".yaml", ".yml"):
        return read_workload(path, input_shapes, batch_norm)
    close = did_you_mean(name, shipped())
    raise InputError(
        f"no workload is called '{name}'{close}", allowed="a .yaml file, a .onnx file, or " + ", ".join(shipped())
    )
