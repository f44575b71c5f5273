"""Whether a model answers: asked by who looks after servers, told in words, nobody waits."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from django.contrib.auth.models import Permission

from tests.people import Person
from tests.servers.model_server import ScriptedModelServer
from tests.servers.raw_server import HANG, RawServer, delta, refusal, stream
from tests.servers.site import Site, free_port
from tests.sse import wait_until

PAGE = "/admin/model-checks/"
FUNCTION = {"name": "add", "arguments": '{"a": 2, "b": 2}'}
CALLS = stream(
    delta(tool_calls=[{"index": 0, "id": "c1", "type": "function", "function": FUNCTION}]),
    delta("tool_calls"),
    {"choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 34}},
)


def check(person: Person, model_name: str, site: Site | None = None) -> httpx.Response:
    """Press the button of a model."""
    cookies = {"sessionid": person.session_cookie}
    base_url = (site or person.site).url
    with httpx.Client(base_url=base_url, cookies=cookies, timeout=30) as browser:
        token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', browser.get(PAGE).text)
        form = {"csrfmiddlewaretoken": token[1] if token else "", "model_name": model_name}
        return browser.post(PAGE, data=form)


def test_the_admin_leads_to_a_button_for_each_model(
    carol: Person, new_site: Callable[..., Site]
) -> None:
    site = new_site(LLM_MODELS="scripted,vendor/another")
    cookies = {"sessionid": carol.session_cookie}

    index = httpx.get(f"{site.url}/admin/", cookies=cookies).text
    page = httpx.get(site.url + PAGE, cookies=cookies).text

    assert f'<a href="{PAGE}">Check the models</a>' in index
    assert re.findall(r'name="model_name" value="([^"]+)"', page) == ["scripted", "vendor/another"]


def test_only_who_looks_after_servers_may_look_or_ask(
    alice: Person, model_server: ScriptedModelServer
) -> None:
    alice.http.get("/")
    form = {"csrfmiddlewaretoken": alice.http.cookies["csrftoken"], "model_name": "scripted"}
    asked = len(model_server.requests)
    with httpx.Client(base_url=alice.site.url) as anybody:
        answers = [anybody.get(PAGE), alice.http.get(PAGE), alice.http.post(PAGE, data=form)]
    type(alice.user).objects.filter(pk=alice.user.pk).update(is_staff=True)
    as_staff = [alice.http.get(PAGE), alice.http.post(PAGE, data=form)]

    locations = {answer.headers.get("Location") for answer in answers}
    assert locations == {f"/admin/login/?next={PAGE}"}
    assert [answer.status_code for answer in as_staff] == [403, 403]
    assert len(model_server.requests) == asked

    assert PAGE not in alice.http.get("/admin/").text
    alice.user.user_permissions.add(Permission.objects.get(codename="change_mcpserver"))
    assert alice.http.get(PAGE).status_code == 200
    assert PAGE in alice.http.get("/admin/").text


def test_a_check_without_its_token_asks_nobody(
    carol: Person, model_server: ScriptedModelServer
) -> None:
    asked = len(model_server.requests)

    answer = carol.http.post(PAGE, data={"model_name": "scripted"})

    assert answer.status_code == 403
    assert carol.http.get(f"{PAGE}?model_name=scripted").status_code == 200
    assert len(model_server.requests) == asked


def test_a_model_that_streams_text_is_described(carol: Person) -> None:
    page = check(carol, "scripted").text

    assert '<span class="state good">It answers</span>' in page
    assert "First sign of an answer after 0." in page
    assert re.search(r"It streams: \d+ pieces in", page)
    assert "It did not call the tool it was offered" in page
    assert "It does not report usage." in page


def test_a_model_that_calls_tools_and_counts_is_described(
    carol: Person, new_site: Callable[..., Site]
) -> None:
    with RawServer([CALLS]) as server:
        site = new_site(LLM_BASE_URL=server.base_url, LLM_MODELS="scripted,vendor/another")
        page = check(carol, "vendor/another", site).text

    assert "It calls tools." in page
    assert "It reports usage." in page
    assert [seen.body["model"] for seen in server.requests] == ["vendor/another"]


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (None, "refused the connection"),
        (refusal(401, message="no"), "refused our key"),
        (refusal(404, message="The model does not exist"), "does not know this model"),
    ],
)
def test_a_model_that_does_not_answer_says_why(
    carol: Person, new_site: Callable[..., Site], reply: bytes | None, sentence: str
) -> None:
    with RawServer([reply or HANG]) as server:
        port = server.port if reply else free_port()
        site = new_site(LLM_BASE_URL=f"http://127.0.0.1:{port}/v1")
        answer = check(carol, "scripted", site)

    assert answer.status_code == 200
    assert '<span class="state bad">It does not answer</span>' in answer.text
    assert sentence in answer.text


def test_a_model_that_is_not_on_offer_is_not_asked(
    carol: Person, model_server: ScriptedModelServer
) -> None:
    asked = len(model_server.requests)

    answer = check(carol, "somebody/elses")

    assert answer.status_code == 400
    assert "There is no model of that name here." in answer.text
    assert len(model_server.requests) == asked


def test_a_silent_model_is_given_up_and_nobody_waits_for_it(
    carol: Person, new_site: Callable[..., Site]
) -> None:
    with RawServer([HANG]) as server, ThreadPoolExecutor() as threads:
        site = new_site(LLM_BASE_URL=server.base_url, LLM_FIRST_TOKEN_TIMEOUT_SECONDS="2")
        checking = threads.submit(check, carol, "scripted", site)
        wait_until(lambda: server.requests)
        meanwhile = httpx.get(f"{site.url}/admin/", cookies={"sessionid": carol.session_cookie})
        is_still_waiting = not checking.done()
        page = checking.result(15).text

    assert meanwhile.status_code == 200
    assert is_still_waiting
    assert "It does not answer" in page
