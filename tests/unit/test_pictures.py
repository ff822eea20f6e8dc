"""The pictures of README.md: each is made by the script, is there, and is small; the script runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.pictures import FOLDER, PICTURES

ROOT = Path(__file__).resolve().parents[2]
MOST_BYTES = 300_000  #: of all pictures together


def shown() -> list[str]:
    """Files of the pictures in README.md, as it names them."""
    return re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text())


def test_readme_shows_what_the_script_makes() -> None:
    assert sorted(shown()) == sorted(f"scripts/images/{name}.png" for name in PICTURES)
    assert {file.name for file in FOLDER.iterdir()} == {f"{name}.png" for name in PICTURES}


def test_pictures_are_pictures_and_small() -> None:
    files = [ROOT / name for name in shown()]
    assert all(file.read_bytes().startswith(b"\x89PNG\r\n") for file in files)
    assert sum(file.stat().st_size for file in files) < MOST_BYTES


def test_the_script_makes_the_named_pictures(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="the digits are scikit-learn's")
    command = [sys.executable, "-m", "scripts.pictures", "--quick", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {file.name for file in tmp_path.iterdir()} == {f"{name}.png" for name in PICTURES}
    assert all(file.stat().st_size > 5000 for file in tmp_path.iterdir())


def test_a_picture_that_does_not_exist_is_said_to_be(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scripts.pictures", "nothing", "--out", str(tmp_path / "none")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "there is no picture nothing" in done.stderr and not (tmp_path / "none").exists()
