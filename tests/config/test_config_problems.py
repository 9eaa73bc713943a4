"""What a configuration file may get wrong, and what its author reads."""

from __future__ import annotations

import json

import pytest

from tests.config.conftest import Load, Problems

SECRET = "x" * 32
DURATION = "expected a duration such as 250ms, 30s or 5m"
SIZE = "expected a size such as 512KiB or 4MiB"
NETWORK = "expected a network such as 10.0.0.0/8 or fd00::/8, without bits after the prefix"
ORIGIN = "expected an origin such as https://app.example.com, without a path, or *"
ADDRESS = "expected host:port or a gRPC target (dns:///, ipv4:, ipv6:, unix:, xds:///)"
KEY = "expected a metadata key of lower-case letters, digits, '-', '_' and '.'"
SERVICE = "expected a service name of at most 64 letters, digits, '-', '_' and '.'"
ISSUER = "needs an issuer in auth.issuers that can verify tokens, or a key in auth.api_keys"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sever: {}", 'sever: unknown key (did you mean "server"?)'),
        ("zzz: {}", "zzz: unknown key"),
        ('"a\\nb": {}', '"a\\nb": unknown key'),
        ("server: 5", "server: expected a mapping, got 5"),
        ("server: {hots: a}", 'server.hots: unknown key (did you mean "host"?)'),
        ("server: {host: 5}", "server.host: expected a text in quotes, got 5"),
        ('server: {host: "a b"}', 'server.host: expected an IP address or a host name, got "a b"'),
        ('server: {port: "80"}', 'server.port: expected a whole number, got "80"'),
        ("server: {port: true}", "server.port: expected a whole number, got true"),
        ("server: {port: 80.5}", "server.port: expected a whole number, got 80.5"),
        ("server: {port: 0}", "server.port: expected at least 1, got 0"),
        ("server: {port: 65536}", "server.port: expected at most 65535, got 65536"),
        ("server: {workers: -1}", "server.workers: expected at least 0, got -1"),
        ("server: {request_timeout: abc}", f'server.request_timeout: {DURATION}, got "abc"'),
        ("server: {request_timeout: 30}", f"server.request_timeout: {DURATION}, got 30"),
        ("server: {request_timeout: 0s}", "server.request_timeout: must be longer than 0s"),
        ("server: {drain_delay: 169h}", "server.drain_delay: must be at most 168h"),
        ("server: {max_request_body: 4MB}", f'server.max_request_body: {SIZE}, got "4MB"'),
        (
            "server: {max_request_body: 0B}",
            "server.max_request_body: must be more than 0B and less than 2GiB",
        ),
        (
            "server: {max_request_body: 2GiB}",
            "server.max_request_body: must be more than 0B and less than 2GiB",
        ),
        (
            "server: {trusted_proxies: 10.0.0.0/8}",
            'server.trusted_proxies: expected a list, got "10.0.0.0/8"',
        ),
        (
            "server: {trusted_proxies: [10.0.0.1/8]}",
            f'server.trusted_proxies[0]: {NETWORK}, got "10.0.0.1/8"',
        ),
        ("server: {trusted_proxies: [fd00::/8, x]}", f'server.trusted_proxies[1]: {NETWORK}, got "x"'),
        ("server: {trusted_proxies: [1]}", f"server.trusted_proxies[0]: {NETWORK}, got 1"),
        ("server: {cors: {origins: [https://a/]}}", f'server.cors.origins[0]: {ORIGIN}, got "https://a/"'),
        ("server: {cors: {origins: ['null']}}", f'server.cors.origins[0]: {ORIGIN}, got "null"'),
        (
            "server: {cors: {methods: [a b]}}",
            'server.cors.methods[0]: expected a header or method name, got "a b"',
        ),
        (
            'server: {cors: {origins: ["*"], credentials: true}}',
            'server.cors.credentials: cannot be true when origins has "*"',
        ),
        (
            'server: {cors: {origins: ["https://a"], headers: ["*"], credentials: true}}',
            'server.cors.credentials: cannot be true when headers has "*"',
        ),
        (
            "server: {cors: {origins: ['https://a:443']}}",
            "server.cors.origins[0]: browsers leave the port 443 out of an https origin",
        ),
        (
            "server: {cors: {origins: ['http://a:80']}}",
            "server.cors.origins[0]: browsers leave the port 80 out of an http origin",
        ),
        (
            "server: {cors: {origins: ['https://a:65536']}}",
            f'server.cors.origins[0]: {ORIGIN}, got "https://a:65536"',
        ),
        ("server: {cors: {credentials: yes}}", 'server.cors.credentials: expected true or false, got "yes"'),
        ("server: {tls: {cert: config.yaml}}", "server.tls.key: is required with cert"),
        ("server: {tls: {key: config.yaml}}", "server.tls.cert: is required with key"),
        ("server: {tls: {client_ca: config.yaml}}", "server.tls.cert: is required with client_ca"),
        ("server: {tls: {cert: no.pem}}", 'server.tls.cert: no such file: "no.pem"'),
        ('server: {tls: {cert: "a\\0b"}}', 'server.tls.cert: no such file: "a\\u0000b"'),
        (f"server: {{tls: {{cert: {'a' * 300}}}}}", f'server.tls.cert: no such file: "{"a" * 59}...'),
        ("server: {tls: {cert: [a]}}", "server.tls.cert: expected a file name, got a list"),
        ("admin: {host: 0.0.0.0}", "admin.token: is required when admin.host is not a loopback address"),
        ("admin: {host: example.com}", "admin.token: is required when admin.host is not a loopback address"),
        ('admin: {token: ""}', "admin.token: must not be empty"),
        ("admin: {token: 123}", "admin.token: expected a text in quotes"),
        ("admin: {port: 8080}", "admin.port: is the port of server too"),
        ("server: {host: 0.0.0.0, port: 9901}", "admin.port: is the port of server too"),
        ("json: {unknown_fields: ignroe}", 'json.unknown_fields: expected reject or ignore, got "ignroe"'),
        ("json_options: {}", "json_options: unknown key"),
        ("errors: {format: xml}", 'errors.format: expected gateway or google, got "xml"'),
        *(
            (f"rate_limits: {{storage: '{url}'}}", "rate_limits.storage: expected memory or a redis:// URL")
            for url in ("ftp://u:pw@h", "redis://", "redis://h:x", "redis://h:0", "redis://[h", "redis://a b")
        ),
        ("rate_limits: {storage_timeout: 0s}", "rate_limits.storage_timeout: must be longer than 0s"),
        (
            "rate_limits: {key: user_id}",
            'rate_limits.key: expected client_ip, user or route, got "user_id"',
        ),
        (
            "rate_limits: {default: 5/week}",
            'rate_limits.default: expected a rate such as 10/second or 100/minute, got "5/week"',
        ),
        (
            "observability: {tracing: {sample_ratio: 1.5}}",
            "observability.tracing.sample_ratio: expected at most 1.0, got 1.5",
        ),
        (
            "observability: {tracing: {sample_ratio: x}}",
            'observability.tracing.sample_ratio: expected a number, got "x"',
        ),
        (
            "observability: {tracing: {otlp_endpoint: 'ftp://u:pw@h'}}",
            "observability.tracing.otlp_endpoint: expected an http:// or https:// URL",
        ),
        ("services: []", "services: expected a mapping, got a list"),
        ("services: {a: }", "services.a: expected a mapping, got null"),
        ("services: {a: {}}", "services.a.address: is required"),
        (
            'services: {a b: {address: "h:1"}}',
            f'services."a b": {SERVICE}, got "a b"',
        ),
        ("routes_file: [a]", "routes_file: expected a text, got a list"),
        ('routes_file: ""', "routes_file: must not be empty"),
        ("routes_file: none.yaml", 'routes_file: no such file: "none.yaml"'),
        ("routes: {}", "routes: expected a list, got a mapping"),
        ('"[key]": {}', '"[key]": unknown key'),
        ('server: {"[key]": 1}', 'server."[key]": unknown key'),
        ('services: {"[key]": {address: "h:1"}}', f'services."[key]": {SERVICE}, got "[key]"'),
        ("routes: [5]", "routes[0]: expected a mapping, got 5"),
    ],
)
def test_one_key(problems: Problems, text: str, expected: str) -> None:
    assert problems(text) == [f"config.yaml:1: {expected}"]


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("{adress: 'h:1', address: 'h:1'}", '.adress: unknown key (did you mean "address"?)'),
        ("{address: 'h:1', tls: {cn: x}}", ".tls.cn: unknown key"),
        (
            "{address: 'h:1', tls: {servername: x}}",
            '.tls.servername: unknown key (did you mean "server_name"?)',
        ),
        ("{address: 'h:1', tls: {cert: config.yaml}}", ".tls.key: is required with cert"),
        ("{address: 'h:1', retries: {max_attempts: 6}}", ".retries.max_attempts: expected at most 5, got 6"),
        (
            "{address: 'h:1', retries: {status_codes: [OK]}}",
            '.retries.status_codes[0]: expected a gRPC status code such as UNAVAILABLE, got "OK"',
        ),
        (
            "{address: 'h:1', retries: {initial_backoff: 9ms}}",
            '.retries.initial_backoff: expected at least 10ms, got "9ms"',
        ),
        (
            "{address: 'h:1', retries: {initial_backoff: 2s}}",
            ".retries.initial_backoff: must not be longer than max_backoff",
        ),
        (
            "{address: 'h:1', load_balancing: random}",
            '.load_balancing: expected pick_first or round_robin, got "random"',
        ),
        ("{address: 'h:1', expose: [all]}", '.expose[0]: expected annotations or methods, got "all"'),
        ("{address: 'h:1', metadata: {X-A: secret}}", f".metadata.X-A: {KEY}"),
        (
            "{address: 'h:1', metadata: {grpc-x: a}}",
            ".metadata.grpc-x: belongs to HTTP or gRPC itself and cannot be set",
        ),
        (
            "{address: 'h:1', metadata: {host: a}}",
            ".metadata.host: belongs to HTTP or gRPC itself and cannot be set",
        ),
        ("{address: 'h:1', metadata: {a-bin: a}}", ".metadata.a-bin: binary metadata (-bin) cannot be set"),
        (
            "{address: 'h:1', metadata: {x-user-id: a}}",
            ".metadata.x-user-id: is set by the gateway and cannot be set",
        ),
        (
            '{address: "h:1", metadata: {a: "secret\\n"}}',
            ".metadata.a: must be printable ASCII without spaces around it",
        ),
        ("{address: 'h:1', metadata: {a: [secret]}}", ".metadata.a: expected a text"),
        ("{address: 'h:1', auth_required: true}", f".auth_required: {ISSUER}"),
    ],
)
def test_service(problems: Problems, service: str, expected: str) -> None:
    assert problems(f"services:\n  a: {service}") == [f"config.yaml:2: services.a{expected}"]


