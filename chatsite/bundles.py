"""Many small files as one: what a browser would load by one import after the other. Pure.

No build: the sources are served as they are while one develops (DEBUG), and joined by
`collectstatic`. Whatever is not written in the few forms that are known here is refused.
"""

import re
from collections.abc import Callable
from posixpath import dirname, join, normpath

# The text of a static file by its name, as in "js/app.js".
Read = Callable[[str], str]

CSS_IMPORT = re.compile(r'^@import "([^"]+)";\n', re.MULTILINE)
JS_IMPORT = re.compile(
    r'^import (?:(?P<names>\{[^}]*\}|\* as \w+|\w+) from )?"(?P<path>[^"]+)";\n', re.MULTILINE
)
JS_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (\w+))", re.MULTILINE)
NOT_UNDERSTOOD = re.compile(r"^(?:@import|import|export)\b.*", re.MULTILINE)


def joined_css(name: str, read: Read) -> str:
    """A style sheet with its imports, which are beside it, in their place."""
    text = CSS_IMPORT.sub(lambda found: read(join(dirname(name), found[1])), read(name))
    return _understood(name, text)


def joined_js(name: str, read: Read) -> str:
    """A module with all that it imports from its folder, each a function that runs once.

    They run in the order in which a browser would run them. What is imported from elsewhere
    stays an import.
    """
    return JavaScript(read).join(name)


class JavaScript:
    def __init__(self, read: Read) -> None:
        self._read = read
        self._outside: dict[str, None] = {}
        self._parts: dict[str, str] = {}

    def join(self, name: str) -> str:
        self._add(name)
        return "".join(self._outside) + "const modules = {};\n" + "".join(self._parts.values())

    def _add(self, name: str) -> None:
        if name in self._parts:
            return
        self._parts[name] = ""
        text, folder = self._read(name), dirname(name)
        # What it imports runs before it, so that is added first.
        body = JS_IMPORT.sub(lambda found: self._import(found, folder), text)
        exported = ", ".join(JS_EXPORT.findall(body))
        body = _understood(name, JS_EXPORT.sub("", body))
        del self._parts[name]
        body += f"return {{ {exported} }};\n"
        self._parts[name] = f'modules["{name}"] = (() => {{\n{body}}})();\n'

    def _import(self, found: re.Match[str], folder: str) -> str:
        target, names = normpath(join(folder, found["path"])), found["names"]
        if dirname(target) != folder:
            self._outside[found[0]] = None
            return ""
        self._add(target)
        if not names:
            return ""
        bound = names.removeprefix("* as ").replace(" as ", ": ")
        return f'const {bound} = modules["{target}"];\n'


def _understood(name: str, text: str) -> str:
    if found := NOT_UNDERSTOOD.search(text):
        raise ValueError(f"{name} cannot be joined with others: {found[0]}")
    return text
