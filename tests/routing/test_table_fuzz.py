"""The table against a matcher that tries every template on every reading of the path and sorts what fits."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from hypothesis import given
from hypothesis import strategies as st

from transcoder.errors import INVALID_ARGUMENT, METHOD_NOT_ALLOWED, NOT_FOUND, TranscodeError
from transcoder.routing.table import RouteTable
from transcoder.routing.template import Template, TemplateError, Wildcard, parse_template

RANKS = {Wildcard.ONE: 1, Wildcard.REST: 2}
HTTP_METHODS = ["GET", "HEAD", "POST", "*"]

literals = st.sampled_from(["a", "b", "%61", "a%2Fb", "x%3Av", "a:v"])
wildcards = st.sampled_from(["*", "{%}", "{%=*}", "{%=a}", "{%=a/*}", "{%=*/b/*}"])
tails = st.sampled_from(["", "", "/**", "/{rest=**}", "/{rest=a/**}"])
verbs = st.sampled_from(["", "", "", ":v", ":w", ":v%3Aw", ":%76"])
segments = st.sampled_from(
    [
        "a",
        "b",
        "c",
        "",
        "%61",
        "a%2fb",
        "x:v",
        "a:v",
        "a%3Av",
        "b:v:w",
        "a:v:",
        ":v",
        ":v:w",
        "%e2%82%ac",
        "+",
        "..",
    ]
)
bad_segments = st.sampled_from(["%", "%zz", "%ff", "\udcff", "a:%c3"])


@st.composite
def template_texts(draw: st.DrawFn) -> str:
    parts = draw(st.lists(literals | wildcards, max_size=4))
    named = [part.replace("%", f"f{at}", 1) if part[0] == "{" else part for at, part in enumerate(parts)]
    return "".join(f"/{part}" for part in named) + draw(tails) + draw(verbs) or "/"


def parsed(text: str) -> Template | None:
    try:
        return parse_template(text)
    except TemplateError:
        return None


templates = template_texts().map(parsed).filter(lambda template: template is not None)
tables = st.lists(st.tuples(st.sampled_from(HTTP_METHODS), templates), max_size=12)
paths = st.lists(segments, min_size=1, max_size=6).map(lambda parts: "/" + "/".join(parts))
bad_paths = st.lists(segments | bad_segments, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))


@dataclass(frozen=True)
class Outcome:
    kind: str
    entry: int | None = None
    captures: tuple[str, ...] = ()
    allow: str | None = None


def outcome(entries: list[tuple[str, Template]], http_method: str, path: str) -> Outcome:
    routes = RouteTable((name, template, index) for index, (name, template) in enumerate(entries))
    try:
        target, captures = routes.match(http_method, path)
    except TranscodeError as error:
        return Outcome(kind=error.kind.name, allow=dict(error.headers).get("allow"))
    return Outcome(kind="OK", entry=target, captures=captures)


def expected(entries: list[tuple[str, Template]], http_method: str, path: str) -> Outcome:
    raw = [] if path == "/" else path.split("/")[1:]
    fits = [
        ((at, ranks(template)), name, index, captured(template, read))
        for at, verb, read in readings(raw)
        for index, (name, template) in enumerate(entries)
        if template.verb == verb and fits_segments(template, read)
    ]
    for accepted in (["HEAD"], ["GET", "*"]) if http_method == "HEAD" else ([http_method, "*"],):
        answers = [
            (key, accepted.index(name), index, values)
            for key, name, index, values in fits
            if name in accepted
        ]
        if answers:
            *_, index, values = min(answers)
            return Outcome(kind="OK", entry=index, captures=values)
    if not fits:
        return Outcome(kind=NOT_FOUND.name)
    names = {name for _, name, _, _ in fits}
    return Outcome(
        kind=METHOD_NOT_ALLOWED.name, allow=", ".join(sorted(names | ({"HEAD"} if "GET" in names else set())))
    )


def readings(raw: list[str]) -> Iterator[tuple[int, str, list[str]]]:
    """(place of the colon, verb, segments): the further left the colon, the longer the verb."""
    last = raw[-1] if raw else ""
    for at, symbol in enumerate(last):
        if symbol == ":" and decoded(last[at + 1 :]):
            yield at, decoded(last[at + 1 :]), [*raw[:-1], last[:at]]
    yield len(last), "", raw


def ranks(template: Template) -> list[int]:
    return [RANKS[part] if isinstance(part, Wildcard) else 0 for part in template.segments]


def fits_segments(template: Template, read: list[str]) -> bool:
    parts = template.segments
    if parts and parts[-1] is Wildcard.REST:
        parts = parts[:-1]
        read = read[: len(parts)]
    return len(parts) == len(read) and all(
        bool(segment) if part is Wildcard.ONE else part == decoded(segment)
        for part, segment in zip(parts, read, strict=True)
    )


def captured(template: Template, read: list[str]) -> tuple[str, ...]:
    values = []
    for variable in template.variables:
        span = read[variable.start : variable.end]
        keep = variable.end is None or variable.end - variable.start > 1
        values.append("/".join(kept(part) if keep else decoded(part) for part in span))
    return tuple(values)


def kept(segment: str) -> str:
    return decoded(segment.replace("%2F", "%252F").replace("%2f", "%252f"))


def decoded(segment: str) -> str:
    return unquote_to_bytes(segment).decode()


@given(tables, st.sampled_from(["GET", "HEAD", "POST", "PUT"]), paths)
def test_agrees_with_the_reference(entries: list[tuple[str, Template]], http_method: str, path: str) -> None:
    assert outcome(entries, http_method, path) == expected(entries, http_method, path)


@given(
    tables, st.sampled_from(HTTP_METHODS), bad_paths | st.text(max_size=30) | st.text("/:%aF*", max_size=30)
)
def test_hostile_paths_give_a_route_or_a_refusal(
    entries: list[tuple[str, Template]], http_method: str, path: str
) -> None:
    kinds = {"OK", NOT_FOUND.name, METHOD_NOT_ALLOWED.name, INVALID_ARGUMENT.name}
    assert outcome(entries, http_method, path).kind in kinds


@given(st.text(max_size=20) | st.text("/:{}=*%a1.\n", max_size=20))
def test_a_text_is_a_template_or_a_template_error(text: str) -> None:
    template = parsed(text)
    assert template is None or template.text == text


@given(templates)
def test_a_shape_is_a_template_of_the_same_shape(template: Template) -> None:
    again = parse_template(template.shape)
    assert (again.shape, again.segments, again.verb) == (template.shape, template.segments, template.verb)


@given(tables)
def test_conflicts_are_the_entries_whose_method_and_shape_came_before(
    entries: list[tuple[str, Template]],
) -> None:
    routes = RouteTable((name, template, index) for index, (name, template) in enumerate(entries))
    first: dict[tuple[str, str], int] = {}
    expected_pairs = []
    for index, (name, template) in enumerate(entries):
        winner = first.setdefault((name, template.shape), index)
        if winner != index:
            expected_pairs.append((winner, index))
    assert [(conflict.winner, conflict.loser) for conflict in routes.conflicts] == expected_pairs
