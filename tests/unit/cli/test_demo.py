"""The settings of `mcp-admission demo`."""

from pathlib import Path

from gateway.cli.demo import demo_settings


def test_the_refusals_of_the_demo_begin_with_who_blocks(tmp_path: Path) -> None:
    assert demo_settings(tmp_path, 8930).refusal.opening == "Your organization is blocking this action."
