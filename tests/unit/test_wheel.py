"""The wheel: the command works and finds its stock library without the checkout."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory, checkout: Path) -> Path:
    """The programs of an environment that holds the wheel and sees our dependencies, but not the checkout."""
    directory = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    built = [*pip, "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(directory), str(checkout)]
    subprocess.run(built, check=True, cwd=directory)
    (wheel,) = directory.glob("*.whl")
    environment = directory / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / "bin" / "python"
    installed = [*pip, "--python", str(python), "install", "-q", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(installed, check=True, cwd=directory)
    (site,) = environment.glob("lib/*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment / "bin"


def said(command: list[str], directory: Path) -> str:
    return subprocess.run(command, cwd=directory, env={}, capture_output=True, text=True, check=True).stdout


def test_the_command_works_outside_the_checkout(programs: Path, tmp_path: Path) -> None:
    text = said([str(programs / "mcp-admission"), "--help"], tmp_path)
    assert "mcp-admission serve --config" in text


def test_every_command_shows_its_help_outside_the_checkout(programs: Path, tmp_path: Path) -> None:
    listed = "from gateway.cli import COMMANDS; print(*COMMANDS)"
    for name in said([str(programs / "python"), "-c", listed], tmp_path).split():
        assert f"mcp-admission {name}" in said([str(programs / "mcp-admission"), name, "--help"], tmp_path)


def test_the_wheel_carries_the_stock_library_whole(programs: Path, tmp_path: Path, checkout: Path) -> None:
    ask = "from gateway.library import library; print(library())"
    library = Path(said([str(programs / "python"), "-c", ask], tmp_path).strip())
    assert library.is_relative_to(programs.parent)
    wanted = {path.relative_to(checkout / "rego"): path.read_bytes() for path in files(checkout / "rego")}
    assert {path.relative_to(library): path.read_bytes() for path in files(library)} == wanted
    assert len(wanted) > 1


def test_the_wheel_carries_every_file_of_the_package(programs: Path, checkout: Path) -> None:
    (installed,) = programs.parent.glob("lib/*/site-packages/gateway")
    wanted = {path.relative_to(checkout / "gateway") for path in files(checkout / "gateway")}
    assert wanted - {path.relative_to(installed) for path in files(installed)} == set()


def files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
