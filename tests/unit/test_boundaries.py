"""What holds for every file of the gateway, and what its pure packages may know."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGE: Final = ROOT / "gateway"
FILES: Final = sorted(PACKAGE.rglob("*.py"))
PURE: Final = sorted([*(PACKAGE / "protocol").rglob("*.py"), *(PACKAGE / "admission").rglob("*.py")])

KNOWN_TO_PURE: Final[frozenset[str]] = frozenset(
    {
        *(
            "base64",
            "binascii",
            "collections",
            "datetime",
            "decimal",
            "difflib",
            "enum",
            "functools",
            "hashlib",
            "hmac",
            "itertools",
        ),
        *("ipaddress", "json", "math", "re", "typing", "unicodedata", "urllib.parse"),
        *("msgspec", "orjson"),
        *("gateway.admission", "gateway.protocol"),
    }
)
# One file each may know one library more: the one whose work it wraps.
KNOWN_TO_ONE: Final = {
    "protocol/sealing.py": "cryptography",
    "admission/json_schema_validator.py": "jsonschema_rs",
    "admission/host_names.py": "idna",
    "admission/caller_address.py": "ipaddress",
    "admission/sql_statements.py": "sqlglot",
}
EFFECTS: Final = frozenset({"open", "print", "input", "breakpoint", "exec", "eval", "__import__"})
CLOCKS: Final = frozenset({"now", "utcnow", "today"})

LONGEST_FILE: Final = 300
LONGEST_FUNCTION: Final = 40
FORBIDDEN: Final = re.compile(r"(?:^|_)(?:manager|helper|util|handler)s?(?:_|$)|^_*(?:process|get)_")
# Names that another library's interface fixes.
NOT_OURS: Final = frozenset({"get_command", "get_buffer"})  # click.Group, asyncio.BufferedProtocol

Function = ast.FunctionDef | ast.AsyncFunctionDef


def named(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield f"{'.' * node.level}{node.module or ''}"


def strangers(source: str, known: frozenset[str]) -> list[str]:
    """The modules that a source imports and that are not below a known one."""
    return [
        name
        for name in imported(ast.parse(source))
        if not any(name == allowed or name.startswith(f"{allowed}.") for allowed in known)
    ]


def effects(source: str) -> list[str]:
    """What a pure source must not hold: coroutines, calls with effects, state of the module."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith() | ast.Global():
                found.append(f"{type(node).__name__} in line {node.lineno}")
            case ast.Call(func=ast.Name(id=name)) if name in EFFECTS:
                found.append(f"{name}() in line {node.lineno}")
            case ast.Attribute(attr=name) if name in CLOCKS:
                found.append(f".{name} in line {node.lineno}")
            case _:
                pass
    return found


def long_functions(source: str) -> list[str]:
    return [
        f"{node.name} has {lines} lines"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, Function) and (lines := (node.end_lineno or 0) - node.lineno + 1) > LONGEST_FUNCTION
    ]


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def forbidden_names(path: Path, source: str) -> list[str]:
    defined = [node.name for node in ast.walk(ast.parse(source)) if isinstance(node, Function | ast.ClassDef)]
    return [name for name in (path.stem, *defined) if FORBIDDEN.search(snake(name)) and name not in NOT_OURS]


@pytest.mark.parametrize("path", PURE, ids=named)
def test_the_core_knows_no_clock_no_randomness_no_files_and_no_network(path: Path) -> None:
    more = KNOWN_TO_ONE.get(named(path))
    known = KNOWN_TO_PURE | {more} if more else KNOWN_TO_PURE
    assert strangers(path.read_text(), known) == []
    assert effects(path.read_text()) == []


def test_both_pure_packages_were_looked_at() -> None:
    assert {path.relative_to(PACKAGE).parts[0] for path in PURE} == {"protocol", "admission"}


@pytest.mark.parametrize(
    "line", ["import time", "from os import path", "import msgspecial", "from . import x", "import gateway.app"]
)
def test_a_stranger_in_the_core_is_seen(line: str) -> None:
    assert strangers(f"def f():\n    {line}\n", KNOWN_TO_PURE)


@pytest.mark.parametrize(
    "line", ["import msgspec.json", "from typing import Any", "from gateway.protocol.sse import X"]
)
def test_a_known_module_in_the_core_is_no_stranger(line: str) -> None:
    assert strangers(line, KNOWN_TO_PURE) == []


@pytest.mark.parametrize(
    "line", ["async def f(): ...", "print(1)", "open('x')", "def f():\n    global x\n    x = 1", "datetime.now(UTC)"]
)
def test_an_effect_in_the_core_is_seen(line: str) -> None:
    assert effects(line)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_files_and_functions_fit_on_a_screen_or_few(path: Path) -> None:
    source = path.read_text()
    assert len(source.splitlines()) <= LONGEST_FILE
    assert long_functions(source) == []


def test_a_long_function_is_seen() -> None:
    assert long_functions("def f():\n" + "    x = 1\n" * LONGEST_FUNCTION) == ["f has 41 lines"]


@pytest.mark.parametrize("path", FILES, ids=named)
def test_names_say_what_a_thing_is(path: Path) -> None:
    assert forbidden_names(path, path.read_text()) == []


@pytest.mark.parametrize(
    "name", ["get_x", "_process_x", "XManager", "RequestHandler", "Helpers", "text_utils", "handler"]
)
def test_an_empty_name_is_seen(name: str) -> None:
    assert forbidden_names(Path("x.py"), f"class {name}: ...")
    assert forbidden_names(Path(f"{name}.py"), "")


@pytest.mark.parametrize("name", ["budget_left", "process", "Target", "utility", "widget"])
def test_a_name_that_only_sounds_like_one_is_not(name: str) -> None:
    assert forbidden_names(Path(f"{name}.py"), f"def {name}(): ...") == []


def test_the_layers_of_the_design_hold() -> None:
    lint = Path(sys.executable).parent / "lint-imports"
    ended = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout


def public_classes(source: str) -> list[str]:
    """Return the names of the public classes that a module defines at its top level."""
    found = (node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
    return [name for name in found if not name.startswith("_")]


def repeated(names: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return each class name that several modules define, with the modules."""
    modules: dict[str, list[str]] = {}
    for module, classes in names.items():
        for name in classes:
            modules.setdefault(name, []).append(module)
    return {name: where for name, where in modules.items() if len(where) > 1}


def test_each_public_class_name_is_unique_in_the_gateway() -> None:
    assert repeated({named(path): public_classes(path.read_text()) for path in FILES}) == {}


def test_a_class_name_that_two_modules_define_is_found() -> None:
    assert public_classes("class A: ...\nclass _B: ...\ndef f():\n    class C: ...") == ["A"]
    assert repeated({"a.py": ["A"], "b.py": ["A", "B"]}) == {"A": ["a.py", "b.py"]}
