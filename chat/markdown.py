"""The model's markdown as HTML that is safe to show. Knows no Django and no database.

Three locks: no raw HTML in the grammar, a second cleaning of what came out, and the site's
Content-Security-Policy. The grammar is that of static/js/markdown.js, token for token: what
streams into the page must not change when the answer is over. Change both or none.
"""

import re
from collections.abc import MutableMapping, Sequence
from functools import lru_cache
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml, unescapeAll
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

from chat.highlight import Colours

LINK_ATTRIBUTES = {"target": "_blank", "rel": "noopener noreferrer"}

_allowed_link = re.compile(r"(https?|mailto):", re.IGNORECASE)
_language_name = re.compile(r"[\w+#.-]{1,30}", re.ASCII)
_class_names = re.compile(r"(code|code-head|tbl|align-\w+|language-[\w+#.-]+|[a-z][a-z0-9]{0,2})")

_TAGS = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "hr", "br"}
_TAGS |= {"em", "strong", "s", "a", "pre", "code", "span", "div", "copy-code"}
_TAGS |= {"table", "thead", "tbody", "tr", "th", "td"}
_BOX = {"class", "tabindex", "role", "aria-label"}
_ATTRIBUTES = {
    "a": {"href", "title", *LINK_ATTRIBUTES},
    "ol": {"start"},
    "div": _BOX,
    "pre": _BOX,
    "code": {"class"},
    "span": {"class"},
    "th": {"class"},
    "td": {"class"},
}


@lru_cache(maxsize=512)
def render(text: str, *, highlight: bool = True, words: tuple[str, str] = ("Code", "Table")) -> str:
    """HTML without scripts, handlers, images, ids and styles, whatever `text` says.

    `highlight` colours code whose language is named, and changes no text. `words`: what boxes of
    code and tables are called for those who cannot see them.
    """
    html = _markdown.render(text, {"colours": Colours() if highlight else None, "words": words})
    return nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_checked_attribute,
        url_schemes={"http", "https", "mailto"},
        link_rel=None,
    )


def _checked_attribute(tag: str, name: str, value: str) -> str | None:
    return value if name != "class" or _class_names.fullmatch(value) else None


def _image(
    self: RendererHTML,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,
    env: MutableMapping[str, Any],
) -> str:
    """A link instead: fetching a picture would tell its server who reads what, and when."""
    token = tokens[index]
    source = str(token.attrGet("src"))
    label = self.renderInlineAsText(token.children or [], options, env) or source
    if _is_inside_link(tokens, index):
        return escapeHtml(label)
    attributes = "".join(f' {name}="{value}"' for name, value in LINK_ATTRIBUTES.items())
    return f'<a href="{escapeHtml(source)}"{attributes}>{escapeHtml(label)}</a>'


def _is_inside_link(tokens: Sequence[Token], index: int) -> bool:
    return sum(token.nesting for token in tokens[:index] if token.tag == "a") > 0


def _link_open(
    self: RendererHTML,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,
    env: MutableMapping[str, Any],
) -> str:
    for name, value in LINK_ATTRIBUTES.items():
        tokens[index].attrSet(name, value)
    return self.renderToken(tokens, index, options, env)


def _code(
    self: RendererHTML,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,
    env: MutableMapping[str, Any],
) -> str:
    token = tokens[index]
    language = (unescapeAll(token.info).split() or [""])[0]
    language = language if _language_name.fullmatch(language) else ""
    colours: Colours | None = env["colours"]
    coloured = colours.html(token.content, language) if colours else None
    named = f' class="language-{language}"' if language else ""
    label = f"{env['words'][0]} {language}"
    return (
        f'<div class="code"><div class="code-head"><span>{language}</span>'
        f'<copy-code></copy-code></div><pre tabindex="0" role="group" aria-label="{label}">'
        f"<code{named}>{coloured or escapeHtml(token.content)}</code></pre></div>\n"
    )


def _cell_open(
    self: RendererHTML,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,
    env: MutableMapping[str, Any],
) -> str:
    """The alignment as a class: the page allows no style attributes."""
    token = tokens[index]
    align = str(token.attrs.get("style", "")).removeprefix("text-align:")
    return f'<{token.tag} class="align-{align}">' if align else f"<{token.tag}>"


def _table_open(
    self: RendererHTML,
    tokens: Sequence[Token],
    index: int,
    options: OptionsDict,
    env: MutableMapping[str, Any],
) -> str:
    word = env["words"][1]
    return f'<div class="tbl" tabindex="0" role="group" aria-label="{word}"><table>\n'


def _build() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False, "xhtmlOut": False})
    markdown.enable(["table", "strikethrough"])
    markdown.validateLink = lambda url: bool(_allowed_link.match(url.strip()))  # type: ignore[method-assign]
    rules = {
        "image": _image,
        "link_open": _link_open,
        "fence": _code,
        "code_block": _code,
        "th_open": _cell_open,
        "td_open": _cell_open,
        "table_open": _table_open,
        "table_close": lambda *_: "</table></div>\n",
    }
    for name, rule in rules.items():
        markdown.add_render_rule(name, rule)
    return markdown


_markdown = _build()
