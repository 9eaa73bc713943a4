"""What a printer of messages is, whichever way it was made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Print = Callable[[Any], Any]
"""message -> JSON value"""

PrintAll = Callable[[Sequence[Any]], list[Any]]
"""messages -> JSON values"""


class Printer:
    """Prints messages of one type: `one` a message, `many` a list of them.

    Each is made by its first call, so that types may contain themselves and cost nothing until then.
    """

    __slots__ = ("many", "one")

    def __init__(self, make_one: Callable[[], Print], make_many: Callable[[], PrintAll]) -> None:
        self.one: Print
        self.many: PrintAll

        def first(message: Any) -> Any:
            self.one = make_one()
            return self.one(message)

        def first_many(messages: Sequence[Any]) -> list[Any]:
            self.many = make_many()
            return self.many(messages)

        self.one, self.many = first, first_many


def one_by_one(one: Print) -> PrintAll:
    """The printer of a list, message by message."""
    return lambda messages: [one(message) for message in messages]
