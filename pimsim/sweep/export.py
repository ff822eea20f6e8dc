"""The table of a study as CSV, and as Parquet where pyarrow is installed."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pimsim.results.staging import staged_file, write_error
from pimsim.sweep.spec import Sweep
from pimsim.sweep.store import Store

CSV, PARQUET = "points.csv", "points.parquet"


def table_columns(sweep: Sweep) -> list[str]:
    """Columns of the exports: what was asked, what became of it, and the results that are kept."""
    run = [name for name in ("batch", "noc", "fidelity") if name not in sweep.axes]
    return ["ordinal", "workload", "system", *run, *sweep.axes, "status", "error", *sweep.columns, "compute_s", "key"]


def export(store: Store, columns: Sequence[str], folder: Path) -> list[Path]:
    """Write the table; each file appears whole or not at all.  The files written.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    rows = store.rows(columns)
    files = [folder / CSV]
    try:
        with staged_file(files[0]) as stage, open(stage, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(rows)
        if _write_parquet(columns, rows, folder / PARQUET):
            files.append(folder / PARQUET)
    except OSError as error:
        raise write_error(error, folder) from None
    return files


def _write_parquet(columns: Sequence[str], rows: Sequence[tuple[Any, ...]], file: Path) -> bool:
    """Whether pyarrow is there and has written the file."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        return False
    values = zip(*rows, strict=True) if rows else [()] * len(columns)
    arrays = {name: _array(pyarrow, list(column)) for name, column in zip(columns, values, strict=True)}
    with staged_file(file) as stage:
        pyarrow.parquet.write_table(pyarrow.table(arrays), stage)
    return True


def _array(pyarrow: Any, values: list[Any]) -> Any:
    """A column; of an axis whose values are of several kinds, as text."""
    try:
        return pyarrow.array(values)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError):
        return pyarrow.array([None if value is None else str(value) for value in values])


