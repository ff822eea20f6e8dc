"""idx files, the format of MNIST and its successors (LeCun, "The MNIST database"), plain or compressed with gzip.

A file is a magic number of four bytes (0, 0, type, rank), one 32-bit big-endian size a dimension, then the values.
Only the type 8, unsigned bytes, occurs in image datasets.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from pimsim.datasets.records import Dataset, Split, n_wanted, scaled
from pimsim.errors import InputError

UNSIGNED_BYTE = 8
PREFIX = {"test": "t10k", "train": "train"}


def recognises(path: Path) -> bool:
    """Whether a folder holds the images of a split."""
    return path.is_dir() and any(_find(path, split, "images", 3) for split in PREFIX)


def load(path: Path, split: Split, images: int | None = None, name: str = "", classes: tuple[str, ...] = ()) -> Dataset:
    """The images ``t10k-images-idx3-ubyte[.gz]`` (or ``train-...``) of a folder, with the labels beside them.

    Raises:
        InputError: the split is not there, or a file is truncated or of another shape.
    """
    name = name or path.name
    image_file = _find(path, split, "images", 3)
    if image_file is None:
        names = f"{PREFIX[split]}-images-idx3-ubyte, or the same with .gz"
        raise InputError(f"the {split} split is not there", file=path, allowed=names)
    pixels = read_idx(image_file, 3)
    n_images = n_wanted(images, len(pixels), name)
    label_file = _find(path, split, "labels", 1)
    labels = None
    if label_file is not None:
        labels = read_idx(label_file, 1).astype(np.int64)
        if len(labels) != len(pixels):
            raise InputError(f"has {len(labels)} labels for {len(pixels)} images", file=label_file)
        classes = classes or tuple(map(str, range(labels.max(initial=0) + 1)))
        labels = labels[:n_images]
    return Dataset(
        name,
        scaled(pixels[:n_images])[:, None],
        labels,
        classes if labels is not None else (),
        f"{image_file}, {split} split",
    )


def read_idx(file: Path, rank: int) -> np.ndarray:
    """The uint8 array of an idx file, of ``rank`` dimensions.

    Raises:
        InputError: it cannot be read, is no idx file, is of another type or rank, or is truncated.
    """
    try:
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot be read, or is truncated ({error})", file=file) from None
    if len(data) < 4 or data[:2] != b"\0\0":
        raise InputError("is no idx file: it must begin with two zero bytes, a type and a rank", file=file)
    if data[2] != UNSIGNED_BYTE or data[3] != rank:
        text = f"holds values of type {data[2]} in {data[3]} dimensions"
        raise InputError(text, file=file, allowed=f"type 8 (unsigned bytes) in {rank} dimensions")
    start = 4 + 4 * rank
    if len(data) < start:
        raise InputError("is truncated within its header", file=file)
    shape = struct.unpack(f">{rank}I", data[4:start])
    if len(data) - start != math.prod(shape):
        text = f"is truncated or damaged: {len(data) - start} values, but its header says {math.prod(shape)}"
        raise InputError(f"{text} ({' x '.join(map(str, shape))})", file=file)
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def _find(folder: Path, split: str, what: str, rank: int) -> Path | None:
    """The file of a split's images or labels, under the names in use."""
    stem = f"{PREFIX[split]}-{what}"
    names = (f"{stem}{separator}idx{rank}-ubyte{end}" for separator in "-." for end in ("", ".gz"))
    return next((folder / name for name in names if (folder / name).is_file()), None)
