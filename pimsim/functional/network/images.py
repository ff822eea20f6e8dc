"""Images and labels as they are given: by name, as a dataset, or as arrays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pimsim.datasets import Dataset, load_dataset
from pimsim.errors import InputError, shown

MOST_CLASSES = 2**20  #: of labels given as an array: each class gets a name


def is_whole(value: Any) -> bool:
    """A whole number, which True and False are not."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def read_images(data: Any, images: int | None, calibration: int) -> tuple[Dataset, Dataset]:
    """Images to execute, and images for calibration.

    Args:
        data: name or path of a dataset, a Dataset or two (for each purpose one), images, or images and labels.
        images: the first so many; None: all.
        calibration: how many for calibration: of the training split, where there is one.

    Raises:
        InputError: what is given is none of that.
    """
    if not is_whole(calibration) or calibration < 1:
        raise InputError(f"{shown(calibration)} images cannot calibrate", key="calibration",
                         allowed="a whole number from 1")  # fmt: skip
    if isinstance(data, tuple) and len(data) == 2 and isinstance(data[0], Dataset):
        return data  # of a sweep
    if isinstance(data, str | Path):
        test = load_dataset(data, images=images)
        for most in (calibration, None):  # there may be fewer images than calibration wants
            try:
                return test, _first(load_dataset(data, split="train", images=most), calibration)
            except InputError:
                continue
        return test, _first(test, calibration)  # there is no such split
    test = _first(_dataset(data), images)
    return test, _first(test, calibration)


def _dataset(data: Any) -> Dataset:
    if isinstance(data, Dataset):
        return data
    if isinstance(data, tuple) and len(data) != 2:
        raise InputError(f"a tuple of {len(data)} is neither images nor images and labels", key="data",
                         allowed="a name, a Dataset, images (N, C, H, W), or images and labels (N,)")  # fmt: skip
    images, labels = data if isinstance(data, tuple) else (data, None)
    pixels = _numbers(images, "images").astype(np.float32)
    if labels is None:
        return Dataset("data", pixels, None, (), "given as arrays")
    classes = _numbers(labels, "labels")
    if classes.ndim != 1:
        raise InputError(f"holds labels of shape {list(classes.shape)}", key="data", allowed="one number an image")
    allowed = f"whole numbers from 0 to {MOST_CLASSES - 1}"
    if not np.all((classes >= 0) & (classes < MOST_CLASSES) & (classes == np.floor(classes))):
        raise InputError("holds labels that are no classes", key="data", allowed=allowed)
    names = tuple(map(str, range(int(classes.max(initial=0)) + 1)))
    return Dataset("data", pixels, classes.astype(np.int64), names, "given as arrays")


def _numbers(values: Any, what: str) -> np.ndarray:
    """Real numbers as an array of any type of numbers."""
    try:
        found = np.asarray(values)
    except ValueError:  # rows of different lengths
        raise InputError(f"holds {what} of different sizes", key="data") from None
    if found.dtype.kind not in "buif":
        raise InputError(f"holds {what} that are no numbers, but {found.dtype}", key="data")
    return found.astype(np.uint8) if found.dtype.kind == "b" else found


def _first(data: Dataset, images: int | None) -> Dataset:
    if images is None or images >= len(data):
        return data
    if images < 1:
        raise InputError(f"{images} images are asked for", key="images", allowed=f"1 to {len(data)}")
    return replace(data, images=data.images[:images], labels=None if data.labels is None else data.labels[:images])
