"""Whatever docs/security.md and docs/faults.md promise names the tests that prove it."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest

TESTS: Final = Path(__file__).parent
DOCS: Final = TESTS.parent / "docs"
PROOF: Final = re.compile(r"`([a-z0-9_/]+\.py)::(\w+)`")
ROW: Final = re.compile(r"^\| (?!-)(.+) \| (.+) \|$", re.MULTILINE)


def text_of(page: str) -> str:
    return (DOCS / page).read_text()


PROOFS: Final = sorted(
    {found for page in ("security.md", "faults.md") for found in PROOF.findall(text_of(page))}
)


def promises(page: str) -> list[tuple[str, str]]:
    """The rows of every table whose last column holds proofs: what is promised, and those."""
    tables = re.split(r"\n\n+", text_of(page))
    return [
        row
        for table in tables
        if table.startswith("|") and " proof |\n" in table
        for row in ROW.findall(table)[1:]
    ]


@cache
def functions_of(name: str) -> frozenset[str]:
    tree = ast.parse((TESTS / name).read_text())
    return frozenset(
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


@pytest.mark.parametrize(("file", "test"), PROOFS)
def test_proof_exists(file: str, test: str) -> None:
    assert test in functions_of(file)


@pytest.mark.parametrize(("page", "at_least"), [("security.md", 30), ("faults.md", 25)])
def test_every_promise_has_a_proof(page: str, at_least: int) -> None:
    rows = promises(page)
    assert len(rows) >= at_least
    assert [
        promise for promise, proofs in rows if not re.fullmatch(rf"({PROOF.pattern}(, |$))+", proofs)
    ] == []
