"""Commands on agents see the same agents as a build."""

from pathlib import Path

import pytest

from gateway.cli.agent_files import UnreadableFile, registrations

AGENT = "agent: bot\nowner: o\npurpose: p\nkind: k\n"


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    directory = tmp_path / "bundles/dev/agents"
    directory.mkdir(parents=True)
    return directory


def test_an_agent_behind_a_link_is_found_and_edited_where_it_is(agents: Path, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/bot.yaml").write_text(AGENT)
    (agents / "team").symlink_to("../../../shared")
    (agents / "lone.yaml").symlink_to("../../../shared/bot.yaml")
    (agents / ".#lone.yaml").symlink_to("alice@example.com.1")
    assert [one.path for one in registrations(agents)] == [tmp_path / "shared/bot.yaml", agents / "team/bot.yaml"]


def test_a_link_that_cannot_be_followed_is_told(agents: Path) -> None:
    (agents / "team").symlink_to("/etc")
    with pytest.raises(UnreadableFile, match="is a link out of the policy repository"):
        registrations(agents)


def test_without_a_directory_there_are_no_agents(tmp_path: Path) -> None:
    assert registrations(tmp_path / "bundles/dev/agents") == []
