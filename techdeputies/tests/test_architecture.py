"""Data goes one way: an app imports only from apps below it, a file only from rows above its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Each app and what it may import, from the ground up (the house style, §2). Neighbours never meet.
ALLOWED: dict[str, set[str]] = {
    "audit": set(),
    "settings_app": {"audit"},
    "emails": {"settings_app", "audit"},
    "accounts": {"emails", "settings_app", "audit"},
    "billing": {"accounts", "emails", "settings_app", "audit"},
}
for neighbour in ("courses", "booking", "support"):
    ALLOWED[neighbour] = {"billing", *ALLOWED["billing"]}
APPS = set(ALLOWED)

# Within an app: the rows of the house style's table; what it does not name stands beside services.
ROWS = [
    ["exceptions", "signals"],
    ["models"],
    ["gateway"],
    ["services", "*"],
    ["receivers"],
    ["webhooks"],
    ["tasks"],
    ["forms"],
    ["views"],
    ["urls", "machine_urls"],
    ["admin", "checks"],
    ["apps"],
]
RANK = {name: rank for rank, names in enumerate(ROWS) for name in names}
# Waking the worker is the outbox's job, so it alone may reach down to the tasks.
EXCEPTIONS = {("emails", "services/outbox.py", "emails.tasks")}


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """(imported module, inside a function?) of each import in the file."""
    tree = ast.parse(path.read_text())
    inner = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, id(node) in inner
        elif isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                yield f"{node.module}.{name.name}", id(node) in inner


def product_files(app: str) -> list[Path]:
    return [path for path in (ROOT / app).rglob("*.py") if "tests" not in path.parts and "migrations" not in path.parts]


def test_the_list_of_apps_is_complete() -> None:
    found = {path.parent.name for path in ROOT.glob("*/apps.py")} - {"techdeputies"}

    assert found == APPS


@pytest.mark.parametrize("app", sorted(APPS))
def test_app_imports_only_from_below(app: str) -> None:
    climbing = [
        f"{path.relative_to(ROOT)}: {module}"
        for path in product_files(app)
        for module, _ in imports(path)
        if (top := module.split(".")[0]) in APPS | {"techdeputies", "sandbox", "benchmarks"}
        and top not in ALLOWED[app] | {app}
        and not module.startswith("techdeputies.lib")
    ]

    assert climbing == []


def test_lib_knows_django_alone() -> None:
    climbing = [
        f"{path.name}: {module}"
        for path in (ROOT / "techdeputies" / "lib").glob("*.py")
        for module, _ in imports(path)
        if module.split(".")[0] in APPS
        or (module.startswith("techdeputies") and not module.startswith("techdeputies.lib"))
    ]

    assert climbing == []


def row_of(app: str, path: Path) -> int:
    first = path.relative_to(ROOT / app).parts[0].removesuffix(".py")
    return RANK.get(first, RANK["*"])


@pytest.mark.parametrize("app", sorted(APPS))
def test_file_imports_only_from_rows_above_its_own(app: str) -> None:
    climbing = []
    for path in product_files(app):
        relative = path.relative_to(ROOT / app).as_posix()
        for module, _ in imports(path):
            parts = module.split(".")
            if parts[0] != app or len(parts) < 2:
                continue
            target = ROOT / app / parts[1]
            if not (target.is_dir() or target.with_suffix(".py").exists()):
                continue
            if (
                RANK.get(parts[1], RANK["*"]) > row_of(app, path)
                and (app, relative, ".".join(parts[:2])) not in EXCEPTIONS
            ):
                climbing.append(f"{relative}: {module}")

    assert climbing == []


@pytest.mark.parametrize("app", sorted(APPS | {"techdeputies"}))
def test_nothing_is_imported_inside_a_function(app: str) -> None:
    # AppConfig.ready() is the one place where Django asks for a late import.
    hidden = [
        f"{path.relative_to(ROOT)}: {module}"
        for path in product_files(app)
        if path.name != "apps.py"
        for module, inside in imports(path)
        if inside
    ]

    assert hidden == []


def test_only_gateways_speak_to_vendors() -> None:
    vendors = ("stripe", "requests", "anymail", "urllib.request", "http.client")
    speaking = [
        f"{path.relative_to(ROOT)}: {module}"
        for app in sorted(APPS)
        for path in product_files(app)
        if "gateway" not in path.with_suffix("").parts
        for module, _ in imports(path)
        if module.startswith(vendors)
    ]

    assert speaking == []
