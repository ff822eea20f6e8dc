"""Fashion-MNIST: 60,000 and 10,000 grey images of clothes, 28x28 (Xiao, Rasul, Vollgraf, arXiv:1708.07747)."""

from __future__ import annotations

from pathlib import Path

from pimsim.datasets import idx
from pimsim.datasets.folders import DATA_VARIABLE, data_folder
from pimsim.datasets.records import Dataset, Split, not_installed

NAME = "fashion-mnist"
#: where Debian's package dataset-fashion-mnist puts its files
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
#: table 2 of the paper
CLASSES = (
    "T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip


def load(split: Split, images: int | None = None) -> Dataset:
    """From the user's folder if there is one, else from Debian's package.

    Raises:
        InputError: neither is there, or a file is damaged.
    """
    own = data_folder(NAME)
    folder = own if own is not None and idx.recognises(own) else DEBIAN
    if not idx.recognises(folder):
        own_files = f"put its idx files into the folder {NAME} of the folder that {DATA_VARIABLE} names"
        raise not_installed(NAME, ("apt install dataset-fashion-mnist (Debian)", own_files))
    return idx.load(folder, split, images, NAME, CLASSES)
