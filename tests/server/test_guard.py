"""Who may talk to the admin port."""

from __future__ import annotations

import pytest

from tests.server.admin_port import CHANGING, READING, TOKEN, Admin, check_refusal
from transcoder.config.model import AdminConfig
from transcoder.errors import PERMISSION_DENIED, TranscodeError
from transcoder.server.guard import check_neighbour


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        f"Bearer x {TOKEN}",
        f"Bearer {TOKEN}x",
        f"Basic {TOKEN}",
        TOKEN,
        f"Bearer {TOKEN[:-1]}",
        "Bearer é",
    ],
)
async def test_without_the_token_nothing_is_answered(admin: Admin, authorization: str | None) -> None:
    admin.worker.set_admin(token=TOKEN)
    headers = {} if authorization is None else {"authorization": authorization.encode()}
    for path in (*READING, "/nope"):
        response = await admin.client.get(path, headers=headers)
        error = check_refusal(response, 401, "UNAUTHENTICATED")
        assert error["message"] == "missing or wrong token"
        assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", CHANGING)
async def test_without_the_token_nothing_is_changed(admin: Admin, path: str) -> None:
    admin.worker.set_admin(token=TOKEN)
    check_refusal(await admin.client.post(path), 401, "UNAUTHENTICATED")
    assert admin.worker.asked == []


async def test_two_authorizations_are_none(admin: Admin) -> None:
    admin.worker.set_admin(token=TOKEN)
    headers = [("authorization", f"Bearer {TOKEN}"), ("authorization", "Bearer x")]
    check_refusal(await admin.client.get("/services", headers=headers), 401, "UNAUTHENTICATED")


async def test_token_is_that_of_the_configuration_in_effect(admin: Admin) -> None:
    headers = {"authorization": f"bearer {TOKEN}"}
    admin.worker.set_admin(token=TOKEN)
    assert (await admin.client.get("/services", headers=headers)).status_code == 200
    admin.worker.set_admin(token="another")
    check_refusal(await admin.client.get("/services", headers=headers), 401, "UNAUTHENTICATED")
    admin.worker.set_admin()
    assert (await admin.client.get("/services")).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:9901", "localhost.evil.example", "", "[::1"])
async def test_name_that_was_rebound_is_refused(admin: Admin, host: str) -> None:
    response = await admin.client.get("/config", headers={"host": host.encode()})
    check_refusal(response, 403, "PERMISSION_DENIED")


async def test_what_is_no_name_is_refused(admin: Admin) -> None:
    response = await admin.client.get("/config", headers={"host": "é".encode()})
    check_refusal(response, 400, "INVALID_ARGUMENT")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:9901", "[::1]:9901", "10.0.0.1"])
async def test_own_names_are_answered(admin: Admin, host: str) -> None:
    assert (await admin.client.get("/config", headers={"host": host})).status_code == 200


async def test_with_a_token_any_name_is_answered(admin: Admin) -> None:
    admin.worker.set_admin(host="0.0.0.0", token=TOKEN)
    headers = {"host": "gateway.internal", "authorization": f"Bearer {TOKEN}"}
    assert (await admin.client.get("/config", headers=headers)).status_code == 200


@pytest.mark.parametrize("path", CHANGING)
@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost", "http://127.0.0.1:1", "http://[x"]
)
async def test_pages_of_other_sites_change_nothing(admin: Admin, path: str, origin: str) -> None:
    check_refusal(await admin.client.post(path, headers={"origin": origin}), 403, "PERMISSION_DENIED")
    assert admin.worker.asked == []


async def test_own_page_may_change(admin: Admin) -> None:
    origin = str(admin.client.base_url).rstrip("/")
    assert (await admin.client.post("/reload", headers={"origin": origin})).status_code == 200


async def test_pages_of_other_sites_are_not_kept_from_reading(admin: Admin) -> None:
    """They cannot see the answer: it has no CORS headers."""
    response = await admin.client.get("/config", headers={"origin": "http://evil.example"})
    assert response.status_code == 200
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize("peer", ["10.0.0.1", "::ffff:10.0.0.1", "", "unknown"])
def test_without_a_token_no_other_machine_is_answered(peer: str) -> None:
    with pytest.raises(TranscodeError, match="only this machine") as caught:
        check_neighbour(peer, ["localhost"], AdminConfig())
    assert caught.value.kind is PERMISSION_DENIED


@pytest.mark.parametrize(
    ("own", "host"), [("localhost", "localhost"), ("[::1]", "[::1]:9901"), ("127.0.0.2", "127.0.0.2")]
)
def test_own_host_is_answered_without_a_token(own: str, host: str) -> None:
    check_neighbour("127.0.0.1", [host], AdminConfig(host=own))


@pytest.mark.parametrize("hosts", [[], ["localhost", "localhost"], ["localhost", "evil.example"]])
def test_requests_without_one_host_are_refused(hosts: list[str]) -> None:
    with pytest.raises(TranscodeError, match="the Host must be"):
        check_neighbour("::1", hosts, AdminConfig())
