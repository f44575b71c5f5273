"""The house: imports run downwards only, and only the settings read the environment."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# From the bottom up. A module may import its own layer's modules and those below.
LAYERS = {
    1: (
        "chat.events",
        "chat.tools",
        "chat.transcript",
        "chat.errors",
        "chat.steps",
        "chat.text",
        "chat.policy",
        "chat.redaction",
        "chat.log_ids",
    ),
    2: ("chat.models",),
    3: ("chat.agent",),
    4: ("chat.providers", "chat.mcp"),
    5: ("chat.runs",),
    6: ("chat",),
}
# Values and ports, and nothing else, for those who must not know of storage.
FORBIDDEN = {
    1: ("django", "httpx", "mcp", "channels"),
    3: ("django", "httpx", "mcp", "channels", "chat.models"),
    4: ("django", "channels", "chat.models", "chat.agent.loop", "chat.agent.streaming"),
}
# Loads what takes much memory only where it is used.
ON_DEMAND = {"chat.runs.moves._connection_to"}
READS_ENVIRONMENT = {
    "chatsite/settings.py",
    "chatsite/bootstrap.py",
    "chatsite/asgi.py",
    "manage.py",
    # Hand the environment on to a child process; they decide nothing by it.
    "chat/management/commands/serve.py",
    "chat/mcp/demo/process.py",
}


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / "chat").rglob("*.py")):
        if "migrations" not in path.parts:
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            yield name.removesuffix(".__init__"), path


def imports(path: Path) -> Iterator[str]:
    """What a file imports, also inside of functions and for types only."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer_of(name: str) -> int:
    return next(
        number
        for number, roots in LAYERS.items()
        if any(name == root or name.startswith(f"{root}.") for root in roots)
    )


def test_imports_run_downwards_only() -> None:
    wrong = [
        f"{name} (layer {layer_of(name)}) imports {target} (layer {layer_of(target)})"
        for name, path in modules()
        for target in imports(path)
        if target.startswith("chat.") and layer_of(target) > layer_of(name)
    ]
    assert not wrong, "\n".join(wrong)


def test_inner_layers_do_not_know_the_outside() -> None:
    wrong = [
        f"{name} imports {target}"
        for name, path in modules()
        for target in imports(path)
        for forbidden in FORBIDDEN.get(layer_of(name), ())
        if target == forbidden or target.startswith(f"{forbidden}.")
        # chat.mcp and chat.providers are the rooms for exactly these.
        if not (layer_of(name) == 4 and forbidden in {"httpx", "mcp"})
    ]
    assert not wrong, "\n".join(wrong)


def test_only_the_settings_read_the_environment() -> None:
    files = [*ROOT.glob("*.py"), *(ROOT / "chat").rglob("*.py"), *(ROOT / "chatsite").rglob("*.py")]
    readers = {
        path.relative_to(ROOT).as_posix()
        for path in files
        if "os.environ" in path.read_text() or "getenv" in path.read_text()
    }
    assert readers <= READS_ENVIRONMENT


def test_imports_stand_at_the_top() -> None:
    wrong = {
        f"{name}.{node.name}"
        for name, path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and any(isinstance(inner, ast.Import | ast.ImportFrom) for inner in ast.walk(node))
    }
    assert wrong == ON_DEMAND
