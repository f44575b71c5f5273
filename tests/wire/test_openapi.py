"""The document of the API: it names what there is, all of it, and programs can load it."""

import json
import re
import uuid

import httpx
import pytest
from django.urls import URLPattern
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from chat import urls
from chat.events import Kind
from chat.openapi.document import document
from chat.openapi.events import DATA
from tests.document import check_event, check_response
from tests.people import Person
from tests.servers.site import Site
from tests.sse import ask, begin, read

# Beside /api/ and /chat: for other programs than browsers.
ALSO = {"/attachments/{id}/", "/healthz", "/readyz", "/metrics"}


def addresses() -> set[str]:
    """What the URLconf has, as the document spells it."""
    routes = (str(route.pattern) for route in urls.urlpatterns if isinstance(route, URLPattern))
    return {"/" + re.sub(r"<uuid:pk>", "{id}", route) for route in routes}


def test_the_urlconf_and_the_document_have_the_same_addresses() -> None:
    for_programs = {it for it in addresses() if it.startswith(("/api/", "/chat")) or it in ALSO}

    assert for_programs == document()["paths"].keys()
    assert DATA.keys() == set(Kind)


def test_each_address_takes_the_methods_that_the_document_names(alice: Person) -> None:
    for path, operations in document()["paths"].items():
        if path == "/metrics":  # Not here at all without its token.
            continue
        url = path.replace("{id}", str(uuid.uuid4()))
        refused = alice.api.request("PUT", url)
        assert refused.status_code == 405, path
        allowed = {name.strip().lower() for name in refused.headers["Allow"].split(",")}
        assert allowed - {"head"} == operations.keys(), path
        for method in operations:
            assert alice.api.request(method, url).status_code != 405, (method, path)


def test_anybody_can_load_it_and_every_reference_leads_somewhere(site: Site) -> None:
    response = httpx.get(f"{site.url}/api/openapi.json")

    found = response.json()
    assert (response.status_code, found) == (200, json.loads(json.dumps(document())))
    named = set(re.findall(r'"#/components/schemas/(\w+)"', response.text))
    assert named == found["components"]["schemas"].keys()
    for schema in found["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    names = [it["operationId"] for path in found["paths"].values() for it in path.values()]
    assert len(names) == len(set(names))


def test_there_is_a_page_of_it_for_everybody(site: Site) -> None:
    english = httpx.get(f"{site.url}/api/docs")
    german = httpx.get(f"{site.url}/api/docs", headers={"Accept-Language": "de"})

    assert (english.status_code, german.headers["content-language"]) == (200, "de")
    assert "default-src 'self'" in english.headers["content-security-policy"]
    for path, operations in document()["paths"].items():
        for operation in operations.values():
            assert f"<code>{path}</code>" in english.text
            assert f'id="{operation["operationId"]}"' in english.text
    # Nothing of the page is from elsewhere, and each of its links to itself leads somewhere.
    assert not re.findall(r"<script|//[a-z]", english.text)
    anchors = set(re.findall(r'href="#([^"]+)"', english.text))
    assert anchors <= set(re.findall(r' id="([^"]+)"', english.text))
    assert ">Antworten<" in german.text


def test_what_is_answered_is_what_the_document_says(alice: Person) -> None:
    """Each answer goes through tests/document.py; here are those that few other tests get."""
    seen = ask(alice.api, "[[reason Hm]][[text Look]][[call picture]][[then]][[text A ship]]")
    files = next(frame for frame in seen if frame.event == "tool_result").data["attachments"]
    assert alice.api.get(files[0]["url"]).status_code == 200
    (one,) = alice.api.get("/api/conversations/").json()["conversations"]
    own = f"/api/conversations/{one['id']}/"
    exported = alice.api.get(f"{own}export/").content
    statuses = [
        alice.api.post("/chat", json={"message": "[[status 500]]"}).status_code,
        alice.api.get(f"{own}export/?format=markdown").status_code,
        alice.api.post("/api/conversations/imports/", content=exported).status_code,
        alice.api.patch(own, json={"is_pinned": True}).status_code,
        alice.api.patch(own, json={"name": "x"}).status_code,
        alice.api.get("/api/search/?q=ship").status_code,
        alice.api.get(own).status_code,
        alice.api.delete(own).status_code,
        alice.api.post(f"{own}restorations/").status_code,
    ]
    assert statuses == [502, 200, 201, 200, 400, 200, 200, 200, 200]
    run_id = begin(alice.api, "[[text ok]]")["run_id"]
    read(alice.api, run_id)
    for name in ("", "replay/", "events/?after=99", "events/?after=2"):
        assert alice.api.get(f"/api/runs/{run_id}/{name}").status_code in {200, 204, 400}


def test_the_proof_itself_notices_what_is_not_said(alice: Person) -> None:
    with pytest.raises(AssertionError, match="surprise"):
        check_event("content", {"content": "text", "surprise": 1})
    request = httpx.Request("GET", f"{alice.site.url}/api/conversations/")
    for wrong in (
        httpx.Response(418, json={}, request=request),
        httpx.Response(200, text="{}", request=request),
        httpx.Response(200, json={"conversations": []}, request=request),
    ):
        with pytest.raises(AssertionError):
            check_response(wrong)
