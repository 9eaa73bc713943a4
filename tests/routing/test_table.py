import time
from collections.abc import Iterable

import pytest

from transcoder.errors import INVALID_ARGUMENT, METHOD_NOT_ALLOWED, NOT_FOUND, ErrorKind, TranscodeError
from transcoder.routing.table import Conflict, RouteTable
from transcoder.routing.template import Template, parse_template


def table(*rules: str) -> RouteTable[str]:
    """Of rules written `GET /a/{b}`; a rule is its own target."""
    return RouteTable(entry(rule) for rule in rules)


def entry(rule: str) -> tuple[str, Template, str]:
    http_method, text = rule.split(" ")
    return http_method, parse_template(text), rule


def refusal(routes: RouteTable[str], request: str) -> TranscodeError:
    with pytest.raises(TranscodeError) as caught:
        routes.match(*request.split(" "))
    return caught.value


def refused(routes: RouteTable[str], request: str) -> tuple[ErrorKind, tuple[tuple[str, str], ...]]:
    error = refusal(routes, request)
    return error.kind, error.headers


WILDCARDS = ["GET /a/**", "GET /b/*", "GET /c/*/d/**", "GET /c/*/d/e", "GET /c/f/d/e", "GET /"]
BINDINGS = [
    "GET /a/{x}/c/d/e",
    "GET /{x=a/*}/b/{y=*}/c",
    "GET /a/{x=b/*}/{y=d/**}",
    "GET /{x=*}/a",
    "GET /a/b/{x=*}",
    "GET /a/b/c/{x=**}",
    "GET /{x=*}/d/e/f/{y=**}",
]
PEOPLE = ["GET /person", "GET /person/{id=*}", "GET /{x=**}:verb"]
VERBS = ["GET /a/{y=*}:verb", "GET /a/{y=d/**}:verb", "GET /{x=*}/a:verb", "GET /e/{x=*}/f:verb"]
SUFFIXES = ["GET /a/{x=b/**}", "GET /a/{x=b/**}:verb", "GET /a/{x=**}"]
SOME = ["GET /some/const:verb", "GET /some/*:verb", "GET /some/*/foo:verb", "GET /other/**:verb"]
ANYTHING = ["GET /{a=**}:verb", "GET /{a=**}"]
PREFIXES = ["GET /prefix/middle/suffix", "GET /prefix/middle", "GET /prefix"]
FOO = [
    "GET /foo/bar/baz/buzz",
    "GET /foo/bar/{name}",
    "GET /foo/bar/{name}/baz/{child.id}",
    "GET /foo/bar/{name}/baz/{child.id}/buzz/{child.thing.id}",
    "GET /foo/bar/*/{thing.id}/{cat=**}",
    "GET /foo/bar/*/{thing.id}/{cat=**}:do",
    "GET /foo/bar/*/{thing.id}/{cat=**}:cancel",
    "GET /trailing/**:slash",
    "GET /verb",
]
OPS = [
    "GET /v2/ops/{operation}",
    "POST /v2/ops/{operation}:cancel",
    "POST /v2/ops/{operation}:archive",
    "POST /v2/ops/{name}:pause",
    "DELETE /v2/ops/{name}",
    "POST /v1/{name=publishers/*/books/*}:restore",
    "POST /v1/nodes:batch",
    "POST /v3/x/{name}",
    "POST /v3/{operation}/{name}:sweep",
    "POST /v4/{name=**}:purge",
    "POST /v2/jobs/{name}:run%3Anow",
    "POST /v6/{name=**}:run%2Fnow",
    "GET /v7/{name=foo%2Fbar}",
    "GET /v9/{name=foo%2Fbar/*}/x",
    "POST /v5/{name=publishers/*}/books/{operation}",
]
RESERVED = "%21%23%24%26%27%28%29%2A%2B%2C%2F%3A%3B%3D%3F%40%5B%5D"


