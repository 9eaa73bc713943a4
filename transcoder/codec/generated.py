"""Functions made from source text that is written for one message.

The text holds only names and numbers of our own making; whatever comes from a schema is bound as a constant,
or takes the place of an attribute's name after the text has been compiled.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import CodeType
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


def define(
    name: str,
    title: str,
    source: str,
    constants: Mapping[str, Any],
    attributes: Mapping[str, str] | None = None,
) -> Any:
    """The function `name` that `source` defines over `constants`, its globals. title: shown in tracebacks.

    attributes: what the names of attributes in the source stand for. They must not be names of anything else
    there.
    """
    namespace = {**constants, "__name__": _MODULE, "__loader__": _Source(source)}
    # `linecache` asks no loader about a name in angle brackets, coverage measures none that starts with one
    code = compile(source, f"<generated> for {title}", "exec")
    # the text is the compiler's own; see the head of the module
    exec(_renamed(code, attributes) if attributes else code, namespace)  # noqa: S102
    return namespace.pop(name)  # it would refer to itself through its globals


def _renamed(code: CodeType, attributes: Mapping[str, str]) -> CodeType:
    """The same code with other names of attributes: any string can be one, which no source text could say."""
    consts = (_renamed(one, attributes) if isinstance(one, CodeType) else one for one in code.co_consts)
    names = (attributes.get(name, name) for name in code.co_names)
    return code.replace(co_consts=tuple(consts), co_names=tuple(names))
