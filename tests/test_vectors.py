"""The repository's own selection of test vectors, file by file; `make vectors DIR=…` takes any other folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.vector_checks import CHECKS, Check, files
from tests.vectors_io import FOLDER


@pytest.mark.parametrize(
    ("path", "check"), files(FOLDER), ids=lambda value: value.stem if isinstance(value, Path) else ""
)
def test_every_value_is_within_tolerance(path: Path, check: Check) -> None:
    rows = list(check(path))
    assert rows
    assert not [row for row in rows if not row.passed]


def test_every_check_has_files() -> None:
    assert [pattern for pattern in CHECKS if not list(FOLDER.glob(pattern))] == []


def test_a_wrong_value_is_out_of_tolerance(tmp_path: Path) -> None:
    cases = json.loads((FOLDER / "tables" / "layer_selection.json").read_text())
    cases[0]["interval"][1] += 1
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "layer_selection.json").write_text(json.dumps(cases))
    [(path, check)] = files(tmp_path)
    assert not all(row.passed for row in check(path))