@pytest.mark.parametrize(
    ("rules", "path", "rule", "captures"),
    [
        (["GET /**"], "/", "GET /**", ()),
        (["GET /**"], "/a", "GET /**", ()),
        (WILDCARDS, "/a", "GET /a/**", ()),
        (WILDCARDS, "/a/", "GET /a/**", ()),
        (WILDCARDS, "/a/b", "GET /a/**", ()),
        (WILDCARDS, "/a/b/c", "GET /a/**", ()),
        (WILDCARDS, "/b/c", "GET /b/*", ()),
        (WILDCARDS, "/c/u/d/v", "GET /c/*/d/**", ()),
        (WILDCARDS, "/c/v/d/w/x", "GET /c/*/d/**", ()),
        (WILDCARDS, "/c/x/d/e", "GET /c/*/d/e", ()),
        (WILDCARDS, "/c/f/d/e", "GET /c/f/d/e", ()),
        (WILDCARDS, "/", "GET /", ()),
        (BINDINGS, "/a/hello/b/world/c", "GET /{x=a/*}/b/{y=*}/c", ("a/hello", "world")),
        (BINDINGS, "/a/b/c/foo/bar/baz", "GET /a/b/c/{x=**}", ("foo/bar/baz",)),
        (BINDINGS, "/a/b/c", "GET /a/b/c/{x=**}", ("",)),
        (BINDINGS, "/a/b/c/d/e", "GET /a/b/c/{x=**}", ("d/e",)),
        (BINDINGS, "/a/b/zoo/d/animal/tiger", "GET /a/{x=b/*}/{y=d/**}", ("b/zoo", "d/animal/tiger")),
        (BINDINGS, "/foo/d/e/f/bar/baz", "GET /{x=*}/d/e/f/{y=**}", ("foo", "bar/baz")),
        (["GET /a/{x}/c"], "/a/p%20q%2Fr+/c", "GET /a/{x}/c", ("p q/r+",)),
        (
            ["GET /a/{x=p/*/q/*}/c"],
            "/a/p/foo%20foo/q/bar%2Fbar/c",
            "GET /a/{x=p/*/q/*}/c",
            ("p/foo foo/q/bar%2Fbar",),
        ),
        (
            ["GET /a/{x=*}/{y=**}"],
            f"/a/{RESERVED}/{RESERVED}",
            "GET /a/{x=*}/{y=**}",
            ("!#$&'()*+,/:;=?@[]", "!#$&'()*+,%2F:;=?@[]"),
        ),
        (PEOPLE, "/person:verb", "GET /{x=**}:verb", ("person",)),
        (PEOPLE, "/person/jason:verb", "GET /{x=**}:verb", ("person/jason",)),
        (PEOPLE, "/animal:verb", "GET /{x=**}:verb", ("animal",)),
        (PEOPLE, "/animal/cat:verb", "GET /{x=**}:verb", ("animal/cat",)),
        (PEOPLE, "/:verb", "GET /{x=**}:verb", ("",)),
        (PEOPLE, "/person", "GET /person", ()),
        (PEOPLE, "/person/jason", "GET /person/{id=*}", ("jason",)),
        (PEOPLE, "/person/jason:other", "GET /person/{id=*}", ("jason:other",)),
        (PEOPLE, "/person/jason%3Averb", "GET /person/{id=*}", ("jason:verb",)),
        (VERBS, "/a/world:verb", "GET /a/{y=*}:verb", ("world",)),
        (VERBS, "/a/d/animal/tiger:verb", "GET /a/{y=d/**}:verb", ("d/animal/tiger",)),
        (VERBS, "/a/d:verb", "GET /a/{y=d/**}:verb", ("d",)),
        (VERBS, "/e/foo/f:verb", "GET /e/{x=*}/f:verb", ("foo",)),
        (SUFFIXES, "/a/b/hello/world/c", "GET /a/{x=b/**}", ("b/hello/world/c",)),
        (SUFFIXES, "/a/b/world/c:verb", "GET /a/{x=b/**}:verb", ("b/world/c",)),
        (SUFFIXES, "/a/b/c:verb/d", "GET /a/{x=b/**}", ("b/c:verb/d",)),
        (SUFFIXES, "/a/hello/b/world/c", "GET /a/{x=**}", ("hello/b/world/c",)),
        (SOME, "/some/const:verb", "GET /some/const:verb", ()),
        (SOME, "/some/other:verb", "GET /some/*:verb", ()),
        (SOME, "/some/bar/foo:verb", "GET /some/*/foo:verb", ()),
        (SOME, "/other/bar/foo:verb", "GET /other/**:verb", ()),
        (["GET /{a=*}/{b=*}:verb"], "/some:verb/const:verb", "GET /{a=*}/{b=*}:verb", ("some:verb", "const")),
        (ANYTHING, "/some:verb/const:verb", "GET /{a=**}:verb", ("some:verb/const",)),
        (ANYTHING, "/some:verb/const", "GET /{a=**}", ("some:verb/const",)),
        (ANYTHING, "/some:verb2/const:verb2", "GET /{a=**}", ("some:verb2/const:verb2",)),
        (ANYTHING, "//", "GET /{a=**}", ("/",)),
        (ANYTHING, "/a//b/", "GET /{a=**}", ("a//b/",)),
        (ANYTHING, "/../%2e%2e/;x", "GET /{a=**}", ("../../;x",)),
        (PREFIXES, "/prefix/middle/suffix", "GET /prefix/middle/suffix", ()),
        (PREFIXES, "/prefix/middle", "GET /prefix/middle", ()),
        (["GET /a/*/b", "GET /a/x/b"], "/a/x/b", "GET /a/x/b", ()),
        (FOO, "/foo/bar/baz", "GET /foo/bar/{name}", ("baz",)),
        (FOO, "/foo/bar/baz/buzz", "GET /foo/bar/baz/buzz", ()),
        (FOO, "/foo/bar/1/baz/2/buzz/3", FOO[3], ("1", "2", "3")),
        (FOO, "/foo/bar/baz/123", FOO[4], ("123", "")),
        (FOO, "/foo/bar/baz/123/buzz", FOO[4], ("123", "buzz")),
        (FOO, "/foo/bar/baz/123/buzz/buzz", FOO[4], ("123", "buzz/buzz")),
        (FOO, "/foo/bar/baz/123/buzz/buzz:do", FOO[5], ("123", "buzz/buzz")),
        (FOO, "/foo/bar/baz/123/buzz/buzz:cancel", FOO[6], ("123", "buzz/buzz")),
        (FOO, "/foo/bar/baz/123/buzz/buzz:undo", FOO[4], ("123", "buzz/buzz:undo")),
        (FOO, "/trailing/:slash", "GET /trailing/**:slash", ()),
        (FOO, "/trailing:slash", "GET /trailing/**:slash", ()),
        (FOO, "/verb", "GET /verb", ()),
        (["GET /v1/complex/{d}/star/*"], "/v1/complex/2.1/star/one", "GET /v1/complex/{d}/star/*", ("2.1",)),
        (["GET /v1/{x}:one"], "/v1/test:one", "GET /v1/{x}:one", ("test",)),
        (["GET /v1/{x}:one"], "/v1/a%20%2Fb:%6Fne", "GET /v1/{x}:one", ("a /b",)),
        (["GET /v1/{x=*/*}:one"], "/v1/a/%20%2F:one", "GET /v1/{x=*/*}:one", ("a/ %2F",)),
        (SOME, "/some/%63onst:verb", "GET /some/const:verb", ()),
        (["GET /~user/{x}"], "/%7Euser/1", "GET /~user/{x}", ("1",)),
        (["GET /%7euser"], "/~user", "GET /%7euser", ()),
        (["GET /caf%C3%A9/{x}"], "/café/é", "GET /caf%C3%A9/{x}", ("é",)),
        (["GET /a/{x}"], "/a/%00", "GET /a/{x}", ("\0",)),
        (["GET /a%3Ab"], "/a:b", "GET /a%3Ab", ()),
        (["GET /a:b:c"], "/a:b:c", "GET /a:b:c", ()),
        (["GET /{x}:b:c", "GET /{x}:c"], "/a:b:c", "GET /{x}:b:c", ("a",)),
        (["GET /{x}:b:c", "GET /{x}:c"], "/a:d:c", "GET /{x}:c", ("a:d",)),
        (["GET /{x}:b:c", "GET /{x}:c"], "/:b:b:c", "GET /{x}:b:c", (":b",)),
        (["GET /{x}:b:c", "GET /y"], "/a:b%3Ac", "GET /{x}:b:c", ("a",)),
    ],
)
def test_get(rules: list[str], path: str, rule: str, captures: tuple[str, ...]) -> None:
    assert table(*rules).match("GET", path) == (rule, captures)


