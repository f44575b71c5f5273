"""Who may see what: every route of the URLconf × everybody. A new route without a row fails."""

import uuid

import httpx
import pytest
from django.contrib import admin
from django.urls import URLPattern, URLResolver, resolve, reverse
from django.utils import timezone

from chat import urls
from chat.models import ApiToken, Approval, InputRequest, ToolRun
from chatsite import urls as all_urls
from tests.people import Person
from tests.servers.site import Site
from tests.sse import begin, read

# What each route is about: an object of somebody, a person's own things, or nobody's.
OBJECT_ROUTES = {
    "conversation": "conversation_id",
    "create_message": "conversation_id",
    "choose_version": "conversation_id",
    "options": "conversation_id",
    "change": "conversation_id",
    "delete": "conversation_id",
    "restore": "conversation_id",
    "run": "run_id",
    "attachment": "attachment_id",
    "input": "input_id",
    "answer_input": "input_id",
    "api_answers": "input_id",
    "approval": "tool_run_id",
    "decide": "tool_run_id",
    "withdraw": "tool_run_id",
    "api_approvals": "tool_run_id",
    "cancel_run": "run_id",
    "api_conversation": "conversation_id",
    "api_messages": "conversation_id",
    "api_restorations": "conversation_id",
    "api_export": "conversation_id",
    "api_run": "run_id",
    "api_run_events": "run_id",
    "api_replay": "run_id",
    "api_cancellations": "run_id",
}
# Staff who may read the tool log may read these too.
LOG_ROUTES = {"attachment"}
OWN_ROUTES = {
    "new_chat",
    "create_conversation",
    "sidebar",
    "archive",
    "import_file",
    "search",
    "search_hits",
    "chat",
    "chat_stream",
    "api_conversations",
    "api_search",
    "api_imports",
    "oauth_callback",
    "account",
    "set_preferences",
    "set_language",
    "change_address",
    "change_password",
    "create_token",
    "end_other_sessions",
    "download_data",
    "delete_account",
}
# About a server that many may use, and this person's authorisation there: tests/mcp/oauth.
SERVER_ROUTES = {"authorisation", "request_authorisation", "revoke_authorisation"}
# About a token, which a browser alone may do.
TOKEN_ROUTES = {"token": "GET", "revoke_token": "POST"}
# About a session of theirs, which nobody else can name: tests/pages/test_account.py.
SESSION_ROUTES = {"end_session"}
# About a link that a mail brought to one person: tests/security/test_mailed_links.py.
ADDRESS_ROUTES = {"new_address", "confirm_address"}
OPEN_ROUTES = {"healthz", "readyz", "theme", "openapi", "api_docs"}
# For Prometheus, which has a token of its own: tests/wire/test_metrics.py.
MACHINE_ROUTES = {"metrics"}
VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


# All that there is. Pages beside the admin's own: tests/security/admin_addresses.py.
ROOTS = (
    *(("admin/", "admin"), ("accounts/login/", "login"), ("accounts/logout/", "logout")),
    *(("accounts/", "chat.accounts.urls"), ("", "chat.urls")),
)


def test_every_route_has_its_row() -> None:
    ours = OWN_ROUTES | SERVER_ROUTES | SESSION_ROUTES | OPEN_ROUTES | MACHINE_ROUTES
    rows = [*ours, *ADDRESS_ROUTES, *OBJECT_ROUTES, *TOKEN_ROUTES]
    assert sorted(str(route.name) for route in urls.urlpatterns) == sorted(rows)


def test_no_route_is_beside_those_that_have_rows() -> None:
    roots = [(str(root.pattern), inside(root)) for root in all_urls.urlpatterns]
    is_page = [place.startswith("admin/") and place != "admin/" for place, _ in roots]
    rest = [root for root, is_admins in zip(roots, is_page, strict=True) if not is_admins]
    assert tuple(rest) == ROOTS


def inside(root: URLPattern | URLResolver) -> str:
    if isinstance(root, URLPattern):
        return str(root.name)
    return root.app_name or str(root.urlconf_name.__name__)


def ids_of(alice: Person) -> dict[str, str]:
    """Of one of each: what routes are about."""
    started = begin(alice.api, "[[call picture]][[then]][[text A secret of Alice]]")
    seen = read(alice.api, started["run_id"])
    (attachment,) = next(frame for frame in seen if frame.event == "tool_result").data[
        "attachments"
    ]
    question = InputRequest.objects.create(
        run_id=started["run_id"], message="A secret of Alice?", expires_at=timezone.now()
    )
    attachment_id = resolve(attachment["url"]).kwargs["pk"]
    tool_run = ToolRun.objects.get(run=started["run_id"])
    Approval.objects.create(tool_run=tool_run, expires_at=timezone.now())
    found = {"input_id": str(question.pk), "tool_run_id": str(tool_run.pk)}
    return started | found | {"attachment_id": attachment_id}


