"""The architecture, as rules that every module is held against."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final, TypeAlias

import pytest

ROOT: Final = Path(__file__).parents[1]
PACKAGE: Final = "transcoder"

# From the bottom up. A module belongs to the unit with the longest name that fits; "" is the package itself.
LAYERS: Final[Sequence[frozenset[str]]] = (
    frozenset({"", "collector", "errors"}),
    frozenset({"context", "events", "config"}),
    frozenset({"config.load", "schema", "calls", "proxies"}),
    frozenset({"routing", "codec", "backend", "security", "resilience", "observe", "watch"}),
    frozenset({"plan"}),
    frozenset({"gateway", "inspection", "openapi"}),
    frozenset({"server"}),
    frozenset({"demo"}),
    frozenset({"cli"}),
    frozenset({"__main__"}),
)
LAYER_OF: Final = {unit: layer for layer, units in enumerate(LAYERS) for unit in units}

# Where a library may be imported; "" is everywhere but in the demo, which has a list of its own.
HOMES: Final[Mapping[str, Sequence[str]]] = {
    "cachetools": [""],
    "click": ["cli"],
    "cryptography": ["security"],
    "google": [""],
    "grpc": ["backend"],
    "grpc_health": ["backend"],
    "grpc_reflection": ["backend"],
    "httptools": ["server"],
    "httpx": ["security"],
    "jwt": ["security"],
    "limits": ["resilience.storage"],
    "opentelemetry": ["observe.tracing"],
    "orjson": [""],
    "prometheus_client": ["observe"],
    "pydantic": ["config"],
    "pydantic_core": ["config"],
    "redis": ["resilience.storage"],
    "rich": ["cli"],
    "sanic": ["server"],
    "sanic_routing": ["server"],
    "structlog": ["observe"],
    "uvloop": ["server"],
    "watchfiles": ["watch"],
    "websockets": ["server"],
    "yaml": ["config.load"],
}
DEMO: Final = "demo"
DEMO_LIBRARIES: Final = frozenset({"google", "grpc", "grpc_health", "grpc_reflection", "jwt"})

LONGEST_MODULE: Final = 400
LONGEST_FUNCTION: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """target: a module of the package, without the package's name; for others the top-level name alone."""

    line: int
    target: str
    is_ours: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """name: without the package's name, "" for the package itself; path: from the root of the project."""

    name: str
    path: Path
    length: int
    tree: ast.Module
    imports: Sequence[Import]

    def at(self, line: int, complaint: str) -> str:
        return f"{self.path}:{line}: {complaint}"


Rule: TypeAlias = Callable[[Module], Iterator[str]]


def read_modules(root: Path) -> list[Module]:
    paths = {_name(path.relative_to(root)): path for path in sorted((root / PACKAGE).rglob("*.py"))}
    modules = []
    for name, path in paths.items():
        text = path.read_text()
        tree = ast.parse(text)
        imports = [found for node in ast.walk(tree) for found in _imports(node, paths)]
        length = len(text.splitlines())
        modules.append(
            Module(name=name, path=path.relative_to(root), length=length, tree=tree, imports=imports)
        )
    return modules


def _name(path: Path) -> str:
    return ".".join([*path.parts[1:-1], path.stem]).removesuffix("__init__").removesuffix(".")


def _imports(node: ast.AST, paths: Mapping[str, Path]) -> Iterator[Import]:
    if not isinstance(node, ast.Import | ast.ImportFrom):
        return
    prefix = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
    for name in (prefix + alias.name for alias in node.names):
        top, _, rest = name.partition(".")
        module = rest if rest in paths else rest.rpartition(".")[0]
        is_ours = top == PACKAGE
        yield Import(line=node.lineno, target=module if is_ours else top, is_ours=is_ours)


def is_within(name: str, unit: str) -> bool:
    return not unit or f"{name}.".startswith(f"{unit}.")


def unit_of(name: str) -> str:
    return max((unit for unit in LAYER_OF if is_within(name, unit)), key=len)


def has_a_layer(module: Module) -> Iterator[str]:
    if module.name and not unit_of(module.name):
        yield module.at(1, "the module has no place in LAYERS")


def imports_only_lower_layers(module: Module) -> Iterator[str]:
    unit = unit_of(module.name)
    for found in module.imports:
        target = unit_of(found.target)
        if found.is_ours and target != unit and LAYER_OF[target] >= LAYER_OF[unit]:
            yield module.at(found.line, f"{unit} may not import {target}, which is not in a lower layer")


def demo_stands_apart(module: Module) -> Iterator[str]:
    for found in module.imports:
        if is_within(module.name, DEMO) and found.is_ours and not is_within(found.target, DEMO):
            yield module.at(found.line, f"the demo may not import {found.target} of the gateway")