@pytest.mark.parametrize(
    ("request_line", "rule", "captures"),
    [
        ("POST /v2/ops/op-1:cancel", OPS[1], ("op-1",)),
        ("POST /v2/ops/op-7:archive", OPS[2], ("op-7",)),
        ("POST /v2/ops/op-7:pause", OPS[3], ("op-7",)),
        ("POST /v2/ops/op-1:b:cancel", OPS[1], ("op-1:b",)),
        ("GET /v2/ops/op-1", OPS[0], ("op-1",)),
        ("HEAD /v2/ops/op-1", OPS[0], ("op-1",)),
        ("GET /v2/ops/op-1:delete", OPS[0], ("op-1:delete",)),
        ("GET /v2/ops/op-1:cancel", OPS[0], ("op-1:cancel",)),
        ("GET /v2/ops/op-1%3Acancel", OPS[0], ("op-1:cancel",)),
        ("GET /v2/ops/:cancel", OPS[0], (":cancel",)),
        ("DELETE /v2/ops/op-3", OPS[4], ("op-3",)),
        ("POST /v1/publishers/p%2F1/books/b2:restore", OPS[5], ("publishers/p%2F1/books/b2",)),
        ("POST /v1/nodes:batch", OPS[6], ()),
        ("POST /v3/x/y", OPS[7], ("y",)),
        ("POST /v3/x/y:sweep", OPS[8], ("x", "y")),
        ("POST /v3/a/b:sweep", OPS[8], ("a", "b")),
        ("POST /v4/:purge", OPS[9], ("",)),
        ("POST /v4:purge", OPS[9], ("",)),
        ("POST /v4/a/b:purge", OPS[9], ("a/b",)),
        ("POST /v4/a%2fb%20c/d:purge", OPS[9], ("a%2fb c/d",)),
        ("POST /v2/jobs/j1:run%3Anow", OPS[10], ("j1",)),
        ("POST /v6/a/b:run%2fnow", OPS[11], ("a/b",)),
        ("GET /v7/foo%2fbar", OPS[12], ("foo/bar",)),
        ("GET /v9/foo%2fbar/p1/x", OPS[13], ("foo%2fbar/p1",)),
        ("POST /v5/publishers/a%2Fb%20c/books/x%2Fy", OPS[14], ("publishers/a%2Fb c", "x/y")),
    ],
)
def test_one_path_with_several_methods_and_verbs(
    request_line: str, rule: str, captures: tuple[str, ...]
) -> None:
    assert table(*OPS).match(*request_line.split(" ")) == (rule, captures)


