"""Reading files: YAML, encodings, the environment, the routes file."""

from __future__ import annotations

import pickle
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.config.conftest import Load, Problems
from transcoder.config.load import LoadedConfig, load_config
from transcoder.config.model import Config
from transcoder.errors import ConfigError
from transcoder.routing.template import parse_template


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "config.yaml:1: is empty"),
        ("# nothing\n", "config.yaml:1: is empty"),
        ("- a", "config.yaml:1: expected a mapping at the top"),
        ("\n\ntext", "config.yaml:3: expected a mapping at the top"),
        (
            "a: [\n",
            "config.yaml:2: not valid YAML: while parsing a flow node, did not find expected node content",
        ),
        ("a: 1\n b: 2", "config.yaml:2: not valid YAML: mapping values are not allowed in this context"),
        ("a: *b", "config.yaml:1: not valid YAML: found undefined alias"),
        (
            "server: {}\n---\nserver: {}",
            "config.yaml:2: not valid YAML:"
            " expected a single document in the stream, but found another document",
        ),
        ("a: 1\nb: \x01", "config.yaml:2: not valid YAML: control characters are not allowed"),
        (b"a: 1\nb: \xff", "config.yaml:2: is not UTF-8"),
        ("server: {}".encode("utf-16"), "config.yaml:1: is not UTF-8"),
        (b"#" * (4 << 20) + b"#", "config.yaml: is larger than 4MiB"),
        ("[" * 100_000, "config.yaml:1: is nested too deeply or too long"),
        ("a: &a {b: *a}", "config.yaml:1: is nested too deeply or too long with its aliases"),
        ("routes: [" + "0," * 200_001 + "]", "config.yaml:1: is nested too deeply or too long"),
        (
            "a0: &a0 [0,0,0,0,0,0,0,0,0,0]\n"
            + "\n".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)),
            "config.yaml:1: is nested too deeply or too long with its aliases",
        ),
    ],
    ids=range(16),
)
def test_unreadable_file(problems: Problems, text: str | bytes, expected: str) -> None:
    assert problems(text) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("server: {port: 1}\nserver: {}", "config.yaml:2: server: is here twice, first on line 1"),
        ("server:\n  port: 1\n  'port': 2", "config.yaml:3: server.port: is here twice, first on line 2"),
        ("base: &b {port: 1}\nserver: {<<: *b}", "config.yaml:2: server: merge keys (<<) are not allowed"),
        ("server: {? [a] : 1}", "config.yaml:1: server: expected plain text as a key"),
        (
            "server: !!python/object/apply:os.system [exit]",
            'config.yaml:1: the tag "tag:yaml.org,2002:python/object/apply:os.system" is not allowed',
        ),
        ("server:\n  port: !!int 80", 'config.yaml:2: the tag "tag:yaml.org,2002:int" is not allowed'),
        ("server: {host: !env HOST}", 'config.yaml:1: the tag "!env" is not allowed'),
    ],
)
def test_refused_yaml(problems: Problems, text: str, expected: str) -> None:
    assert expected in problems(text)


def test_nothing_is_executed(problems: Problems, tmp_path: Path) -> None:
    problems("server: !!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path [made]]")
    assert not (tmp_path / "made").exists()


def test_no_file(tmp_path: Path) -> None:
    for path, message in ((tmp_path / "none.yaml", "no such file"), (tmp_path, "no such file")):
        with pytest.raises(ConfigError) as caught:
            load_config(path, {}, parse_template)
        assert str(caught.value) == f"{path}: {message}"


def test_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "config.yaml"
    path.touch()
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ConfigError) as caught:
        load_config(path, {}, parse_template)
    assert str(caught.value) == f"{path}: cannot be read: Permission denied"


