"""A user's own arrays in a ``.npz`` file of numpy."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from pimsim.datasets.records import Dataset, Split, n_wanted, scaled
from pimsim.errors import InputError

#: names of (images, labels) in use: pimsim's own, Keras', MedMNIST's; {} is the split
NAMES = (("images", "labels"), ("x_{}", "y_{}"), ("{}_images", "{}_labels"))
CHANNELS = (1, 3)


def recognises(path: Path) -> bool:
    """Whether it is called a ``.npz`` file."""
    return path.is_file() and path.suffix.lower() == ".npz"


def load(path: Path, split: Split, images: int | None = None) -> Dataset:
    """``images`` (N, H, W), (N, H, W, C) or (N, C, H, W) and ``labels`` (N,), or names with the split in them.

    Bytes are divided by 255; floats are taken as they are, so that images may be normalised as a network wants
    them.  ``class_names`` (classes,) may name the classes.  A file without splits has the same images for both.

    Raises:
        InputError: the file is damaged, an array is missing, or of another shape or type.
    """
    arrays = _read(path)
    image_key, label_key = _keys(path, arrays, split)
    pixels = arrays[image_key]
    n_images = n_wanted(images, len(pixels) if pixels.ndim else 0, path.stem)
    labels = _labels(path, arrays[label_key], len(pixels)) if label_key in arrays else None
    names: tuple[str, ...] = ()
    if labels is not None:
        given = arrays.get("class_names", np.arange(labels.max(initial=0) + 1))
        names = tuple(map(str, given.tolist()))
    return Dataset(
        path.stem,
        _values(path, _channels_first(path, pixels[:n_images])),
        None if labels is None else labels[:n_images],
        names,
        f"{path}, {image_key}",
    )


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except (OSError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"is no .npz file of plain arrays, or a truncated one ({error})", file=path) from None


def _keys(path: Path, arrays: dict[str, np.ndarray], split: Split) -> tuple[str, str]:
    """Names of the images and of the labels that belong to them."""
    for image_name, label_name in NAMES:
        if image_name.format(split) in arrays:
            return image_name.format(split), label_name.format(split)
    allowed = ", ".join(image_name.format(split) for image_name, _ in NAMES)
    raise InputError(f"has no array of images, but {', '.join(arrays) or 'nothing'}", file=path, allowed=allowed)


def _channels_first(path: Path, pixels: np.ndarray) -> np.ndarray:
    """(N, C, H, W)."""
    if pixels.ndim == 3:
        return pixels[:, None]
    text = f"has images of shape {list(pixels.shape)}"
    if pixels.ndim != 4:
        raise InputError(text, file=path, allowed="[N, H, W], [N, H, W, C], [N, C, H, W]")
    first, last = pixels.shape[1] in CHANNELS, pixels.shape[3] in CHANNELS
    if first == last:
        which = "both could be" if first else "neither is"
        raise InputError(f"{text}: of axis 1 and axis 3, {which} the channels", file=path, allowed="1 or 3 channels")
    return pixels if first else pixels.transpose(0, 3, 1, 2)


def _values(path: Path, pixels: np.ndarray) -> np.ndarray:
    """float32, of the same shape."""
    if pixels.dtype == np.uint8:
        return scaled(pixels)
    if pixels.dtype.kind != "f":
        raise InputError(f"has images of type {pixels.dtype}", file=path, allowed="uint8 (0 to 255), or floats")
    if pixels.size and pixels.min() >= 0 and pixels.max() > 1 and (pixels == np.round(pixels)).all():
        text = f"has float images of whole numbers up to {pixels.max():g}, which look like bytes"
        raise InputError(text, file=path, allowed="uint8 (0 to 255), or floats from 0 to 1")
    return np.ascontiguousarray(pixels, np.float32)


def _labels(path: Path, labels: np.ndarray, n_images: int) -> np.ndarray:
    """(N,) int64."""
    if labels.dtype.kind not in "iu":
        raise InputError(f"has labels of type {labels.dtype}", file=path, allowed="integers")
    if labels.shape not in ((n_images,), (n_images, 1)):
        raise InputError(f"has labels of shape {list(labels.shape)} for {n_images} images", file=path)
    return labels.reshape(-1).astype(np.int64)