@pytest.mark.parametrize(
    ("rules", "path"),
    [
        ([], "/"),
        (["GET /a"], "/"),
        (["GET /"], "/a"),
        (["GET /"], "//"),
        (["GET /a"], "/a/"),
        (["GET /a"], "//a"),
        (["GET /a"], "/A"),
        (["GET /a"], "a"),
        (["GET /**"], "*"),
        (["GET /**"], ""),
        (["GET /**"], "http://h/a"),
        (["GET /*"], "/"),
        (["GET /*"], "//"),
        (["GET /a/*/b"], "/a//b"),
        (["GET /a/b"], "/a%2Fb"),
        (["GET /a/b"], "/a/x/../b"),
        (["GET /a/b"], "/a/./b"),
        (["GET /{x}/b"], "/a/b;v=1"),
        (["GET /%252F"], "/%2F"),
        (["GET /*"], "/%2F/"),
        (PEOPLE, "/person:other"),
        (PEOPLE, "/animal/cat"),
        (SOME, "/some/other:verb/"),
        (SOME, "/some/foo1/foo2/foo:verb"),
        (SOME, "/some/foo/bar:verb"),
        (SOME, "/some/:verb"),
        (SOME, "/some/const%3Averb"),
        (PREFIXES, "/prefix/other"),
        (PREFIXES, "/other"),
        (FOO, "/bob/lob/law"),
        (FOO, "/verb:"),
        (["GET /v1/{x}:one"], "/v1/test:two"),
        (["GET /v1/{x}:one"], "/v1/test:ONE"),
        (["GET /v1/complex/{d}/star/*"], "/v1/complex/2.1/star/one/two"),
        (OPS, "/v1/publishers/p1/books/b2"),
        (OPS, "/v1/publishers/p1/books:restore"),
        (OPS, "/v1/publishers/p1/books/b2/c3:restore"),
        (OPS, "/v1/nodes"),
        (OPS, "/v7/foo/bar"),
    ],
)
def test_unknown_path(rules: list[str], path: str) -> None:
    assert refused(table(*rules), f"GET {path}") == (NOT_FOUND, ())


