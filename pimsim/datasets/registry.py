"""Finds a dataset by name or by path: one file a source or format, one row each in the tables here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

from pimsim.datasets import cifar10, digits, fashion_mnist, idx, image_folder, mnist5k, npz
from pimsim.datasets.folders import DATA_VARIABLE, data_folder
from pimsim.datasets.records import SPLITS, Dataset, Split
from pimsim.errors import InputError, did_you_mean

#: name -> ``load(split, images)``
NAMED: Mapping[str, Callable[[Split, int | None], Dataset]] = {
    module.NAME: module.load for module in (digits, mnist5k, fashion_mnist)
}

#: formats of a path, each with ``recognises(path)`` and ``load(path, split, images)``; the first that fits reads it
FORMATS: tuple[ModuleType, ...] = (npz, idx, cifar10, image_folder)

ALLOWED_PATHS = "a folder of idx files, of CIFAR-10's binary batches or of images, or a .npz file"


def load_dataset(name_or_path: str | Path, *, split: Split = "test", images: int | None = None) -> Dataset:
    """A named dataset, a file or folder, or a folder of that name in the folder that ``PIMSIM_DATA`` names.

    Args:
        name_or_path: ``digits``, ``mnist5k``, ``fashion-mnist``, or a path.
        split: images for testing, or those a network is trained on.
        images: only the first so many; all by default.

    Raises:
        InputError: nothing of that name, a dataset that is not installed, a file that cannot be read, or more
            images than there are.
    """
    if split not in SPLITS:
        raise InputError(f"there is no split {split!r}", key="split", allowed=SPLITS)
    name = str(name_or_path)
    if name in NAMED:
        return NAMED[name](split, images)
    try:
        return _from_path(name, split, images)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", file=error.filename or name) from None


def _from_path(name: str, split: Split, images: int | None) -> Dataset:
    own = data_folder(name)
    candidates = [Path(name), *([own] if own is not None else [])]
    path = next((path for path in candidates if name and path.exists()), None)
    if path is None:
        allowed = f"{', '.join(NAMED)}, {ALLOWED_PATHS}, or a folder in the folder that {DATA_VARIABLE} names"
        raise InputError(f"no dataset is called '{name}'{did_you_mean(name, NAMED)}", key="dataset", allowed=allowed)
    for format_ in FORMATS:
        if format_.recognises(path):
            dataset: Dataset = format_.load(path, split, images)
            return dataset
    raise InputError("is no dataset of a known format", file=path, allowed=ALLOWED_PATHS)