@pytest.mark.parametrize(
    "address",
    [
        "localhost",
        "localhost:",
        "localhost:0",
        "localhost:65536",
        ":50051",
        "::1:50051",
        "http://localhost:1",
        "a b:1",
        "-a:1",
        "dns:///",
        "ipv4:localhost:1",
        "unix:",
        "xds:name",
        "h:1\\n",
        "h:١",
    ],
)
def test_no_address(problems: Problems, address: str) -> None:
    [problem] = problems(f'services: {{a: {{address: "{address}"}}}}')
    assert problem.startswith(f"config.yaml:1: services.a.address: {ADDRESS}, got ")


@pytest.mark.parametrize(
    "address",
    [
        "localhost:50051",
        "127.0.0.1:1",
        "[::1]:65535",
        "order_service.shop.svc.cluster.local:80",
        "dns:///orders.example.com:443",
        "dns:///orders.example.com",
        "dns://8.8.8.8/orders.example.com:443",
        "dns:orders:50051",
        "ipv4:10.0.0.1:50051,10.0.0.2:50051",
        "ipv6:[::1]:50051",
        "unix:relative.sock",
        "unix:///run/orders.sock",
        "unix-abstract:orders",
        "xds:///orders",
    ],
)
def test_address(load: Load, address: str) -> None:
    assert load(f'services: {{a: {{address: "{address}"}}}}').config.services["a"].address == address


