"""Functions made from source text that is written for one message.

The text holds only names and numbers of our own making; whatever comes from a schema is bound as a constant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_MODULE: Final = "transcoder.codec.generated"


class _Source:
    """What `linecache` asks for the lines of a traceback: they go when the function goes."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def get_source(self, _name: str) -> str:
        """The text the function was made from."""
        return self._text


def define(name: str, title: str, source: str, constants: Mapping[str, Any]) -> Any:
    """The function `name` that `source` defines over `constants`, its globals. title: shown in tracebacks."""
    namespace = {**constants, "__name__": _MODULE, "__loader__": _Source(source)}
    # the text is the compiler's own; see the head of the module
    exec(compile(source, f"generated for {title}", "exec"), namespace)  # noqa: S102
    return namespace[name]
