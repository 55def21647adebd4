"""The tools, resources and prompt of the demo server.

Rule 1: there is one tool for each class of action that policies distinguish: list, read, write, delete, send, execute.
Rule 2: the annotations of each tool are true; policies decide whether to trust them.
"""

import subprocess
from collections.abc import Mapping
from typing import Final, Literal

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError
from mcp_types import ToolAnnotations

from gateway.demo.tool_files import FILES, Workspace

Command = Literal["date", "disk", "files", "words"]
COMMANDS: Final[Mapping[str, list[str]]] = {
    "date": ["date", "-u"],
    "disk": ["df", "-h", "."],
    "files": ["ls", "-l"],
    "words": ["wc", "-w", *FILES],
}
SECONDS: Final = 10
READS: Final = ToolAnnotations(read_only_hint=True, open_world_hint=False)
WRITES: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)
SENDS: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True
)
RUNS: Final = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=False, open_world_hint=True)
INSTRUCTIONS: Final = (
    "A workspace of text files. Paths are relative to it. Messages go to an outbox, not to the world. "
    "A refused call states the reason; repeating it unchanged will not help."
)


def server(workspace: Workspace) -> MCPServer:
    """Return the server of one workspace: six tools, two resources, one prompt."""
    made = MCPServer("demo", title="Demo workspace", instructions=INSTRUCTIONS, log_level="ERROR")
    _offer_files(made, workspace)
    _offer_effects(made, workspace)
    _offer_texts(made, workspace)
    return made


def _offer_files(made: MCPServer, workspace: Workspace) -> None:
    """Add the tools whose effect stays in the workspace."""

    @made.tool(annotations=READS)
    def list_files(path: str = ".") -> list[str]:
        """List the files below a directory of the workspace."""
        return workspace.names(path)

    @made.tool(annotations=READS)
    def read_file(path: str) -> str:
        """Read a text file of the workspace."""
        return workspace.text(path)

    @made.tool(annotations=WRITES)
    def write_file(path: str, text: str) -> str:
        """Write a text file of the workspace, replacing its content."""
        return f"wrote {workspace.write(path, text)} characters to {path}"

    @made.tool(annotations=WRITES)
    def delete_file(path: str) -> str:
        """Delete a file of the workspace. It cannot be restored."""
        workspace.delete(path)
        return f"deleted {path}"

    del list_files, read_file, write_file, delete_file


def _offer_effects(made: MCPServer, workspace: Workspace) -> None:
    """Add the tools whose effect leaves the workspace."""

    @made.tool(annotations=SENDS)
    def send_message(to: str, text: str) -> str:
        """Send a message to an address; in this demo it lands in outbox.jsonl."""
        return f"sent to {to}: {workspace.send(to, text)} in the outbox"

    @made.tool(annotations=RUNS)
    def run_command(command: Command) -> str:
        """Run one of a few programs in the workspace and return what it prints."""
        return _output(COMMANDS[command], workspace)

    del send_message, run_command


def _offer_texts(made: MCPServer, workspace: Workspace) -> None:
    """Add the resources and the prompt."""

    @made.resource("demo://welcome", mime_type="text/markdown")
    def welcome() -> str:
        """Describe this workspace."""
        return workspace.text("welcome.md")

    @made.resource("demo://notes/{name}", mime_type="text/markdown")
    def note(name: str) -> str:
        """One of the notes."""
        try:
            return workspace.text(f"notes/{name}")
        except ToolError as problem:
            raise ResourceNotFoundError(str(problem)) from problem

    @made.prompt()
    def summarize(path: str) -> str:
        """Ask for a summary of a file."""
        return f"Read {path} with the tool read_file and summarize it in three sentences."

    del welcome, note, summarize


def _output(program: list[str], workspace: Workspace) -> str:
    try:
        ended = subprocess.run(
            program,
            cwd=workspace.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise ToolError(f"{program[0]} could not run: {problem}") from problem
    return ended.stdout or ended.stderr
