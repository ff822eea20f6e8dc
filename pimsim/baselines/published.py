"""What papers of other accelerators say of themselves: published, not simulated."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from pimsim.baselines.presets import Trust
from pimsim.baselines.reading import read_record
from pimsim.config.base import Positive, Spec
from pimsim.errors import InputError, did_you_mean

FILE = Path(__file__).parent / "published.yaml"


class PublishedFigure(Spec):
    """One number of a paper."""

    quantity: str = Field(min_length=1)
    value: Positive
    unit: str
    trust: Trust
    source: str = Field(min_length=1)


class Accelerator(Spec):
    """What is known of an accelerator."""

    title: str = Field(min_length=1)
    figures: tuple[PublishedFigure, ...] = Field(min_length=1)

    def value(self, quantity: str) -> float:
        """The figure of that name.

        Raises:
            InputError: there is none.
        """
        for figure in self.figures:
            if figure.quantity == quantity:
                return figure.value
        raise InputError(f"{self.title}: no figure is called {quantity!r}",
                         allowed=[figure.quantity for figure in self.figures])  # fmt: skip


class PublishedFile(Spec):
    """Several of them."""

    format: Literal["pimsim-published-1"]
    accelerators: dict[str, Accelerator]


def read_accelerators(path: str | Path) -> dict[str, Accelerator]:
    """The accelerators of a file, by name.

    Raises:
        InputError: the file cannot be read, or something in it is wrong.
    """
    return read_record(path, PublishedFile).accelerators


@cache
def accelerators() -> dict[str, Accelerator]:
    """Those that come with pimsim."""
    return read_accelerators(FILE)


def load_accelerator(name: str) -> Accelerator:
    """One of :func:`accelerators`.

    Raises:
        InputError: there is none of that name.
    """
    if name not in accelerators():
        raise InputError(f"no accelerator is called '{name}'{did_you_mean(name, accelerators())}",
                         allowed=accelerators())  # fmt: skip
    return accelerators()[name]
