"""Trains the networks of ``workloads/*.onnx`` and writes them; needs torch, and the datasets (pip install .[data]).

    python -m scripts.train_networks [NAME ...] [--out workloads]

Not run by tests: the trained files are kept.  Seeds are fixed and one thread computes, so that the same release of
torch on the same processor gives the same weights; elsewhere the last bits may differ, and with them an image or two
of the accuracy.  The weights are those after the last epoch; images for testing only give the accuracy.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx.reference import ReferenceEvaluator
from torch import nn

from pimsim.datasets import Dataset, load_dataset
from scripts.trained_networks import LeNet5, Mlp, ResNet8, RowLstm

SEED = 1
N_CHECKED = 200  #: images on which the written file must give torch's scores
TOLERANCE = 1e-4  #: largest difference of a score; float32 sums in another order


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: Adam with decoupled weight decay, one cycle of the learning rate."""

    dataset: str
    module: Callable[[], nn.Module]
    epochs: int
    batch: int = 64
    learning_rate: float = 3e-3  #: peak of the cycle
    weight_decay: float = 1e-2
    shift: int = 0  #: images move by up to so many pixels, at random
    mirrored: bool = False  #: left and right are exchanged in half of the images, at random


RECIPES = {
    "mlp-digits": Recipe("digits", Mlp, epochs=100, learning_rate=1e-2, weight_decay=0.1),
    "lenet5-mnist5k": Recipe("mnist5k", LeNet5, epochs=40, shift=2),
    "lenet5-fashion": Recipe("fashion-mnist", LeNet5, epochs=12, mirrored=True),
    "resnet8-fashion": Recipe("fashion-mnist", ResNet8, epochs=5, batch=128, learning_rate=1e-2, mirrored=True),
    "lstm-digits": Recipe("digits", lambda: RowLstm(8, 32), epochs=200, learning_rate=1e-2, shift=1),
    "lstm-mnist5k": Recipe("mnist5k", lambda: RowLstm(28, 64), epochs=40, learning_rate=5e-3, shift=2),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the networks that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(RECIPES))
    parser.add_argument("--out", type=Path, default=Path("workloads"))
    options = parser.parse_args(arguments)
    unknown = set(options.names) - set(RECIPES)
    if unknown:
        parser.error(f"no network is called {', '.join(sorted(unknown))}")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name in options.names or RECIPES:
        train_and_write(name, RECIPES[name], options.out)


def train_and_write(name: str, recipe: Recipe, folder: Path) -> None:
    """One network, from its seed to its file."""
    test = load_dataset(recipe.dataset)
    module = train(recipe, load_dataset(recipe.dataset, split="train"))
    accuracy = accuracy_of(module, test)
    model = module.to_onnx(name, facts(recipe, test, accuracy))
    check(model, module, test)
    file = folder / f"{name}.onnx"
    onnx.save(model, file)
    print(f"{name}: {accuracy:.2%} of {len(test)} images, {file.stat().st_size / 1024:.0f} KiB", flush=True)


def train(recipe: Recipe, data: Dataset) -> nn.Module:
    """The module after its last epoch, for inference."""
    torch.manual_seed(SEED)
    module = recipe.module()
    images, labels = torch.from_numpy(data.images), torch.from_numpy(data.labels)
    steps = -(-len(data) // recipe.batch) * recipe.epochs
    optimiser = torch.optim.AdamW(module.parameters(), weight_decay=recipe.weight_decay)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.learning_rate, total_steps=steps)
    loss_of = nn.CrossEntropyLoss()
    started = time.process_time()
    for epoch in range(1, recipe.epochs + 1):
        module.train()
        total = 0.0
        for chosen in torch.randperm(len(data)).split(recipe.batch):
            loss = loss_of(module(varied(images[chosen], recipe)), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            rate.step()
            total += float(loss.detach()) * len(chosen)
        print(f"  epoch {epoch}: loss {total / len(data):.4f}, {time.process_time() - started:.0f} s", flush=True)
    return module.eval()


def varied(images: torch.Tensor, recipe: Recipe) -> torch.Tensor:
    """A batch (N, C, H, W), moved and mirrored at random, each image for itself; black moves in."""
    n_images, _, height, width = images.shape
    rows, columns = torch.arange(height).repeat(n_images, 1), torch.arange(width).repeat(n_images, 1)
    if recipe.shift:
        images = nn.functional.pad(images, [recipe.shift] * 4)
        rows = rows + torch.randint(2 * recipe.shift + 1, (n_images, 1))
        columns = columns + torch.randint(2 * recipe.shift + 1, (n_images, 1))
    if recipe.mirrored:
        columns = torch.where(torch.rand(n_images, 1) < 0.5, columns.flip(1), columns)
    at = torch.arange(n_images)[:, None, None]
    return images[at, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


@torch.no_grad()
def accuracy_of(module: nn.Module, data: Dataset) -> float:
    """Fraction of the images whose highest score is their label's."""
    batches = torch.from_numpy(data.images).split(500)
    answers = torch.cat([module(batch).argmax(1) for batch in batches])
    return float((answers.numpy() == data.labels).mean())


@torch.no_grad()
def check(model: onnx.ModelProto, module: nn.Module, data: Dataset) -> None:
    """The written network gives torch's scores, in onnx's own reference."""
    images = data.images[:N_CHECKED]
    (scores,) = ReferenceEvaluator(model).run(None, {"image": images})
    difference = np.abs(scores - module(torch.from_numpy(images)).numpy()).max()
    if not difference < TOLERANCE:
        raise AssertionError(f"{model.graph.name}: scores differ from torch's by {difference:g}")


def facts(recipe: Recipe, test: Dataset, accuracy: float) -> dict[str, str]:
    """What the file says of itself."""
    return {
        "dataset": recipe.dataset,
        "test_images": str(len(test)),
        "test_accuracy": f"{accuracy:.4f}",
        "epochs": str(recipe.epochs),
        "seed": str(SEED),
        "classes": ", ".join(test.classes),
        "trained_by": f"scripts/train_networks.py, torch {torch.__version__.split('+')[0]}",
    }


if __name__ == "__main__":
    main()