@pytest.mark.parametrize(
    ("issuer", "expected"),
    [
        ("algorithms: [HS256]", ": one of secret, public_key_file, jwks_url or jwks_file is required"),
        (
            f"algorithms: [HS256], secret: {SECRET}, jwks_url: 'https://h'",
            ".jwks_url: secret is given too: only one source of keys is allowed",
        ),
        ("algorithms: [RS256], jwks_url: 'https://h'", ".issuer: is required with jwks_url"),
        ("algorithms: [RS256], jwks_file: config.yaml", ".issuer: is required with jwks_file"),
        (f"secret: {SECRET}", ".algorithms: is required"),
        (f"algorithms: [], secret: {SECRET}", ".algorithms: must not be empty"),
        (
            f"algorithms: [HS256, ES256], secret: {SECRET}",
            ".algorithms: HS* and public-key algorithms cannot share an issuer",
        ),
        (
            "algorithms: [HS256], public_key_file: config.yaml",
            ".algorithms: HS256 needs a secret, not a public key",
        ),
        (
            f"algorithms: [RS256], secret: {SECRET}",
            ".secret: a secret is for HS* only, RS256 needs a public key",
        ),
        (
            "algorithms: [HS256], secret: short",
            ".secret: must be at least 32 bytes for HS256 (RFC 7518, 3.2)",
        ),
        (
            f"algorithms: [HS256, HS384], secret: {SECRET}",
            ".secret: must be at least 48 bytes for HS384 (RFC 7518, 3.2)",
        ),
        (
            f"algorithms: [HS512], secret: {SECRET}",
            ".secret: must be at least 64 bytes for HS512 (RFC 7518, 3.2)",
        ),
        (
            'algorithms: [HS256], secret: "-----BEGIN PUBLIC KEY-----\\nAAAAAAAAAAAAAAAAAAAAA"',
            ".secret: looks like a public key: anyone who has it could sign tokens",
        ),
        (
            f"algorithms: [HS256], secret: ssh-rsa {SECRET}",
            ".secret: looks like a public key: anyone who has it could sign tokens",
        ),
        ("algorithms: [HS256], secret: 1", ".secret: expected a text in quotes"),
        (
            "algorithms: [RS256], issuer: a, jwks_url: 'ftp://u:pw@h'",
            ".jwks_url: expected an http:// or https:// URL",
        ),
        (
            "algorithms: [RS256], issuer: a, jwks_url: 'http://[x'",
            ".jwks_url: expected an http:// or https:// URL",
        ),
        (
            "algorithms: [RS256], issuer: a, jwks_url: 'http://a b'",
            ".jwks_url: expected an http:// or https:// URL",
        ),
        (
            f"algorithms: [HS256], secret: {SECRET}, forward_claims: {{X-A: a}}",
            f'.forward_claims.X-A: {KEY}, got "X-A"',
        ),
        (
            f"algorithms: [HS256], secret: {SECRET}, forward_claims: {{x_path_a: a}}",
            ".forward_claims.x_path_a: is set by the gateway and cannot be set",
        ),
        (
            f"algorithms: [HS256], secret: {SECRET}, forward_claims: {{x-forwarded-for: a}}",
            ".forward_claims.x-forwarded-for: is set by the gateway and cannot be set",
        ),
        (
            f"algorithms: [HS256], secret: {SECRET}, forward_claims: {{x-user-id: a}}",
            ".forward_claims.x-user-id: is set from who the caller is",
        ),
        (
            f"algorithms: [HS256], secret: {SECRET}, forward_claims: {{grpc-a: a}}",
            ".forward_claims.grpc-a: belongs to HTTP or gRPC itself and cannot be set",
        ),
        (
            f"algorithms: [HS256], secret: {SECRET}, forward_claims: {{a-bin: a}}",
            ".forward_claims.a-bin: binary metadata (-bin) cannot be set",
        ),
        (
            f"algorithms: [HS256], secret: {SECRET}, claims: {{userid: a}}",
            '.claims.userid: unknown key (did you mean "user_id"?)',
        ),
    ],
)
def test_issuer(problems: Problems, issuer: str, expected: str) -> None:
    text = f"auth:\n  issuers:\n    - {{name: a, {issuer}}}"
    assert problems(text) == [f"config.yaml:3: auth.issuers[0]{expected}"]


