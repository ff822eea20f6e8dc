"""Options that several commands share."""

from __future__ import annotations

import click

from pimsim.errors import InputError, shown

SET = click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change one key of the system; "
                   "may be given again.")  # fmt: skip
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else on stdout.")


ENDURANCE = click.option("--endurance", metavar="WRITES[,DECADES]", help="Writes that a cell bears (the median cell), "
                         "and the spread of their log10; default: the range of ReRAM.")  # fmt: skip


LEVELLING = click.option("--levelling", type=click.Choice(["none", "rotate", "start_gap"]), default="none",
                         show_default=True, help="How rows of a crossbar change places.")  # fmt: skip
INTERVAL = click.option("--interval", type=int, default=100, show_default=True, metavar="K",
                        help="Row writes of a crossbar between two moves of wear levelling.")  # fmt: skip


def read_endurance(text: str) -> tuple[float, float]:
    """WRITES or WRITES,DECADES as the median and sigma of endurance."""
    from pimsim.device.endurance import endurance_at

    try:
        writes, decades = map(float, text.split(",")) if "," in text else (float(text), 0.0)
    except ValueError:
        raise InputError(f"{text!r} is no endurance", key="--endurance", allowed="WRITES or WRITES,DECADES") from None
    try:
        endurance_at(writes, decades, 0.5)
    except InputError as error:
        what = "writes" if error.key == "endurance.writes" else "decades"
        raise InputError(f"{what} {error.what}", key="--endurance", allowed=error.allowed) from None
    return writes, decades


def check_name(key: str, name: str | None, kind: str = "folder") -> None:
    """Raises InputError for an output that is given an empty name."""
    if name == "":
        raise InputError(f"the name of the {kind} is empty", key=key, allowed=f"the name of a {kind}")


def read_words(text: str | None, key: str) -> list[str]:
    """A,B,... as names, each once; None: no names."""
    if text is None:
        return []
    words = [word.strip() for word in text.split(",")]
    if not all(words):
        raise InputError(f"{shown(text)} is no list of names", key=key, allowed="names with commas between them")
    return list(dict.fromkeys(words))


def read_baselines(text: str | None) -> list[str]:
    """--baseline as names of presets and measured files."""
    from pimsim.baselines import preset_name

    return list(dict.fromkeys(map(preset_name, read_words(text, "--baseline"))))


def read_shape(text: str) -> tuple[str, tuple[int, ...]]:
    """NAME=1,3,224,224 as a name and a shape."""
    name, _, numbers = text.rpartition("=")
    sizes = numbers.replace("x", ",").split(",")
    if not name or not all(size.strip().isdecimal() for size in sizes):
        raise InputError(f"{text!r} is no shape", key="--input", allowed="NAME=1,3,224,224")
    return name, tuple(map(int, sizes))
