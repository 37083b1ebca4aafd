"""The house: which room may use which, and no circle anywhere."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

import tkstudies

PACKAGE = Path(tkstudies.__file__).parent
BASE = {"jsonl", "records", "histogramrecord", "shardwise", "console", "errors", "settings"}
TABLES, HISTOGRAMS, MULTIVARIATE = "analysis.tables", "analysis.histograms", "analysis.multivariate"
ANALYSIS = {TABLES, HISTOGRAMS, MULTIVARIATE}
CLIENTS = {"services.registry", "services.dqm", "services"}

MAY_USE = {
    "errors": set(),
    "settings": {"errors"},
    "console": {"settings"},
    "records": {"errors"},
    "jsonl": {"records", "console", "errors", "settings"},
    "histogramrecord": {"jsonl", "records", "errors"},
    "texttable": {"jsonl", "records", "console"},
    "provenance": {"records"},
    "shardwise": {"jsonl", "console", "errors"},
    "shards": BASE | {"provenance"},
    "services.web": BASE,
    "services.registry": BASE | CLIENTS | {"services.web"},
    "services.dqm": BASE | CLIENTS | {"services.web"},
    "services": BASE | CLIENTS | {"services.web"},
    TABLES: BASE | {"provenance"},
    HISTOGRAMS: BASE | {"provenance"},
    MULTIVARIATE: BASE | {TABLES, HISTOGRAMS},
    "plots": BASE | ANALYSIS | {"provenance"},
    "report": BASE | ANALYSIS | {"plots", "texttable", "provenance"},
    "study": BASE | ANALYSIS | CLIENTS | {"services.web"},
    "frontdoor": set(),
    "words": set(),
    "topics": set(),
    "commands": BASE
    | ANALYSIS
    | CLIENTS
    | {"services.web", "shards", "plots", "study", "texttable", "report", "provenance", "frontdoor", "words", "topics"},
    "cli": BASE | {"frontdoor", "commands"},
    "__main__": {"", "cli", "frontdoor"},
    "": ANALYSIS | {"study", "jsonl"},  # tkstudies/__init__.py
}
"""Room -> the other rooms that it may use; every room may use itself, and the package's own version."""


def module_of(file: Path) -> str:
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(file): file for file in sorted(PACKAGE.rglob("*.py"))}


def room(module: str) -> str:
    """The innermost room with a rule that a module stands in."""
    while module not in MAY_USE:
        module = module.rpartition(".")[0]
    return module


@cache
def imports(module: str) -> set[str]:
    """Modules of the package that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import"
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            found.update(name if name.removeprefix("tkstudies.") in MODULES else node.module for name in names)
    ours = {name.removeprefix("tkstudies").removeprefix(".") for name in found if name.split(".")[0] == "tkstudies"}
    return {name for name in ours if name in MODULES} - {module}


def test_every_room_has_a_rule():
    assert {room(module) for module in MODULES} == set(MAY_USE)


@pytest.mark.parametrize("module", MODULES)
def test_arrows_go_one_way(module):
    own = room(module)
    for other in imports(module) - {""}:
        assert room(other) == own or room(other) in MAY_USE[own], f"{module} must not use {other}"


def test_there_is_no_import_circle():
    done, path = set(), []

    def visit(module):
        assert module not in path, f"a circle: {' -> '.join([*path, module])}"
        if module not in done:
            path.append(module)
            for other in sorted(imports(module) - {""}):
                visit(other)
            done.add(path.pop())

    for module in MODULES:
        visit(module)


def test_modules_have_one_idea():
    long = {module: len(file.read_text().splitlines()) for module, file in MODULES.items()}
    assert {module: lines for module, lines in long.items() if lines > 400} == {}


@pytest.mark.parametrize("name", tkstudies.__all__)
def test_the_python_face_is_documented(name):
    function = getattr(tkstudies, name)
    assert name in dir(tkstudies)
    assert function.__doc__ and "Example:" in function.__doc__
