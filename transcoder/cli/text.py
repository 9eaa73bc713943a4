"""Text for people: what may be printed, and how."""

from __future__ import annotations


def printable(text: str) -> str:
    """On one line, and nothing in it that a terminal would act on."""
    line = " ".join(text.split())
    shown = (char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)
    return "".join(shown)


def count(number: int, noun: str) -> str:
    """`1 route`, `2 routes`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
