from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.server.mcpserver.exceptions import ToolError

from gateway.demo.tool_files import FILES, Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "w")
    made.furnish()
    return made


def test_a_new_workspace_has_files_to_try_things_on(workspace: Workspace) -> None:
    assert workspace.names(".") == sorted(FILES)
    assert workspace.names("notes") == ["notes/from-a-stranger.md", "notes/todo.md"]


def test_a_workspace_that_holds_anything_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    made = Workspace(tmp_path)
    made.furnish()
    assert made.names(".") == ["mine.txt"]


def test_a_written_file_can_be_read_and_a_deleted_one_cannot(workspace: Workspace) -> None:
    workspace.write("new/file.txt", "hello")
    assert workspace.text("new/file.txt") == "hello"
    workspace.delete("new/file.txt")
    with pytest.raises(ToolError, match="does not exist"):
        workspace.text("new/file.txt")


def test_messages_are_appended_to_the_outbox(workspace: Workspace) -> None:
    assert workspace.send("a@example.com", "first\nline") == 1
    assert workspace.send("b@example.com", "second") == 2
    assert '"to": "a@example.com"' in workspace.text("outbox.jsonl")


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "notes/../../secret", "link/secret", "a\0b", "x" * 5000])
def test_no_path_outside_the_workspace_is_reached(workspace: Workspace, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("secret")
    (workspace.directory / "link").symlink_to(tmp_path)
    with pytest.raises(ToolError):
        workspace.text(name)
    with pytest.raises((ToolError, OSError)):
        workspace.write(name, "changed")
    assert (tmp_path / "secret").read_text() == "secret"


@given(st.text())
def test_any_name_is_a_file_inside_or_an_error_that_says_so(name: str) -> None:
    with pytest.raises(ToolError):
        Workspace(Path("/nowhere/at/all")).text(name)