@pytest.mark.parametrize("algorithm", ["none", "HS1", "hs256", "ES256K"])
def test_unknown_algorithm(problems: Problems, algorithm: str) -> None:
    [problem] = problems(f"auth: {{issuers: [{{name: a, algorithms: [{algorithm}], secret: {SECRET}}}]}}")
    assert problem.startswith("config.yaml:1: auth.issuers[0].algorithms[0]: expected HS256, HS384,")
    assert problem.endswith(f'or EdDSA, got "{algorithm}"')


IDENTITY = "is an identity header: it is never taken from a client"
TRANSPORT = "belongs to HTTP or gRPC itself and is never forwarded"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("X-User-Id", f"x-user-id {IDENTITY}"),
        ("x_user_roles", f"x_user_roles {IDENTITY}"),
        ("X-Path_id", f"x-path_id {IDENTITY}"),
        ("X-Forwarded-For", f"x-forwarded-for {IDENTITY}"),
        ("x-user-id-bin", f"x-user-id-bin {IDENTITY}"),
        (
            "x_tenant",
            "x-tenant is an identity header: auth.issuers[0].forward_claims.x-tenant sets it",
        ),
        ("Grpc-Timeout", f"grpc-timeout {TRANSPORT}"),
        ("grpc_timeout", f"grpc_timeout {TRANSPORT}"),
        ("Connection", f"connection {TRANSPORT}"),
        ("Transfer_Encoding", f"transfer_encoding {TRANSPORT}"),
        ("TE", f"te {TRANSPORT}"),
        ("Host", f"host {TRANSPORT}"),
        ("Content-Type", f"content-type {TRANSPORT}"),
        (":path", "expected a header name of letters, digits, '-', '_' and '.', got \":path\""),
        ("a b", "expected a header name of letters, digits, '-', '_' and '.', got \"a b\""),
        ("\u212aelvin", "expected a header name of letters, digits, '-', '_' and '.', got \"\\u212aelvin\""),
    ],
)
def test_header_that_is_never_forwarded(problems: Problems, header: str, expected: str) -> None:
    text = (
        f"auth: {{issuers: [{{name: a, algorithms: [HS256], secret: {SECRET},"
        " forward_claims: {x-tenant: t}}]}\n"
        f'server: {{forward_headers: [ok, "{header}"]}}'
    )
    assert problems(text) == [f"config.yaml:2: server.forward_headers[1]: {expected}"]


