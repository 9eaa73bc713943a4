"""What a scalar of a configuration file says: references to the environment replaced, then its type."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

_REFERENCE: Final = re.compile(r"\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\})?")

_TYPES: Final[tuple[tuple[re.Pattern[str], Callable[[str], object]], ...]] = (
    (re.compile(r"|~|null|Null|NULL"), lambda _: None),
    (re.compile(r"true|True|TRUE|false|False|FALSE"), lambda text: text.lower() == "true"),
    (re.compile(r"[-+]?[0-9]{1,18}"), int),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
)
"""YAML 1.2.2 section 10.3.2, without the octal and hexadecimal integers, `.inf` and `.nan`."""


def plain_value(text: str) -> object:
    """What an unquoted scalar is: None, a bool, an int, a float, or the text itself."""
    return next((make(text) for pattern, make in _TYPES if pattern.fullmatch(text)), text)


def substitute(text: str, environ: Mapping[str, str]) -> str:
    """The text with every reference replaced; `$${` stands for `${`.

    A default is taken when the variable is unset or empty, as in a shell. Raises ValueError that names every
    variable without a value, or the reference that is none.
    """
    unset: list[str] = []

    def replace(match: re.Match[str]) -> str:
        name, default = match.groups()
        if match[0] == "$${":
            return "${"
        if name is None:
            raise ValueError("expected ${NAME} or ${NAME:-default}; write $${ for a literal ${")
        value = environ.get(name) if default is None else environ.get(name) or default
        if value is None:
            unset.append(name)
        return value or ""

    result = _REFERENCE.sub(replace, text)
    if unset:
        raise ValueError(f"environment variable {', '.join(unset)} is not set")
    if not _is_unicode(result):
        raise ValueError("the environment gives text that is not UTF-8")
    return result


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)