def test_directory_that_may_not_be_searched(problems: Problems, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_file", refuse)
    assert problems("server: {}") == ["config.yaml: no such file"]


def test_defaults(load: Load) -> None:
    loaded = load("server: {}")
    files = {Path("config.yaml"): b"server: {}"}
    assert loaded == LoadedConfig(config=Config(), files=files)


def test_keys_without_value_are_not_set(load: Load) -> None:
    text = "server:\n  port:\n  tls: {cert: , key: }\nadmin: {token: }\nauth:\nroutes: ~\n"
    assert load(text).config == Config()


def test_byte_order_mark(load: Load) -> None:
    assert load(b"\xef\xbb\xbfserver: {port: 1}").config.server.port == 1


def test_values(load: Load) -> None:
    server = load(
        "server: {host: '::', port: 1, request_timeout: 1500ms, max_request_body: 1KiB,"
        " trusted_proxies: [10.0.0.0/8, '::1'], forward_headers: [Accept-Language]}"
    ).config.server
    assert (server.host, server.port, server.request_timeout, server.max_request_body) == ("::", 1, 1.5, 1024)
    assert server.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1/128"))
    assert server.forward_headers == ("accept-language",)


def test_service_values(load: Load, tmp_path: Path) -> None:
    service = load(
        """\
services:
  a:
    address: 'h:1'
    expose: [methods, annotations]
    metadata: {x-region: eu}
    tls: {ca: config.yaml, server_name: orders}
    retries: {status_codes: [UNAVAILABLE, ABORTED], initial_backoff: 10ms}
    keepalive: {time: 1m}
"""
    ).config.services["a"]
    assert service.tls is not None
    assert (service.tls.ca, service.tls.cert) == (tmp_path / "config.yaml", None)
    assert service.retries.status_codes == ("UNAVAILABLE", "ABORTED")
    assert (service.retries.initial_backoff, service.keepalive.time) == (0.01, 60)
    assert service.expose == ("methods", "annotations")
    assert service.metadata == {"x-region": "eu"}


def test_tls_without_details_is_tls(load: Load) -> None:
    services = load("services: {a: {address: 'h:1', tls: {}}, b: {address: 'h:1', tls: }}").config.services
    assert (services["a"].tls is None, services["b"].tls is None) == (False, True)


def test_cors_values(load: Load) -> None:
    cors = load(
        "server: {cors: {origins: [https://A.example], headers: [X-A], credentials: true}}"
    ).config.server.cors
    assert (cors.origins, cors.headers, cors.credentials) == (("https://a.example",), ("X-A",), True)


def test_one_port_for_both_without_admin(load: Load) -> None:
    config = load("server: {port: 9901}\nadmin: {enabled: false, host: 0.0.0.0}").config
    assert config.server.port == config.admin.port


def test_one_port_on_two_addresses(load: Load) -> None:
    config = load("server: {host: 10.0.0.1, port: 9901}").config
    assert config.server.port == config.admin.port


def test_environment(load: Load) -> None:
    config = load("server:\n  workers: ${W:-2}\n  host: '${H}'", H="h1").config
    assert (config.server.workers, config.server.host) == (2, "h1")
    assert load("server:\n  workers: ${W:-2}", W="3").config.server.workers == 3


def test_a_quoted_reference_is_a_text(problems: Problems) -> None:
    assert problems("server: {workers: '${W:-2}'}") == [
        'config.yaml:1: server.workers: expected a whole number, got "2"'
    ]


def test_environment_cannot_add_structure(problems: Problems) -> None:
    assert problems("server:\n  host: ${H}", H="a\n  port: 1") == [
        'config.yaml:2: server.host: expected an IP address or a host name, got "a\\n  port: 1"'
    ]


def test_aliases(load: Load) -> None:
    config = load(
        "services:\n  a: {address: 'a:1', keepalive: &k {time: 5s}}\n  b: {address: 'b:1', keepalive: *k}\n"
    ).config
    assert config.services["a"].keepalive == config.services["b"].keepalive
    assert config.services["b"].keepalive.time == 5


ROUTE = "{name: a, path: /a, method: GET, service: s, grpc_service: S, grpc_method: M}"


def test_routes_file(load: Load) -> None:
    loaded = load(
        "services: {s: {address: 'h:1'}}\nroutes_file: routes.yaml\nroutes: []", routes=f"routes: [{ROUTE}]"
    )
    assert list(loaded.files) == [Path("config.yaml"), Path("routes.yaml")]
    assert [route.name for route in loaded.config.routes] == ["a"]


def test_an_earlier_configuration_comes_back_whatever_the_files_say(load: Load) -> None:
    text = "services: {s: {address: 'h:1'}}\nroutes_file: routes.yaml"
    loaded = load(text, routes=f"routes: [{ROUTE}]")
    Path("config.yaml").write_text("services: [")
    Path("routes.yaml").unlink()
    assert load_config(Path("config.yaml"), {}, parse_template, loaded.files) == loaded


def test_routes_file_without_routes(load: Load) -> None:
    loaded = load(
        f"services: {{s: {{address: 'h:1'}}}}\nroutes: [{ROUTE}]\nroutes_file: routes.yaml", routes="routes:"
    )
    assert [route.name for route in loaded.config.routes] == ["a"]


def test_files_are_relative_to_the_config(tmp_path: Path) -> None:
    (tmp_path / "schema.binpb").touch()
    (tmp_path / "config.yaml").write_text("services: {a: {address: 'h:1', descriptor_set: schema.binpb}}")
    config = load_config(tmp_path / "config.yaml", {}, parse_template).config
    assert config.services["a"].descriptor_set == tmp_path / "schema.binpb"


def test_unset_name_of_the_routes_file(problems: Problems) -> None:
    assert problems("routes_file: ${R}") == ["config.yaml:1: routes_file: environment variable R is not set"]


def test_a_loaded_config_can_go_to_a_worker(load: Load) -> None:
    config = load("services: {a: {address: 'h:1', metadata: {a: b}}}").config
    assert pickle.loads(pickle.dumps(config)) == config


def _load_or_refuse(path: Path, data: bytes, routes: bytes) -> None:
    path.write_bytes(data)
    path.with_name("routes.yaml").write_bytes(routes)
    try:
        assert isinstance(load_config(path, {"A": "1"}, parse_template).config, Config)
    except ConfigError as error:
        if not all(problem.message for problem in error.problems):
            raise


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(), st.binary())
def test_any_bytes(tmp_path: Path, data: bytes, routes: bytes) -> None:
    _load_or_refuse(tmp_path / "config.yaml", data, routes)
    _load_or_refuse(tmp_path / "config.yaml", b"routes_file: routes.yaml\nservices: " + data, routes)


VOCABULARY = """
    server auth issuers services routes routes_file routes.yaml a name path method service secret algorithms
    forward_headers forward_claims metadata require roles auth_required address HS256 h:1 /{a} GET true 1 30s
    ${A} ${B} ${ tls cors admin port
"""
WORDS = st.sampled_from(VOCABULARY.split())
VALUES = st.recursive(
    WORDS | st.none() | st.integers() | st.text(max_size=5) | st.just("*x"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


def _yaml(value: object) -> str:
    """Flow style, close to JSON, whose words stay unquoted where they can."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_yaml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    return "" if value is None else str(value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(WORDS, VALUES, min_size=1), st.lists(VALUES, max_size=4))
def test_any_shape(tmp_path: Path, value: dict[str, object], routes: list[object]) -> None:
    text = "".join(f"{key}: {_yaml(inner)}\n" for key, inner in value.items())
    data = text.encode("utf-8", "surrogatepass")
    _load_or_refuse(tmp_path / "config.yaml", data, f"routes: {_yaml(routes)}".encode("utf-8", "replace"))