ROUTE = {
    "name": "n",
    "path": "/a/{b}",
    "method": "GET",
    "service": "a",
    "grpc_service": "S",
    "grpc_method": "M",
}


def _route(**changes: object) -> str:
    return json.dumps({key: value for key, value in {**ROUTE, **changes}.items() if value is not None})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"method": None}, ".method: is required"),
        ({"method": "get"}, '.method: expected an HTTP method in upper case such as GET, got "get"'),
        ({"method": "TRACE"}, '.method: expected an HTTP method in upper case such as GET, got "TRACE"'),
        ({"path": 5}, ".path: expected a text in quotes, got 5"),
        ({"path": "a"}, '.path: must start with "/"'),
        ({"path": ""}, ".path: must not be empty"),
        ({"path": "/-/x"}, '.path: paths below "/-/" belong to the gateway itself'),
        ({"path": "/%2D/x"}, '.path: paths below "/-/" belong to the gateway itself'),
        ({"path": "/a/{b"}, ".path: path template '/a/{b': expected '}', found the end at character 6"),
        ({"service": "aa"}, '.service: no service is called "aa" (did you mean "a"?)'),
        ({"service": "order"}, '.service: no service is called "order"'),
        (
            {"grpc_service": "a-b"},
            '.grpc_service: expected a protobuf name such as OrderService or shop.v1.OrderService, got "a-b"',
        ),
        ({"grpc_method": "a.b"}, '.grpc_method: expected a gRPC method name such as GetOrder, got "a.b"'),
        ({"body": "a.b"}, '.body: expected the name of a message field, got "a.b"'),
        ({"body": 1}, ".body: expected a text in quotes, got 1"),
        ({"response_body": "a-b"}, '.response_body: expected the name of a message field, got "a-b"'),
        ({"params": {"b": 1}}, ".params.b: expected a text in quotes, got 1"),
        ({"timeout": "0s"}, ".timeout: must be longer than 0s"),
        (
            {"rate_limit": "0/second"},
            '.rate_limit: expected a rate such as 10/second or 100/minute, got "0/second"',
        ),
        ({"require": {"role": []}}, '.require.role: unknown key (did you mean "roles"?)'),
        ({"auth_required": True}, f".auth_required: {ISSUER}"),
        ({"require": {"scopes": ["a"]}}, f".require: {ISSUER}"),
        ({"auth_requierd": True}, '.auth_requierd: unknown key (did you mean "auth_required"?)'),
    ],
)
def test_route(problems: Problems, changes: dict[str, object], expected: str) -> None:
    text = "services: {a: {address: 'h:1'}}\nroutes_file: routes.yaml"
    assert problems(text, routes=f"routes:\n - {_route(**changes)}") == [
        f"routes.yaml:2: routes[0]{expected}"
    ]


