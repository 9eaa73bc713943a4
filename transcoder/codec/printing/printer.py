"""What a printer of messages is, whichever way it was made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from weakref import ref

Print = Callable[[Any], Any]
"""message -> JSON value"""

PrintAll = Callable[[Sequence[Any]], list[Any]]
"""messages -> JSON values"""


class Printer:
    """Prints messages of one type: `one` a message, `many` a list of them.

    Each is made by its first call, so that types may contain themselves and cost nothing until then.
    """

    __slots__ = ("__weakref__", "_make_many", "_make_one", "many", "one")

    def __init__(self, make_one: Callable[[], Print], make_many: Callable[[], PrintAll]) -> None:
        self.one: Print
        self.many: PrintAll
        self._make_one = make_one
        self._make_many = make_many
        self.forget()

    def forget(self) -> None:
        """Let go of what was made, which may lead back here; what is called again is made again."""
        this, make_one, make_many = ref(self), self._make_one, self._make_many

        def first(message: Any) -> Any:
            one = make_one()
            if (printer := this()) is not None:
                printer.one = one
            return one(message)

        def first_many(messages: Sequence[Any]) -> list[Any]:
            many = make_many()
            if (printer := this()) is not None:
                printer.many = many
            return many(messages)

        self.one, self.many = first, first_many


def one_by_one(one: Print) -> PrintAll:
    """The printer of a list, message by message."""
    return lambda messages: [one(message) for message in messages]
