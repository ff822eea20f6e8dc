"""CIFAR-10 in its binary version (Krizhevsky, "Learning multiple layers of features from tiny images", 2009).

A file is records of 3,073 bytes: a label, then 32x32 pixels of red, of green and of blue, row by row.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pimsim.datasets.records import Dataset, Split, n_wanted, scaled
from pimsim.errors import InputError

SHAPE = (3, 32, 32)
RECORD_BYTES = 1 + 3 * 32 * 32
FILES = {"test": ("test_batch",), "train": tuple(f"data_batch_{n}" for n in range(1, 6))}
#: the name of the folder in the archive that is published
ARCHIVE_FOLDER = "cifar-10-batches-bin"
#: batches.meta.txt of the binary version
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def recognises(path: Path) -> bool:
    """Whether a folder holds a batch of either version."""
    if not path.is_dir():
        return False
    stems = [stem for split in FILES.values() for stem in split]
    return any((_folder(path) / f"{stem}{end}").is_file() for stem in stems for end in (".bin", ""))


def load(path: Path, split: Split, images: int | None = None) -> Dataset:
    """``test_batch.bin``, or ``data_batch_1.bin`` to ``data_batch_5.bin`` as far as they are there.

    Raises:
        InputError: it is the Python version, the split is not there, or a file is truncated.
    """
    folder = _folder(path)
    files = [folder / f"{stem}.bin" for stem in FILES[split] if (folder / f"{stem}.bin").is_file()]
    if not files and any((folder / stem).is_file() for stem in FILES[split]):
        text = "is CIFAR-10's Python version, pickles, which could run any code; take the binary version"
        raise InputError(f"{text} (cifar-10-binary.tar.gz)", file=folder)
    if not files:
        raise InputError(f"the {split} split is not there", file=folder, allowed=f"{FILES[split][0]}.bin")
    records = np.concatenate([_records(file) for file in files])
    records = records[: n_wanted(images, len(records), path.name)]
    pixels = scaled(records[:, 1:]).reshape(-1, *SHAPE)
    labels = records[:, 0].astype(np.int64)
    return Dataset("cifar10", pixels, labels, CLASSES, f"{folder}, {split} split")


def _folder(path: Path) -> Path:
    inner = path / ARCHIVE_FOLDER
    return inner if inner.is_dir() else path


def _records(file: Path) -> np.ndarray:
    """(images, 3073) uint8."""
    values = np.fromfile(file, np.uint8)
    if not values.size or values.size % RECORD_BYTES:
        text = f"is truncated, or no CIFAR-10 batch: {values.size} bytes are no multiple of {RECORD_BYTES}"
        raise InputError(text if values.size else "is empty", file=file)
    records = values.reshape(-1, RECORD_BYTES)
    if records[:, 0].max() >= len(CLASSES):
        raise InputError(f"is no CIFAR-10 batch: it has a label {records[:, 0].max()}", file=file, allowed="0 to 9")
    return records
