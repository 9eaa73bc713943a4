"""Whatever docs/security.md promises names the tests that prove it."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest

TESTS: Final = Path(__file__).parents[1]
DOCS: Final = TESTS.parent / "docs" / "security.md"
PROMISES: Final = DOCS.read_text().partition("## What is promised")[2]
ROWS: Final = re.findall(r"^\| (?!promise |-)(.+) \| (.+) \|$", PROMISES, re.MULTILINE)
PROOFS: Final = sorted(set(re.findall(r"`([a-z0-9_/]+\.py)::(\w+)`", DOCS.read_text())))


@cache
def functions_of(name: str) -> frozenset[str]:
    tree = ast.parse((TESTS / name).read_text())
    return frozenset(
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


@pytest.mark.parametrize(("file", "test"), PROOFS)
def test_proof_exists(file: str, test: str) -> None:
    assert test in functions_of(file)


def test_every_promise_has_a_proof() -> None:
    assert len(ROWS) > 30
    assert [promise for promise, proofs in ROWS if not re.match(r"`[\w/]+\.py::test_\w+`", proofs)] == []