def test_requirements_without_token(problems: Problems) -> None:
    text = (
        f"auth: {{issuers: [{{name: a, algorithms: [HS256], secret: {SECRET}}}]}}\n"
        "services: {a: {address: 'h:1'}}\n"
        f"routes: [{_route(auth_required=False, require={'roles': ['a']})}]"
    )
    assert problems(text) == [
        "config.yaml:3: routes[0].auth_required: cannot be false when require asks for roles or scopes"
    ]


def test_two_of_a_kind(problems: Problems) -> None:
    text = (
        (
            "services: {a: {address: 'h:1'}}\n"
            "routes:\n"
            f" - {_route(name='x', path='/v1/{b=shelves/*}:get')}\n"
            f" - {_route(name='y', path='/v1/{b=shelves/*}:get', method='POST')}\n"
            f" - {_route(name='y', path='/other')}\n"
            f" - {_route(name='z', path='/v1/shelves/{other}:get')}\n"
            "auth:\n"
            "  issuers:\n"
            f"    - {{name: i, algorithms: [HS256], secret: {SECRET}}}\n"
            f"    - {{name: i, algorithms: [HS256], secret: {SECRET}}}\n"
        )
        .replace("path: /v1/{b=shelves/*}:get", 'path: "/v1/{b=shelves/*}:get"')
        .replace("path: /v1/shelves/{other}:get", 'path: "/v1/shelves/{other}:get"')
    )
    assert problems(text) == [
        "config.yaml:5: routes[2].name: is already the name of routes[1]",
        "config.yaml:6: routes[3].path: GET on such a path is already routes[0]",
        "config.yaml:10: auth.issuers[1].name: is already the name of auth.issuers[0]",
    ]


def test_everything_at_once(problems: Problems) -> None:
    text = """\
server:
  port: high
  request_timeout: 30
  drain_delay: ${UNSET}
services:
  order-service:
    adress: localhost:50052
    metadata: {Authorization: Bearer geheim}
  order-service: {address: "h:1"}
routes_file: routes.yaml
"""
    routes = """\
extra: 1
routes:
  - {name: a, path: /a, method: get, service: order-servic, grpc_service: S, grpc_method: M}
  - {name: a, path: "/{", method: GET, service: order-service, grpc_service: S, grpc_method: M}
"""
    found = problems(text, routes=routes)
    assert found == [
        'config.yaml:2: server.port: expected a whole number, got "high"',
        f"config.yaml:3: server.request_timeout: {DURATION}, got 30",
        "config.yaml:4: server.drain_delay: environment variable UNSET is not set",
        "config.yaml:6: services.order-service.address: is required",
        'config.yaml:7: services.order-service.adress: unknown key (did you mean "address"?)',
        f"config.yaml:8: services.order-service.metadata.Authorization: {KEY}",
        "config.yaml:9: services.order-service: is here twice, first on line 6",
        "routes.yaml:1: extra: unknown key",
        'routes.yaml:3: routes[0].method: expected an HTTP method in upper case such as GET, got "get"',
        "routes.yaml:3: routes[0].service:"
        ' no service is called "order-servic" (did you mean "order-service"?)',
        "routes.yaml:4: routes[1].name: is already the name of routes[0]",
        "routes.yaml:4: routes[1].path:"
        " path template '/{': expected a field path, found the end at character 3",
    ]


def test_routes_in_both_files(problems: Problems) -> None:
    text = f"services: {{a: {{address: 'h:1'}}}}\nroutes: [{_route()}]\nroutes_file: routes.yaml"
    assert problems(text, routes=f"routes: [{_route()}]") == [
        "config.yaml:2: routes: routes_file has routes too: keep one of both"
    ]


def test_a_broken_routes_file_does_not_hide_the_rest(problems: Problems) -> None:
    assert problems("sever: {}\nroutes_file: routes.yaml", routes="routes: [") == [
        'config.yaml:1: sever: unknown key (did you mean "server"?)',
        "routes.yaml:2: not valid YAML: while parsing a flow node, did not find expected node content",
    ]


def test_missing_libraries(problems: Problems, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transcoder.config.checks.find_spec", lambda _name: None)
    text = "observability: {tracing: {otlp_endpoint: 'http://collector:4318'}}"
    (problem,) = problems(text)
    assert problem.endswith(
        "observability.tracing.otlp_endpoint: needs libraries that are not installed:"
        " pip install 'transcoder[tracing]'"
    )
