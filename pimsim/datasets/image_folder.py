"""A folder of image files: one sub-folder a class, or images without labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pimsim.datasets.records import SPLITS, Dataset, Split, class_by_class, n_wanted, scaled
from pimsim.errors import InputError

SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".pgm", ".ppm", ".tif", ".tiff", ".webp"))
GREY = ("1", "L")
DEEP = ("I", "F")  #: beginnings of Pillow's modes with more than 8 bits a channel


def recognises(path: Path) -> bool:
    """Any folder: the most general format, asked last."""
    return path.is_dir()


def load(path: Path, split: Split, images: int | None = None) -> Dataset:
    """All images below a folder, classes taking turns; a folder ``test`` or ``train`` within it is a split.

    Classes are numbered in the order of their folders' names.  Where one image has colours, grey ones get three
    equal channels; transparency is dropped.

    Raises:
        InputError: no images, images of different sizes, one that cannot be read, or Pillow is not installed.
    """
    folder = path / split if any((path / each).is_dir() for each in SPLITS) else path
    if not folder.is_dir():
        raise InputError(f"the {split} split is not there", file=folder)
    files, labels, classes = _files(folder)
    n_images = n_wanted(images, len(files), path.name)
    if labels is not None:
        order = class_by_class(labels)
        files, labels = [files[at] for at in order[:n_images]], labels[order[:n_images]]
    return Dataset(path.name, _pixels(files[:n_images]), labels, classes, str(folder))


def _files(folder: Path) -> tuple[list[Path], np.ndarray | None, tuple[str, ...]]:
    """Image files, their labels if there are sub-folders, and the names of the classes."""
    classes = sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
    loose = _images_in(folder)
    if not classes and not loose:
        raise InputError("holds no images", file=folder, allowed=", ".join(sorted(SUFFIXES)))
    if not classes:
        return loose, None, ()
    if loose:
        raise InputError("holds images beside the classes' folders, which have no class", file=loose[0])
    members = [_images_in(each) for each in classes]
    for each, inside in zip(classes, members, strict=True):
        if not inside:
            raise InputError("holds no images, but is a class", file=each, allowed=", ".join(sorted(SUFFIXES)))
    labels = np.repeat(np.arange(len(classes)), [len(inside) for inside in members])
    return sum(members, []), labels, tuple(each.name for each in classes)


def _images_in(folder: Path) -> list[Path]:
    files = (each for each in folder.iterdir() if each.suffix.lower() in SUFFIXES and not each.name.startswith("."))
    return sorted(files)


def _pixels(files: Sequence[Path]) -> np.ndarray:
    """(N, C, H, W) float32; one channel where all images are grey, else three."""
    try:
        from PIL import Image
    except ImportError:
        raise InputError("images are read by Pillow, which is not installed: pip install pillow") from None
    arrays = [_pixels_of(Image, file) for file in files]
    for file, pixels in zip(files, arrays, strict=True):
        if pixels.shape[:2] != arrays[0].shape[:2]:
            sizes = [f"{each.shape[1]}x{each.shape[0]}" for each in (pixels, arrays[0])]
            raise InputError(f"is {sizes[0]}, but {files[0].name} is {sizes[1]}: all must have one size", file=file)
    n_channels = max(pixels.shape[2] for pixels in arrays)
    images = np.stack([np.broadcast_to(pixels, (*pixels.shape[:2], n_channels)) for pixels in arrays])
    return scaled(images.transpose(0, 3, 1, 2))


def _pixels_of(Image: Any, file: Path) -> np.ndarray:
    """(H, W, 1 or 3) uint8."""
    try:
        with Image.open(file) as image:
            if image.mode.startswith(DEEP):
                raise InputError(f"has pixels of mode {image.mode}", file=file, allowed="8 bits a channel")
            pixels = np.asarray(image.convert("L" if image.mode in GREY else "RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"is no image, or a damaged one ({error})", file=file) from None
    return pixels if pixels.ndim == 3 else pixels[..., None]
