"""What chat.markdown lets through, and what not, whatever a model writes."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

from chat import highlight
from chat.highlight import LANGUAGES, MAX_CHARACTERS, Colours
from chat.markdown import render

HOSTILE = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//x.example/x.js></sCrIpT>",
    "<img src=x onerror=alert(1)>",
    '<svg/onload=alert(1)><animate onbegin="alert(1)">',
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<a href='javascript:alert(1)' style='x' id='y'>z</a>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<copy-code onclick=alert(1)></copy-code>",
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt:alert(1))",
    "[a](\tjavascript:alert(1))",
    "[a](java\nscript:alert(1))",
    "[a](&#106;avascript:alert(1))",
    "[a](javascript&colon;alert(1))",
    "[a](data:text/html;base64,PHNjcmlwdD4=)",
    "[a](vbscript:x) [b](file:///etc/passwd) [c](/admin/logout/) [d](//x.example)",
    "<javascript:alert(1)>",
    "[a]: javascript:alert(1)\n\n[a]",
    "![x](https://x.example/leak.png)",
    "![x](data:image/svg+xml,<svg onload=alert(1)>)",
    '![x" onerror="alert(1)](https://x.example/x.png "t\\" onerror=alert(1)")',
    "[![x](https://x.example/i.png)](https://x.example/)",
    '[a](https://x.example/"onmouseover="alert(1))',
    "```html onmouseover=alert(1)\n<script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\nx\n```',
    "```python\n'<img src=x onerror=alert(1)>'\n```",
    "| a |\n|:-:|\n| <script>alert(1)</script> |",
    "`<script>`\n\n    <script>alert(1)</script>\n",
    "# <a id=x>\n\n- <form action=//x.example><button>x\n",
]
ALLOWED = {"href", "title", "target", "rel", "class", "tabindex", "role", "aria-label", "start"}


class Seen(HTMLParser):
    """The tags and attributes of a fragment."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: dict[str, list[str]] = {}
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("highlight", [True, False])
def test_hostile_text_gives_harmless_html(text: str, highlight: bool) -> None:
    seen = Seen(render(text, highlight=highlight))

    assert not seen.tags & {"script", "img", "svg", "iframe", "style", "form", "math", "details"}
    assert set(seen.attributes) <= ALLOWED
    for href in seen.attributes.get("href", []):
        assert href.startswith(("http://", "https://", "mailto:"))


def test_raw_html_is_shown_as_it_was_written() -> None:
    assert Seen(render("<b onclick=x>hi</b> & <img>")).text.strip() == "<b onclick=x>hi</b> & <img>"


def test_an_image_is_a_link_to_it() -> None:
    html = render("![A seal](https://x.example/seal.png)")

    assert Seen(html).attributes["href"] == ["https://x.example/seal.png"]
    assert Seen(html).text.strip() == "A seal"


def test_an_image_in_a_link_is_the_links_text() -> None:
    seen = Seen(render("[![A seal](https://x.example/i.png)](https://x.example/page)"))

    assert seen.attributes["href"] == ["https://x.example/page"]
    assert seen.text.strip() == "A seal"


def test_code_of_a_named_language_is_coloured_and_keeps_its_text() -> None:
    code = "\n\ndef f(x):\n    return x < 1 and 'a & b'\n\n"

    plain = Seen(render(f"```python\n{code}```", highlight=False))
    coloured = Seen(render(f"```python\n{code}```"))

    assert "k" in coloured.attributes["class"]
    assert "k" not in plain.attributes["class"]
    assert coloured.text == plain.text == f"python{code}\n"


def test_an_unknown_or_missing_language_is_never_guessed() -> None:
    for language in ("", "no-such-language"):
        html = render(f"```{language}\ndef f(): pass\n```")
        assert '<span class="k">' not in html


def test_every_known_language_has_its_colours() -> None:
    for language in LANGUAGES:
        assert Colours().html("x = 1", language) is not None, language


def test_a_long_piece_of_real_code_is_coloured() -> None:
    code = (Path(highlight.__file__).read_text() * 5)[:MAX_CHARACTERS]

    assert Colours().html(code, "python") is not None


@pytest.mark.parametrize(("language", "unit"), [("java", "a\n"), ("javascript", ".a")])
def test_code_made_to_be_slow_is_shown_without_colours(language: str, unit: str) -> None:
    """Each block would take seconds, for everybody who opens that page."""
    block = f"```{language}\n{unit * 9_000}\n```\n\n"

    html = render(block * 50)

    assert html.count("<pre") == 50
    assert "<span class=" not in html


def test_a_table_is_aligned_by_class() -> None:
    html = render("| a | b |\n|---|--:|\n| 1 | 2 |")

    assert '<td class="align-right">2</td>' in html
    assert "style" not in html