@pytest.mark.parametrize("name", sorted(OBJECT_ROUTES))
def test_what_is_somebody_elses_is_404(
    name: str, alice: Person, bob: Person, carol: Person
) -> None:
    url = reverse(name, kwargs={"pk": ids_of(alice)[OBJECT_ROUTES[name]]})
    unknown = reverse(name, kwargs={"pk": uuid.uuid4()})

    for person in (bob,) if name in LOG_ROUTES else (bob, carol):
        for verb in VERBS:
            body = {"message": "let me in"} if verb == "POST" else None
            theirs = person.api.request(verb, url, json=body)
            nobodys = person.api.request(verb, unknown, json=body)
            assert theirs.status_code in {404, 405}, (person.username, verb, theirs.status_code)
            # No difference between what is not there and what is not yours.
            assert theirs.status_code == nobodys.status_code
            assert "secret" not in theirs.text
        assert person.http.get(url).status_code in {404, 405}


def test_an_id_in_the_body_is_looked_up_through_its_owner(alice: Person, bob: Person) -> None:
    started = begin(alice.api, "[[text hi]]")
    read(alice.api, started["run_id"])

    for url in ("/chat", "/chat/stream", "/api/conversations/"):
        body = {"message": "let me in", "conversation_id": started["conversation_id"]}
        assert bob.api.post(url, json=body).status_code == 404


@pytest.mark.parametrize("name", sorted(TOKEN_ROUTES))
def test_the_tokens_of_others_are_404(name: str, alice: Person, bob: Person, carol: Person) -> None:
    hers = ApiToken.objects.get(owner=alice.user)
    for person in (bob, carol):
        person.http.get("/")
        person.http.headers["X-CSRFToken"] = person.http.cookies["csrftoken"]
        answers = [
            person.http.request(TOKEN_ROUTES[name], reverse(name, kwargs={"pk": pk}))
            for pk in (hers.pk, 999_999_999)
        ]
        assert [answer.status_code for answer in answers] == [404, 404]
    # Nor for a program of her own.
    url = reverse(name, kwargs={"pk": hers.pk})
    assert alice.api.request(TOKEN_ROUTES[name], url).status_code == 404
    assert alice.api.get("/api/conversations/").status_code == 200


# What each needs in its address. None of it is there.
ANYTHING: dict[str, dict[str, object]] = {
    **{name: {"pk": uuid.uuid4()} for name in OBJECT_ROUTES},
    **{name: {"pk": 1} for name in TOKEN_ROUTES},
    **{name: {"slug": "tools"} for name in SERVER_ROUTES},
    **{name: {"name": "x"} for name in SESSION_ROUTES},
    **{name: {"text": "x"} for name in ADDRESS_ROUTES},
    **{name: {} for name in OWN_ROUTES},
}


@pytest.mark.parametrize("name", sorted(ANYTHING))
def test_without_credentials_programs_get_401_and_people_the_sign_in_page(
    name: str, site: Site
) -> None:
    # With a token of its own, so that forms are not refused before anybody asks who sends them.
    form = {"cookies": {"csrftoken": "x" * 32}, "headers": {"X-CSRFToken": "x" * 32}}
    url = reverse(name, kwargs=ANYTHING[name])
    with httpx.Client(base_url=site.url, **form) as stranger:
        for verb in VERBS:
            body = {"message": "hi"} if verb == "POST" else None
            answer = stranger.request(verb, url, json=body)
            if name.startswith(("api_", "chat")):
                assert answer.status_code == 401, (verb, answer.status_code)
                assert verb == "HEAD" or answer.json()["code"] == "UNAUTHENTICATED"
            else:
                # There are no other verbs, for anybody.
                assert answer.status_code in {302, 405}, (verb, answer.status_code)
                away = answer.headers.get("location", "/accounts/login/")
                assert away.startswith("/accounts/login/")


def test_admin_pages_are_for_staff(alice: Person, carol: Person) -> None:
    models = [model._meta for model in admin.site._registry if model._meta.app_label == "chat"]
    assert len(models) >= 5
    for meta in models:
        url = reverse(f"admin:chat_{meta.model_name}_changelist")
        assert alice.http.get(url).status_code == 302, url
        assert carol.http.get(url).status_code == 200, url
