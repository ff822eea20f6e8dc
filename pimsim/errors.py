"""The one error that a user's input can cause: a single line that says where, what, and what is allowed."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(Exception):
    """Something that the user gave is wrong.

    ``str()`` is one line, ``file:line: key: what is wrong; allowed: ...``, in which the parts
    that are not known are left out.  Command lines print it and exit with code 2.
    """

    def __init__(
        self,
        what: str,
        *,
        file: object = None,
        line: int | None = None,
        key: str | None = None,
        allowed: str | Iterable[object] | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.file = None if file is None else str(file)
        self.line = line
        self.key = key
        self.allowed = allowed if allowed is None or isinstance(allowed, str) else ", ".join(map(str, allowed))

    def __str__(self) -> str:
        parts = []
        if self.file is not None:
            parts.append(self.file if self.line is None else f"{self.file}:{self.line}")
        if self.key:
            parts.append(self.key)
        parts.append(self.what)
        return one_line(": ".join(parts) + (f"; allowed: {self.allowed}" if self.allowed else ""))


def one_line(text: str) -> str:
    """``text`` without line ends and other control characters, which could fake a terminal's output."""
    return "".join(char if char.isprintable() else " " for char in " ".join(text.split()))


def shown(value: object, limit: int = 60) -> str:
    """``value`` as it is quoted in a message: its repr, cut to ``limit`` characters."""
    if isinstance(value, int) and value.bit_length() > 256:
        return f"a whole number of {value.bit_length()} bits"  # Python refuses to print the largest ones
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """``", did you mean 'x'?"`` where one of ``choices`` is close to ``word``, else nothing."""
    close = get_close_matches(word, list(choices), n=1)
    return f", did you mean {close[0]!r}?" if close else ""
