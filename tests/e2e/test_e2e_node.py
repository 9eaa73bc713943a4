"""A backend made with another implementation of gRPC, known by reflection only."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio

from tests.support.gateway import running_gateway
from tests.support.node import NodeBackend
from tests.support.ports import free_port
from tests.support.process import running

BOOK: Final = {
    "id": "b-1",
    "title": "The Origin",
    "genre": "SCIENCE",
    "authors": [{"name": "Ada", "penNames": ["A.", "Lovelace"]}],
    "edition": {"number": 2, "publishedAt": "2023-11-14T22:13:20.500Z"},
    "isbn": "9007199254740993",
    "copiesSold": "18446744073709551615",
    "stockByBranch": {"north": 3, "south": 0},
    "translators": {"de": {"name": "Béla"}},
    "cover": "AP8Q",
    "rating": 4.5,
    "subtitle": "",
    "shelfNumber": 0,
}


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def by_command(node_backend: NodeBackend) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """Clients of both ports of `serve --backend ADDRESS`."""
    port, admin_port = free_port(), free_port()
    ports = ("--port", str(port), "--admin-port", str(admin_port))
    command = (sys.executable, "-m", "transcoder", "serve", "--backend", node_backend.address, *ports)
    async with (
        running(*command) as process,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{admin_port}", trust_env=False) as admin,
    ):
        await process.wait_for_line('"event":"ready"')
        yield client, admin


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def by_config(
    node_backend: NodeBackend, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """Clients of both ports of a gateway whose file says `expose: [methods]`."""
    config = {"services": {"backend": {"address": node_backend.address, "expose": ["methods"]}}}
    async with running_gateway(config, tmp_path_factory.mktemp("node")) as gateway:
        yield gateway.client, gateway.admin


@pytest.fixture(params=["by_command", "by_config"])
def clients(request: pytest.FixtureRequest) -> tuple[httpx.AsyncClient, httpx.AsyncClient]:
    found: tuple[httpx.AsyncClient, httpx.AsyncClient] = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def client(clients: tuple[httpx.AsyncClient, httpx.AsyncClient]) -> httpx.AsyncClient:
    return clients[0]


@pytest.fixture
def admin(clients: tuple[httpx.AsyncClient, httpx.AsyncClient]) -> httpx.AsyncClient:
    return clients[1]


async def test_every_method_is_listed(admin: httpx.AsyncClient) -> None:
    answer = (await admin.get("/services/backend/methods")).json()
    assert {method["full_name"]: method["streaming"] for method in answer["methods"]} == {
        "library.v1.Library/GetBook": "unary",
        "library.v1.Library/CreateBook": "unary",
        "library.v1.Library/DeleteBook": "unary",
        "library.v1.Library/ListBooks": "server",
    }
    (get_book,) = [method for method in answer["methods"] if method["full_name"].endswith("GetBook")]
    assert (get_book["input"], get_book["output"]) == ("library.v1.GetBookRequest", "library.v1.Book")
    (binding,) = get_book["bindings"]
    assert (binding["http_method"], binding["path"]) == ("POST", "/library.v1.Library/GetBook")
    assert binding["served"] is True


async def test_backend_is_described(admin: httpx.AsyncClient) -> None:
    described = (await admin.get("/services/backend")).json()
    assert (described["reflection"], described["state"], described["last_error"]) == ("v1", "ready", None)
    shape = (await admin.get("/services/backend/types/library.v1.Book")).json()
    assert {field["name"] for field in shape["fields"]} >= {"isbn", "stock_by_branch", "shelf_name"}
    assert shape["example"]


async def test_answer_of_every_kind_of_field(client: httpx.AsyncClient) -> None:
    answer = await client.post("/library.v1.Library/GetBook", json={"id": "b-1"})
    assert (answer.status_code, answer.json()) == (200, BOOK)
    assert answer.headers["x-served-by"] == "node"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"genre": "FICTION", "shelfName": "east", "shelfNumber": None},
        {"isbn": "-9223372036854775808", "copiesSold": "1", "rating": "NaN"},
        {"cover": "", "stockByBranch": {}, "subtitle": None},
        {"cover": "AQID" * 20000, "stockByBranch": {str(n): n for n in range(2000)}},
        {"title": 'Ü\u2028 "quoted" \\ 😀\n'},
    ],
)
async def test_request_of_every_kind_of_field_comes_back(
    client: httpx.AsyncClient, changes: dict[str, Any]
) -> None:
    book = {key: value for key, value in (BOOK | changes).items() if value is not None}
    answer = await client.post("/library.v1.Library/CreateBook", json={"book": book, "validateOnly": True})
    assert answer.status_code == 200
    assert answer.json() == {
        key: value for key, value in book.items() if value not in ({}, "") or key == "subtitle"
    }


@pytest.mark.parametrize(
    ("method", "body", "status", "error", "reason"),
    [
        ("GetBook", {"id": "none"}, 404, {"code": "NOT_FOUND", "message": "no book none"}, None),
        (
            "CreateBook",
            {"book": {}},
            400,
            {"code": "INVALID_ARGUMENT", "message": "a book needs a title"},
            "NO_TITLE",
        ),
        (
            "DeleteBook",
            {"id": "b-1"},
            400,
            {"code": "FAILED_PRECONDITION", "message": "the book is on loan"},
            "ON_LOAN",
        ),
    ],
)
async def test_errors(
    client: httpx.AsyncClient,
    method: str,
    body: Any,
    status: int,
    *,
    error: dict[str, str],
    reason: str | None,
) -> None:
    answer = await client.post(f"/library.v1.Library/{method}", json=body)
    assert answer.status_code == status
    told = answer.json()["error"]
    assert {key: told[key] for key in error} == error
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "library"}
    assert told.get("details") == ([info] if reason else None)


async def test_reflection_itself_is_not_exposed(client: httpx.AsyncClient) -> None:
    for version in ("v1", "v1alpha"):
        path = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
        assert (await client.post(path, json={})).status_code == 404
