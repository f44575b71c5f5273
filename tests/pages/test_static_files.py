"""What a page loads: little, compressed, kept for good, and joined without a mistake."""

import gzip
import re
import secrets
import socket
from pathlib import Path

import httpx
import pytest
from django.conf import settings

from chatsite.bundles import joined_css, joined_js
from tests.people import Person
from tests.servers.site import Site

MOST_OWN_BYTES = 60 * 1024
LOADED = re.compile(r'(?:href|src)="(/static/[^"]+)"')
# Other people's work, which has its own weight.
NOT_OURS = ("/static/vendor/", "/static/fonts/", "/static/icon")


def test_a_page_loads_few_files_that_browsers_keep(alice: Person) -> None:
    page = alice.http.get("/").text

    urls = LOADED.findall(page)
    assert len(urls) <= 5
    loaded = [alice.http.get(url) for url in urls]
    kept = {answer.headers["cache-control"] for answer in loaded}
    assert [set(value.split(", ")) for value in kept] == [
        {"public", "max-age=31536000", "immutable"}
    ]
    ours = [answer for answer in loaded if not answer.url.path.startswith(NOT_OURS)]
    assert {answer.headers["content-encoding"] for answer in ours} == {"gzip"}
    assert sum(len(gzip.compress(answer.content)) for answer in ours) <= MOST_OWN_BYTES


def test_what_has_no_name_of_its_own_is_asked_for_again(alice: Person) -> None:
    answer = httpx.get(f"{alice.site.url}/static/js/app.js")

    assert answer.headers["cache-control"] == "max-age=60, public"


def test_joined_modules_run_once_in_their_order() -> None:
    files = {
        "js/app.js": 'import "./a.js";\nimport * as b from "./b.js";\nb.two(1);\n',
        "js/a.js": 'import { one, two as zwei } from "./b.js";\nexport class A {}\n',
        "js/b.js": 'import X from "../vendor/x.mjs";\nexport const one = X;\n'
        "export function two() {}\n",
    }

    assert joined_js("js/app.js", files.__getitem__) == (
        'import X from "../vendor/x.mjs";\n'
        "const modules = {};\n"
        'modules["js/b.js"] = (() => {\n'
        "const one = X;\nfunction two() {}\nreturn { one, two };\n})();\n"
        'modules["js/a.js"] = (() => {\n'
        'const { one, two: zwei } = modules["js/b.js"];\nclass A {}\nreturn { A };\n})();\n'
        'modules["js/app.js"] = (() => {\n'
        'const b = modules["js/b.js"];\nb.two(1);\nreturn {  };\n})();\n'
    )


@pytest.mark.parametrize(
    "text", ['import a, { b } from "./b.js";\n', "export default 1;\n", 'export * from "./b.js";\n']
)
def test_what_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be joined"):
        joined_js("js/app.js", {"js/app.js": text}.__getitem__)
    with pytest.raises(ValueError, match="cannot be joined"):
        joined_css("css/a.css", {"css/a.css": '@import url("b.css") print;\n'}.__getitem__)


def test_what_came_after_the_start_is_found_and_nothing_outside(site: Site) -> None:
    """A socket of its own: clients of HTTP take the dots out before they send."""
    name = f"{secrets.token_hex(4)}.0123456789ab.txt"
    static = Path(settings.STATIC_ROOT)
    for folder, text in ((static, "new"), (static.parent, "not for you")):
        (folder / name).write_text(text)

    assert answer_to(site, f"/static/{name}").endswith("new")
    # Nor has a file any other name, under which it would be kept in memory once more.
    for again in ("./", "css/../", "/", "%2e/"):
        assert " 404 " in answer_to(site, f"/static/{again}{name}").splitlines()[0], again
    for dots in ("..", "%2e%2e", "css/../.."):
        told = answer_to(site, f"/static/{dots}/{name}")
        assert " 404 " in told.splitlines()[0], dots
        assert "not for you" not in told


def answer_to(site: Site, path: str) -> str:
    with socket.create_connection(("127.0.0.1", site.port), timeout=10) as connection:
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        with connection.makefile("rb") as answer:
            return answer.read().decode()