@pytest.mark.parametrize(
    ("rules", "request_line", "allow"),
    [
        (["POST /a"], "GET /a", "POST"),
        (["POST /a"], "HEAD /a", "POST"),
        (["POST /a"], "post /a", "POST"),
        (["GET /a"], "get /a", "GET, HEAD"),
        (["GET /a"], "TRACE /a", "GET, HEAD"),
        (["HEAD /a"], "GET /a", "HEAD"),
        (["POST /a", "GET /a", "DELETE /a"], "PUT /a", "DELETE, GET, HEAD, POST"),
        (["POST /a/b", "GET /a/*", "PUT /**", "DELETE /c"], "PATCH /a/b", "GET, HEAD, POST, PUT"),
        (["POST /a/*:v", "GET /a/*"], "PUT /a/b:v", "GET, HEAD, POST"),
        (["POST /a/*:v", "GET /a/*"], "PUT /a/b", "GET, HEAD"),
        (OPS, "POST /v2/ops/op-1", "DELETE, GET, HEAD"),
        (OPS, "POST /v2/ops/op-1:delete", "DELETE, GET, HEAD"),
        (OPS, "POST /v2/ops/op-1%3Acancel", "DELETE, GET, HEAD"),
        (OPS, "POST /v2/ops/:cancel", "DELETE, GET, HEAD"),
        (OPS, "GET /v1/nodes:batch", "POST"),
    ],
)
def test_wrong_method(rules: list[str], request_line: str, allow: str) -> None:
    assert refused(table(*rules), request_line) == (METHOD_NOT_ALLOWED, (("allow", allow),))


@pytest.mark.parametrize(
    ("rules", "request_line", "rule"),
    [
        (["POST /a/b", "GET /a/*"], "GET /a/b", "GET /a/*"),
        (["POST /a/b", "GET /a/**"], "GET /a/b", "GET /a/**"),
        (["POST /a/*", "GET /**"], "GET /a/b", "GET /**"),
        (["GET /a/b/c", "GET /a/*/d"], "GET /a/b/d", "GET /a/*/d"),
        (["GET /a/b/c", "GET /*/b/d"], "GET /a/b/d", "GET /*/b/d"),
        (["GET /a/*/c/d", "GET /a/**"], "GET /a/b/c/e", "GET /a/**"),
        (["GET /a/b/**", "GET /a/*/c"], "GET /a/b/c", "GET /a/b/**"),
        (["GET /a/b", "GET /a/b/**"], "GET /a/b", "GET /a/b"),
        (["GET /a/*/**", "GET /a/**"], "GET /a", "GET /a/**"),
        (["GET /*/b", "GET /a/*"], "GET /a/b", "GET /a/*"),
        (["GET /*/b:v", "GET /a/**"], "GET /a/b:v", "GET /*/b:v"),
        (["POST /*/b:v", "GET /a/**"], "GET /a/b:v", "GET /a/**"),
    ],
)
def test_backtracking(rules: list[str], request_line: str, rule: str) -> None:
    assert table(*rules).match(*request_line.split(" "))[0] == rule


@pytest.mark.parametrize(
    ("rules", "request_line", "rule"),
    [
        (["GET /a"], "HEAD /a", "GET /a"),
        (["GET /a", "HEAD /a"], "HEAD /a", "HEAD /a"),
        (["GET /a/b", "HEAD /a/*"], "HEAD /a/b", "HEAD /a/*"),
        (["GET /a/b", "* /a/*"], "HEAD /a/b", "GET /a/b"),
        (["POST /a/b", "* /a/*"], "HEAD /a/b", "* /a/*"),
        (["* /a"], "HEAD /a", "* /a"),
        (["* /a"], "GET /a", "* /a"),
        (["* /a"], "PURGE /a", "* /a"),
        (["* /a", "GET /a"], "GET /a", "GET /a"),
        (["* /a", "GET /a"], "POST /a", "* /a"),
        (["* /a/b", "GET /a/*"], "GET /a/b", "* /a/b"),
        (["PURGE /a"], "PURGE /a", "PURGE /a"),
    ],
)
def test_head_and_the_any_method(rules: list[str], request_line: str, rule: str) -> None:
    assert table(*rules).match(*request_line.split(" "))[0] == rule


@pytest.mark.parametrize(
    ("path", "segment"),
    [
        ("/a/%zz", 2),
        ("/%/b", 1),
        ("/a/b/%4", 3),
        ("/a/x:%ff", 2),
        ("/a/%C3:%A9", 2),
        ("/a/%C3/%A9", 2),
        ("/nowhere/at/%all", 3),
        ("/a/\udcff", 2),
        ("/a/%ED%A0%80", 2),
    ],
)
@pytest.mark.parametrize("rules", [[], ["GET /a/{x}"], ["POST /a/**:v"]])
def test_malformed_path(path: str, segment: int, rules: list[str]) -> None:
    error = refusal(table(*rules), f"GET {path}")
    assert error.kind is INVALID_ARGUMENT
    assert error.message.startswith(f"path segment {segment} ")


