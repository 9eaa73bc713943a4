import pytest

from transcoder.routing.template import TemplateError, Variable, Wildcard, parse_template

ONE, REST = Wildcard.ONE, Wildcard.REST


def variable(field_path: str, start: int, end: int | None, *, is_multi: bool = False) -> Variable:
    return Variable(field_path=field_path, start=start, end=end, is_multi=is_multi)


@pytest.mark.parametrize(
    ("text", "segments", "verb"),
    [
        ("/", (), ""),
        ("/*", (ONE,), ""),
        ("/**", (REST,), ""),
        ("/a", ("a",), ""),
        ("/a/b/*/c/**", ("a", "b", ONE, "c", REST), ""),
        ("/{x}", (ONE,), ""),
        ("/{x=a/*}/b/{y=c/**}", ("a", ONE, "b", "c", REST), ""),
        ("/v1:watch", ("v1",), "watch"),
        ("/**:verb", (REST,), "verb"),
        ("/{x=**}:verb", (REST,), "verb"),
        ("/a/*:verb", ("a", ONE), "verb"),
        ("/{x}:run%3Anow", (ONE,), "run:now"),
        ("/{x}:a:b", (ONE,), "a:b"),
        ("/*:a:b", (ONE,), "a:b"),
        ("/a:b:c", ("a:b",), "c"),
        ("/a%3Ab", ("a:b",), ""),
        ("/a:b/c", ("a:b", "c"), ""),
        ("/{x=a%3Ab}", ("a:b",), ""),
        ("/{x=a%3Ab/*}:c", ("a:b", ONE), "c"),
        ("/a/%7Euser", ("a", "~user"), ""),
        ("/%2A/%2F/%C3%A9", ("*", "/", "é"), ""),
        ("/-._~!$&'()+,;=@", ("-._~!$&'()+,;=@",), ""),
        ("/{x=a=b}", ("a=b",), ""),
        ("/pkg.Service/Method", ("pkg.Service", "Method"), ""),
    ],
)
def test_segments_and_verb(text: str, segments: tuple[str | Wildcard, ...], verb: str) -> None:
    template = parse_template(text)
    assert (template.text, template.segments, template.verb) == (text, segments, verb)


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("/a/*/**", []),
        ("/{x}", [variable("x", 0, 1)]),
        ("/{x=*}", [variable("x", 0, 1)]),
        ("/a/{b.c_d.E1}", [variable("b.c_d.E1", 1, 2)]),
        ("/{_x=lit}", [variable("_x", 0, 1)]),
        ("/{x=foo%2Fbar}", [variable("x", 0, 1)]),
        ("/{x=a/b}/c", [variable("x", 0, 2, is_multi=True)]),
        ("/v1/{name=shelves/*/books/*}", [variable("name", 1, 5, is_multi=True)]),
        ("/a/{x=**}", [variable("x", 1, None, is_multi=True)]),
        ("/{y}/{x=a/**}:v", [variable("y", 0, 1), variable("x", 1, None, is_multi=True)]),
        ("/{x}/{x.y}", [variable("x", 0, 1), variable("x.y", 1, 2)]),
    ],
)
def test_variables(text: str, variables: list[Variable]) -> None:
    assert parse_template(text).variables == tuple(variables)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected '/', found the end at character 1"),
        ("a", "expected '/', found 'a' at character 1"),
        ("a/b", "expected '/', found 'a' at character 1"),
        ("*", "expected '/', found '*' at character 1"),
        (":v", "expected '/', found ':' at character 1"),
        ("//", "expected a segment, found '/' at character 2"),
        ("/a/", "expected a segment, found the end at character 4"),
        ("/a//b", "expected a segment, found '/' at character 4"),
        ("/:v", "expected a segment, found ':' at character 2"),
        ("/a/:v", "expected a segment, found ':' at character 4"),
        ("/a/:id/b", "expected a segment, found ':' at character 4"),
        ("/{}", "expected a field path, found '}' at character 3"),
        ("/{1}", "expected a field path, found '1' at character 3"),
        ("/{-}", "expected a field path, found '-' at character 3"),
        ("/{é}", "expected a field path, found 'é' at character 3"),
        ("/{ x}", "expected a field path, found ' ' at character 3"),
        ("/{*}", "expected a field path, found '*' at character 3"),
        ("/{field.1}", "expected '}', found '.' at character 8"),
        ("/{x.}", "expected '}', found '.' at character 4"),
        ("/{x:v}", "expected '}', found ':' at character 4"),
        ("/a/{x=b:v}", "expected '}', found ':' at character 8"),
        ("/a/{x=*:v}", "expected '}', found ':' at character 8"),
        ("/a/{x=b:v/*}", "expected '}', found ':' at character 8"),
        ("/a/{x", "expected '}', found the end at character 6"),
        ("/a/{x=b", "expected '}', found the end at character 8"),
        ("/a/{x=", "expected a segment, found the end at character 7"),
        ("/{x=}", "expected a segment, found '}' at character 5"),
        ("/a/{var=/b}", "expected a segment, found '/' at character 9"),
        ("/{x=a/}", "expected a segment, found '}' at character 7"),
        ("/{x=a/{y}}", "expected a segment, found '{' at character 7"),
        ("/{x={y}}", "expected a segment, found '{' at character 5"),
        ("/{x}a", "expected '/', ':' or the end, found 'a' at character 5"),
        ("/{x}{y}", "expected '/', ':' or the end, found '{' at character 5"),
        ("/{x}}", "expected '/', ':' or the end, found '}' at character 5"),
        ("/a{x}", "expected '/', ':' or the end, found '{' at character 3"),
        ("/a{x}b", "expected '/', ':' or the end, found '{' at character 3"),
        ("/{x}a{y}", "expected '/', ':' or the end, found 'a' at character 5"),
        ("/a/{x}b/s", "expected '/', ':' or the end, found 'b' at character 7"),
        ("/}", "expected a segment, found '}' at character 2"),
        ("/a*", "expected '/', ':' or the end, found '*' at character 3"),
        ("/*a", "expected '/', ':' or the end, found 'a' at character 3"),
        ("/***", "expected '/', ':' or the end, found '*' at character 4"),
        ("/a*:v", "expected '/', ':' or the end, found '*' at character 3"),
        ("/{x}:", "expected a verb, found the end at character 6"),
        ("/**:", "expected a verb, found the end at character 5"),
        ("/a:", "expected a verb, found the end at character 4"),
        ("/a:*", "expected a verb, found '*' at character 4"),
        ("/a:b*", "expected the end, found '*' at character 5"),
        ("/{x}::v", "expected a verb, found ':' at character 6"),
        ("/{x}:v ", "expected the end, found ' ' at character 7"),
        ("/{x}:v/b", "expected the end, found '/' at character 7"),
        ("/foo?x", "expected '/', ':' or the end, found '?' at character 5"),
        ("/foo#x", "expected '/', ':' or the end, found '#' at character 5"),
        ("/foo bar", "expected '/', ':' or the end, found ' ' at character 5"),
        ("/foo\n", "expected '/', ':' or the end, found '\\n' at character 5"),
        ("/é", "expected a segment, found 'é' at character 2"),
        ("/a%", "expected '/', ':' or the end, found '%' at character 3"),
        ("/%4", "expected a segment, found '%' at character 2"),
        ("/a/%zz", "expected a segment, found '%' at character 4"),
        ("/a/%ff", "'%ff' is not UTF-8 at character 4"),
        ("/a:%ff", "'%ff' is not UTF-8 at character 4"),
        ("/**/a", "nothing can follow `**` at character 5"),
        ("/**/*", "nothing can follow `**` at character 5"),
        ("/{x=**}/**", "nothing can follow `**` at character 9"),
        ("/{x=a/**/b}", "nothing can follow `**` at character 10"),
        ("/{x=**}/{y}", "nothing can follow `**` at character 10"),
        ("/{x}/{x}", "variable 'x' is bound twice at character 7"),
        ("/{a.b}/c/{a.b=**}", "variable 'a.b' is bound twice at character 11"),
    ],
)
def test_rejected(text: str, problem: str) -> None:
    with pytest.raises(TemplateError) as caught:
        parse_template(text)
    assert str(caught.value) == f"path template {text!r}: {problem}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/{x}", "/*"),
        ("/a/{x=b/*}", "/a/b/{y}"),
        ("/a/{x=**}:v", "/a/**:v"),
        ("/%7Ea", "/~a"),
        ("/%2f:%61", "/%2F:a"),
        ("/a%3Ab", "/{x=a%3Ab}"),
    ],
)
def test_equal_shapes(one: str, other: str) -> None:
    assert parse_template(one).shape == parse_template(other).shape


def test_distinct_shapes() -> None:
    texts = [
        "/",
        "/*",
        "/**",
        "/%2A",
        "/%2A%2A",
        "/a/b",
        "/a%2Fb",
        "/a",
        "/A",
        "/a:b",
        "/a%3Ab",
        "/*:b",
        "/a:b:c",
    ]
    assert len({parse_template(text).shape for text in texts}) == len(texts)


def test_a_shape_is_a_template_of_its_own_shape() -> None:
    shape = parse_template("/v1/{name=shelves/%7E}/{y=a%2fb/**}:%C3%A9").shape
    assert shape == "/v1/shelves/~/a%2Fb/**:%C3%A9"
    assert parse_template(shape).shape == shape
