"""Handwritten digits of 8x8 pixels that come with scikit-learn (UCI, "Optical recognition of handwritten digits")."""

from __future__ import annotations

from pimsim.datasets.records import Dataset, Split, digit_names, every_fifth, n_wanted, not_installed, scaled

NAME = "digits"
LARGEST = 16  #: pixels count the set ones of 4x4 bits, 0 to 16 (scikit-learn, load_digits)


def load(split: Split, images: int | None = None) -> Dataset:
    """The 1,797 digits; of each class, every fifth is for testing (355 images), the others for training.

    Raises:
        InputError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise not_installed(NAME, "pip install scikit-learn") from None
    digits = load_digits()
    chosen = every_fifth(digits.target, split)
    chosen = chosen[: n_wanted(images, chosen.size, NAME)]
    pixels = scaled(digits.images[chosen], LARGEST)[:, None]
    labels = digits.target[chosen].astype("int64")
    return Dataset(NAME, pixels, labels, digit_names(), f"scikit-learn's load_digits, {split} split")
