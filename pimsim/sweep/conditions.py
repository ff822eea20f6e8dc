"""Conditions between axes: ``adc_bits <= cell_bits + 7``.

An expression of names of axes, numbers, words and comparisons; nothing else can be written, so that a file from a
stranger cannot execute anything.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import CodeType
from typing import Any

from pimsim.errors import InputError, did_you_mean, shown

FUNCTIONS = {"abs": abs, "log2": math.log2, "max": max, "min": min}
LABELS = ("workload", "system")  #: names that every point has, beside its axes
MOST_CHARACTERS = 1000

_ALLOWED = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd,
    ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod,
    ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn,
    ast.Name, ast.Load, ast.Constant, ast.Tuple, ast.List, ast.Call,
)  # fmt: skip
"""No power, attribute or subscript: neither 9**9**9 nor anything's inside can be asked for."""


@dataclass(frozen=True)
class Condition:
    """An expression that is true for the points that are wanted.

    Raises:
        InputError: it is no such expression.
    """

    text: str

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise InputError(f"{shown(self.text)} is no condition", allowed="an expression such as adc_bits <= 8")
        _ = self._tree

    def check_names(self, axes: Collection[str]) -> None:
        """Raises InputError unless every name is an axis (or workload, system), and there is one."""
        names = self.names
        for name in sorted(names - {*axes, *LABELS}):
            raise InputError(f"{shown(self.text)}: there is no axis {name!r}{did_you_mean(name, axes)}",
                             allowed=[*axes, *LABELS])  # fmt: skip
        if not names:
            raise InputError(f"{shown(self.text)} names no axis", allowed=[*axes, *LABELS])

    def check_values(self, known: Mapping[str, Sequence[Any]]) -> None:
        """Raises InputError where a name is compared with a value that it never has.

        Args:
            known: all values by name, for names whose values are listed.
        """
        for node in ast.walk(self._tree):
            if not isinstance(node, ast.Compare):
                continue
            sides = [node.left, *node.comparators]
            for operator, left, right in zip(node.ops, sides, sides[1:], strict=False):
                if isinstance(operator, ast.Eq | ast.NotEq):
                    self._check_value(left, [right], known)
                    self._check_value(right, [left], known)
                elif isinstance(operator, ast.In | ast.NotIn) and isinstance(right, ast.Tuple | ast.List):
                    self._check_value(left, right.elts, known)

    def _check_value(self, name: ast.expr, wanted: Sequence[ast.expr], known: Mapping[str, Sequence[Any]]) -> None:
        if not isinstance(name, ast.Name) or name.id not in known:
            return
        values = known[name.id]
        for node in wanted:
            if isinstance(node, ast.Constant) and node.value not in values:
                close = did_you_mean(node.value, map(str, values)) if isinstance(node.value, str) else ""
                raise InputError(f"{shown(self.text)}: {name.id} is never {node.value!r}{close}",
                                 allowed=", ".join(map(repr, values)))  # fmt: skip

    @property
    def names(self) -> set[str]:
        """Names in it that are no functions."""
        return {node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name)} - set(FUNCTIONS)

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether it is true for these values by name.

        Raises:
            InputError: the values cannot be compared so.
        """
        try:
            return bool(eval(self._code, {"__builtins__": {}, **FUNCTIONS, **values}))  # only what _ALLOWED lists
        except (TypeError, ValueError, ArithmeticError) as error:
            given = ", ".join(f"{name} = {shown(values[name])}" for name in sorted(self.names))
            raise InputError(f"{shown(self.text)} cannot be evaluated with {given}: {error}") from None

    @cached_property
    def _tree(self) -> ast.Expression:
        wrong = f"{shown(self.text)} is no condition"
        try:
            if len(self.text) > MOST_CHARACTERS:
                raise InputError(f"{wrong}: it is too long", allowed=f"at most {MOST_CHARACTERS} characters")
            tree = ast.parse(self.text.strip(), mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise InputError(f"{wrong}: {getattr(error, 'msg', error)}") from None
        for node in ast.walk(tree):
            if not isinstance(node, _ALLOWED):
                raise InputError(f"{wrong}: {type(node).__name__} is not allowed in it",
                                 allowed="names of axes, numbers, words, + - * / // %, comparisons, and, or, not, in")
            if isinstance(node, ast.Call) and not _is_known_call(node):
                raise InputError(f"{wrong}: only these can be called", allowed=sorted(FUNCTIONS))
        return tree

    @cached_property
    def _code(self) -> CodeType:
        return compile(self._tree, "condition", "eval")


def _is_known_call(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS and not node.keywords