def test_first_entry_wins_a_conflict() -> None:
    routes = table(
        "GET /a/{x}", "GET /a/{y}", "POST /a/{z}", "GET /a/{x}:v", "GET /a/%7E", "GET /a/*", "GET /a/~"
    )
    assert routes.match("GET", "/a/1")[0] == "GET /a/{x}"
    assert routes.match("POST", "/a/1")[0] == "POST /a/{z}"
    assert routes.conflicts == (
        conflict("GET", "/a/{x}", "/a/{y}"),
        conflict("GET", "/a/{x}", "/a/*"),
        conflict("GET", "/a/%7E", "/a/~"),
    )


def conflict(http_method: str, winner: str, loser: str) -> Conflict[str]:
    return Conflict(
        winner=f"{http_method} {winner}",
        loser=f"{http_method} {loser}",
        http_method=http_method,
        winner_template=winner,
        loser_template=loser,
    )


def test_equal_targets_conflict_too() -> None:
    template = parse_template("/a")
    assert len(RouteTable([("GET", template, 1), ("GET", template, 1)]).conflicts) == 1


@pytest.mark.parametrize(
    "rules",
    [
        ["GET /a", "POST /a", "* /a", "HEAD /a"],
        ["GET /a/*", "GET /a/**", "GET /a/b", "GET /a", "GET /a/%2A"],
        ["GET /*", "GET /*:v", "GET /*:w"],
        ["GET /a/b", "GET /a%2Fb"],
    ],
)
def test_no_conflict(rules: list[str]) -> None:
    assert table(*rules).conflicts == ()


def test_candidates_are_all_that_fit_the_path_best_first() -> None:
    routes = table("GET /**", "POST /a/*", "GET /a/b", "PUT /a/b", "GET /a/{x}:v", "GET /a", "POST /a/{y}")
    assert list(routes.candidates("/a/b:v")) == ["GET /a/{x}:v", "POST /a/*", "GET /**"]
    assert list(routes.candidates("/a/b")) == ["GET /a/b", "PUT /a/b", "POST /a/*", "GET /**"]
    assert list(routes.candidates("*")) == []


def test_an_error_does_not_repeat_a_hostile_path() -> None:
    routes = table("POST /a/{x}")
    for path in ("/<script>", "/a/<script>", "/a/<script>%zz"):
        assert "script" not in refusal(routes, f"GET {path}").message


def cpu_seconds(routes: RouteTable[str], paths: Iterable[str]) -> float:
    started = time.process_time()
    for path in paths:
        refusal(routes, f"GET {path}")
    return time.process_time() - started


def test_every_combination_of_literals_and_wildcards_is_searched_once() -> None:
    depth = 12
    prefixes = ("/".join("a*"[number >> bit & 1] for bit in range(depth)) for number in range(2**depth))
    routes = table(*(f"GET /{prefix}/end:v" for prefix in prefixes))
    path = "/a" * depth
    assert routes.match("GET", f"{path}/end:v")[0] == f"GET {path}/end:v"
    assert cpu_seconds(routes, [f"{path}/miss:v"]) < 1


def test_long_paths_and_templates() -> None:
    long = "/*" * 4000
    routes = table(
        f"GET {long}/end", "GET /x/{rest=**}", *(f"GET {long[: 2 * size]}/end" for size in range(200))
    )
    assert routes.match("GET", "/a" * 4000 + "/end")[0] == f"GET {long}/end"
    assert routes.match("GET", "/x" + "/a%20" * 4000)[1] == ("/".join(["a "] * 4000),)
    assert cpu_seconds(routes, ["/a" * 4000, "/" * 60000, "/a:b" * 4000]) < 1


def test_many_colons_in_a_segment() -> None:
    routes = table("GET /*/x:v", "GET /*/{y}:v:w")
    assert cpu_seconds(routes, ["/a" + ":v" * 30000, "/" + ":" * 60000, "/a/b" + ":v:w" * 10000 + ":"]) < 1


def test_ten_thousand_routes() -> None:
    started = time.process_time()
    routes = table(*(f"GET /api/v{number % 10}/things{number}/{{id}}:run" for number in range(10_000)))
    assert time.process_time() - started < 3
    assert routes.match("GET", "/api/v7/things9997/5:run")[1] == ("5",)
