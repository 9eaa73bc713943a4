"""Read the configuration files: every problem at once, each with file, line and key.

The YAML is that of the 1.2 core schema: `true` and `false` are booleans, `yes` and `on` are texts, `010` is
ten. Tags and merge keys are refused, aliases are followed within a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from transcoder.config.checks import ParseTemplate, cross_checks
from transcoder.config.document import Document, with_routes
from transcoder.config.messages import explain
from transcoder.config.model import Config
from transcoder.config.places import Loc, Place, dotted, problem_at, shown
from transcoder.config.scalars import plain_value, substitute
from transcoder.errors import ConfigError, Problem

_MAX_BYTES: Final = 4 << 20
_MAX_VALUES: Final = 200_000
_MAX_DEPTH: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedConfig:
    """A configuration without problems.

    files: the YAML files it was read from, and their contents.
    """

    config: Config
    files: Mapping[Path, bytes]


def load_config(
    path: Path,
    environ: Mapping[str, str],
    parse_template: ParseTemplate,
    remembered: Mapping[Path, bytes] | None = None,
) -> LoadedConfig:
    """The configuration of a file and of the routes file it names.

    environ: what `${NAME}` stands for; relative file names are looked for beside `path`.
    remembered: the `files` of an earlier load, to have its configuration again whatever they say now.
    Raises ConfigError.
    """
    source = _Source(environ=environ, remembered=remembered or {})
    document = _with_routes_file(source.document(path), path, source)
    config, errors = _validate(document.data, lambda name: source.beside(path, name).absolute())
    known = document.broken.union(loc for loc, _ in errors)
    errors += [found for found in cross_checks(document.data, parse_template) if found[0] not in known]
    problems = [problem_at(document.places, *error) for error in errors if error[0] not in document.broken]
    if config is None or problems or document.problems:
        found = sorted((*document.problems, *problems), key=_reading_order(source.seen))
        raise ConfigError(found, source.seen)
    return LoadedConfig(config=config, files=source.contents())


def _validate(
    data: Mapping[str, Any], resolve: Callable[[str], Path]
) -> tuple[Config | None, list[tuple[Loc, str]]]:
    try:
        return Config.model_validate(data, context=resolve), []
    except ValidationError as error:
        return None, list(explain(error, Config))


def _reading_order(files: Iterable[Path]) -> Callable[[Problem], tuple[int, int]]:
    order = {str(file): number for number, file in enumerate(files)}
    return lambda problem: (order.get(problem.file, 0), problem.line or 0)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """Where documents come from. remembered: contents that count instead of those of the files.

    seen: the contents of every file a document was made of, in their order, and None for each that could
    not be read, or is named and not there.
    """

    environ: Mapping[str, str]
    remembered: Mapping[Path, bytes]
    seen: dict[Path, bytes | None] = field(default_factory=dict)

    def contents(self) -> dict[Path, bytes]:
        return {path: data for path, data in self.seen.items() if data is not None}

    def beside(self, path: Path, name: str) -> Path:
        """The file a configuration at `path` names; raises ValueError when it is not there."""
        file = path.parent / name
        if file not in self.remembered and not _is_file(file):
            self.seen[file] = None
            raise ValueError(f"no such file: {shown(str(file))}")
        return file

    def document(self, path: Path) -> Document:
        reader = _Reader(file=str(path), environ=self.environ)
        try:
            data = reader.top(self._text(path))
        except ConfigError as error:
            return Document(problems=error.problems)
        return Document(
            data=data, places=reader.places, problems=reader.problems, broken=frozenset(reader.broken)
        )

    def _text(self, path: Path) -> str:
        self.seen[path] = None  # its place in the order counts even if it cannot be read
        data = self.seen[path] = self.remembered[path] if path in self.remembered else _read_bytes(path)
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise _fatal("is not UTF-8", path, data[: error.start].count(b"\n") + 1) from error


def _with_routes_file(main: Document, path: Path, source: _Source) -> Document:
    """The document with the routes of the file it names."""
    key: Loc = ("routes_file",)
    name = main.data.get("routes_file")
    if not isinstance(name, str) or not name or key in main.broken:
        return main
    try:
        routes_path = source.beside(path, name)
    except ValueError as error:
        problem = problem_at(main.places, key, str(error))
        return replace(main, problems=(*main.problems, problem))
    return with_routes(main, source.document(routes_path))


def _read_bytes(path: Path) -> bytes:
    if not _is_file(path):
        raise _fatal("no such file", path)
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise _fatal(f"cannot be read: {error.strerror}", path) from error
    if len(data) > _MAX_BYTES:
        raise _fatal(f"is larger than {_MAX_BYTES >> 20}MiB", path)
    return data


def _fatal(message: str, file: Path | str, line: int | None = None) -> ConfigError:
    return ConfigError([Problem(message=message, file=str(file), line=line)])


def _line(item: yaml.Node | yaml.Event) -> int:
    return item.start_mark.line + 1 if item.start_mark else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """Makes plain values of one file's YAML, noting where each stands and what is wrong with it."""

    file: str
    environ: Mapping[str, str]
    places: dict[Loc, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    broken: set[Loc] = field(default_factory=set)

    def top(self, text: str) -> Mapping[str, Any]:
        """The mapping a file is; ConfigError when there is none to go on with."""
        node = self._compose(text)
        if node is None:
            raise _fatal("is empty", self.file, 1)
        if not isinstance(node, yaml.MappingNode):
            raise _fatal("expected a mapping at the top", self.file, _line(node))
        self.places[()] = Place(file=self.file, line=_line(node))
        return self._mapping(node, ())

    def _compose(self, text: str) -> yaml.Node | None:
        try:
            self._check_events(text)
            return yaml.compose(text, Loader=yaml.CBaseLoader)
        except yaml.reader.ReaderError as error:
            line = text.encode()[: error.position].count(b"\n") + 1
            raise _fatal(f"not valid YAML: {error.reason}", self.file, line) from error
        except yaml.MarkedYAMLError as error:
            what = ", ".join(part for part in (error.context, error.problem) if part)
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise _fatal(f"not valid YAML: {what}", self.file, line) from error

    def _check_events(self, text: str) -> None:
        """Refuse, before anything is built, what is too deep, too much, or not plain data."""
        depth = 0
        for count, event in enumerate(yaml.parse(text, Loader=yaml.CBaseLoader)):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _MAX_DEPTH or count > _MAX_VALUES:
                raise _fatal("is nested too deeply or too long", self.file, _line(event))
            if (tag := getattr(event, "tag", None)) is not None:
                self._refuse(event, f"the tag {shown(tag)} is not allowed")

    def _refuse(self, item: yaml.Node | yaml.Event, message: str, loc: Loc = ()) -> None:
        self.problems.append(Problem(message=message, key=dotted(loc), file=self.file, line=_line(item)))

    def _value(self, node: yaml.Node, loc: Loc) -> Any:
        if len(loc) > _MAX_DEPTH or len(self.places) > _MAX_VALUES:
            raise _fatal("is nested too deeply or too long with its aliases", self.file, _line(node))
        match node:
            case yaml.MappingNode():
                return self._mapping(node, loc)
            case yaml.SequenceNode():
                return [self._item(item, (*loc, index)) for index, item in enumerate(node.value)]
            case yaml.ScalarNode():
                return self._scalar(node, loc)

    def _item(self, node: yaml.Node, loc: Loc) -> Any:
        self.places[loc] = Place(file=self.file, line=_line(node))
        return self._value(node, loc)

    def _mapping(self, node: yaml.MappingNode, loc: Loc) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value in node.value:
            key = self._key(key_node, loc)
            if key is None:
                continue
            if key in result:
                first = self.places[*loc, key].line
                self._refuse(key_node, f"is here twice, first on line {first}", (*loc, key))
                continue
            self.places[*loc, key] = Place(file=self.file, line=_line(key_node))
            result[key] = self._value(value, (*loc, key))
        return result

    def _key(self, node: yaml.Node, loc: Loc) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self._refuse(node, "expected plain text as a key", loc)
        elif node.value == "<<" and not node.style:
            self._refuse(node, "merge keys (<<) are not allowed", loc)
        else:
            return str(node.value)
        return None

    def _scalar(self, node: yaml.ScalarNode, loc: Loc) -> object:
        text = node.value
        try:
            text = substitute(text, self.environ)
        except ValueError as error:
            self._refuse(node, str(error), loc)
            self.broken.add(loc)
        return text if node.style else plain_value(text)
