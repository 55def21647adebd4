"""What the READMEs of policy repositories tell to type exists."""

from pathlib import Path
from typing import Final

import pytest

from tests.unit.test_readme import invocations, unknown

ROOT: Final = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["bundles/README.md", "gateway/cli/init/template/README.md"])
def test_every_command_and_option_exists(name: str) -> None:
    told = invocations((ROOT / name).read_text(encoding="utf-8"), "mcp-admission")
    assert told
    assert [(line, bad) for line in told if (bad := unknown(line))] == []


def test_nothing_generated_lies_among_the_sources() -> None:
    assert [
        place for place in (ROOT / "bundles").rglob("*") if place.is_file() and place.suffix not in {".yaml", ".md"}
    ] == []
