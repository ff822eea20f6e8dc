"""What every loader returns: images, their labels, and where they are from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pimsim.errors import InputError

Split = Literal["test", "train"]
SPLITS: tuple[Split, ...] = ("test", "train")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images of one size, in the order in which they are executed.

    Raises:
        InputError: no image, a value that is no number, or labels that do not fit the images.
    """

    name: str
    images: np.ndarray  #: (N, C, H, W) float32, 0 to 1 (float images of a .npz: as they are in the file)
    labels: np.ndarray | None  #: (N,) int64, index into ``classes``; None where the source has none
    classes: tuple[str, ...]  #: names of the classes; empty where there are no labels
    source: str  #: one line: package or file, and the split

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or not self.images.size:
            raise InputError(f"dataset '{self.name}' has no images, but an array of {list(self.images.shape)}")
        if not np.isfinite(self.images).all():
            raise InputError(f"dataset '{self.name}' has pixels that are NaN or infinite")
        if self.labels is None:
            return
        if self.labels.shape != (len(self),):
            raise InputError(f"dataset '{self.name}' has {len(self)} images, but {self.labels.size} labels")
        if self.labels.min() < 0 or self.labels.max() >= len(self.classes):
            text = f"dataset '{self.name}' has labels from {self.labels.min()} to {self.labels.max()}"
            raise InputError(text, allowed=f"0 to {len(self.classes) - 1}")

    def __len__(self) -> int:
        return len(self.images)


def scaled(pixels: np.ndarray, largest: int = 255) -> np.ndarray:
    """Stored pixels, 0 to ``largest``, as float32 from 0 to 1; same shape."""
    return np.asarray(pixels, np.float32) / np.float32(largest)


def n_wanted(images: int | None, available: int, name: str) -> int:
    """How many images are loaded: all, or the first ``images``.

    Raises:
        InputError: fewer than one, more than there are, or there are none.
    """
    if not available:
        raise InputError(f"dataset '{name}' has no images")
    if images is None:
        return available
    if not 1 <= images <= available:
        raise InputError(f"{images} images of '{name}' are asked for", key="images", allowed=f"1 to {available}")
    return images


def class_by_class(labels: np.ndarray) -> np.ndarray:
    """(N,) order in which classes take turns: the first image of each class, the second of each, ...

    The first images of a dataset that is stored class by class would otherwise all be of one class.
    """
    return np.lexsort((labels, rank_in_class(labels)))


def rank_in_class(labels: np.ndarray) -> np.ndarray:
    """(N,) how many images of the same class stand before each image."""
    ranks = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        ranks[of_class] = np.arange(of_class.size)
    return ranks


def every_fifth(labels: np.ndarray, split: Split) -> np.ndarray:
    """Indices of a split for datasets that have none of their own, classes taking turns.

    Of each class, every fifth image in the order of the source (the 5th, 10th, ...) is for testing.
    """
    order = class_by_class(labels)
    for_testing = rank_in_class(labels)[order] % 5 == 4
    return order[for_testing if split == "test" else ~for_testing]


def digit_names() -> tuple[str, ...]:
    """Classes of handwritten digits."""
    return tuple("0123456789")


def not_installed(name: str, advice: str | Sequence[str]) -> InputError:
    """The error for a named dataset that is not on this machine."""
    how = advice if isinstance(advice, str) else ", or ".join(advice)
    return InputError(f"dataset '{name}' is not installed; get it with: {how}", key="dataset")