def libraries_stay_at_home(module: Module) -> Iterator[str]:
    for found in module.imports:
        if found.is_ours or found.target in sys.stdlib_module_names:
            continue
        if is_within(module.name, DEMO):
            if found.target not in DEMO_LIBRARIES:
                yield module.at(found.line, f"the demo may not import {found.target}")
        elif not any(is_within(module.name, home) for home in HOMES.get(found.target, [])):
            yield module.at(found.line, f"{found.target} may not be imported here: see HOMES")


def is_short(module: Module) -> Iterator[str]:
    if module.length > LONGEST_MODULE:
        yield module.at(module.length, f"the module has more than {LONGEST_MODULE} lines")
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LONGEST_FUNCTION:
                yield module.at(node.lineno, f"{node.name} has {length} lines, more than {LONGEST_FUNCTION}")


def cycles(modules: Sequence[Module]) -> Iterator[str]:
    """The first cycle of imports, if there is one."""
    graph = {module.name: {found.target for found in module.imports if found.is_ours} for module in modules}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        _, names = error.args
        first = next(module for module in modules if module.name == names[1])
        line = next(found.line for found in first.imports if found.is_ours and found.target == names[0])
        yield first.at(line, f"imports go round: {' <- '.join(names)}")


RULES: Final[Sequence[Rule]] = (
    has_a_layer,
    imports_only_lower_layers,
    demo_stands_apart,
    libraries_stay_at_home,
    is_short,
)


@pytest.fixture(scope="module")
def modules() -> list[Module]:
    return read_modules(ROOT)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_module_keeps_the_rule(modules: list[Module], rule: Rule) -> None:
    complaints = [complaint for module in modules for complaint in rule(module)]
    assert not complaints, "\n".join(complaints)


def test_imports_do_not_go_round(modules: list[Module]) -> None:
    assert not list(cycles(modules))


BROKEN: Final[Mapping[str, tuple[str, str]]] = {
    "new.py": ("", "new.py:1: the module has no place in LAYERS"),
    "errors.py": (
        "\nfrom transcoder import context",
        "errors.py:2: errors may not import context, which is not in a lower layer",
    ),
    "codec/text.py": (
        "from transcoder.routing.table import Route",
        "codec/text.py:1: codec may not import routing, which is not in a lower layer",
    ),
    "config/model.py": (
        "import transcoder.config.load",
        "config/model.py:1: config may not import config.load, which is not in a lower layer",
    ),
    "plan/late.py": (
        "def f():\n    import transcoder.gateway",
        "plan/late.py:2: plan may not import gateway, which is not in a lower layer",
    ),
    "server/demo.py": (
        "from transcoder.demo import backends",
        "server/demo.py:1: server may not import demo, which is not in a lower layer",
    ),
    "demo/a.py": (
        "from transcoder.errors import Code",
        "demo/a.py:1: the demo may not import errors of the gateway",
    ),
    "demo/b.py": ("import sanic", "demo/b.py:1: the demo may not import sanic"),
    "plan/unary.py": ("import grpc.aio", "plan/unary.py:1: grpc may not be imported here: see HOMES"),
    "config/names.py": ("import yaml", "config/names.py:1: yaml may not be imported here: see HOMES"),
    "cli.py": ("import requests", "cli.py:1: requests may not be imported here: see HOMES"),
    "long.py": ("\n" * 401, "long.py:401: the module has more than 400 lines"),
    "schema/pool.py": (
        "class A:\n    async def f(self):" + "\n        pass" * 60,
        "schema/pool.py:2: f has 61 lines, more than 60",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_told_with_its_place(tmp_path: Path, name: str) -> None:
    text, complaint = BROKEN[name]
    for module in ("context.py", "gateway.py", "errors.py", "config/load.py", "routing/table.py", name):
        _write(tmp_path, module, text if module == name else "")
    complaints = [found for module in read_modules(tmp_path) for rule in RULES for found in rule(module)]
    assert f"transcoder/{complaint}" in complaints


def test_sound_modules_are_not_complained_about(tmp_path: Path) -> None:
    _write(tmp_path, "codec/a.py", "import re\nimport orjson\nfrom transcoder import __version__, errors")
    _write(tmp_path, "config/load.py", "import yaml\nfrom transcoder.config import model")
    _write(tmp_path, "demo/a.py", "import grpc\nfrom transcoder.demo.b import c")
    _write(tmp_path, "cli.py", "import click\nfrom transcoder.demo.a import d\nimport transcoder.server.app")
    modules = read_modules(tmp_path)
    assert [found for module in modules for rule in RULES for found in rule(module)] == []
    assert list(cycles(modules)) == []


def test_cycle_is_told_with_its_place(tmp_path: Path) -> None:
    _write(tmp_path, "codec/a.py", "from transcoder.codec import b")
    _write(tmp_path, "codec/b.py", "import transcoder.codec.a")
    (complaint,) = cycles(read_modules(tmp_path))
    assert "1: imports go round: codec." in complaint


def _write(root: Path, name: str, text: str) -> None:
    path = root / PACKAGE / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
