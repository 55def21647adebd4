"""Invocations of the official Inspector's command line: python inspector_cli.py NODE INSPECTOR MODE URL.

Rule 1: each step is one invocation, so one session; what it prints is JSON, on standard error if it failed.
Rule 2: an error keeps its code and its text; without an answer in JSON the step fails.
"""

import json
import subprocess
import sys
from typing import Any, Final

_PATIENCE_S: Final = 60


class Inspector:
    """The command line, started once for each request."""

    def __init__(self, node: str, inspector: str, mode: str, url: str) -> None:
        """Take Node.js, the Inspector's launcher, the era that it may speak and the server."""
        ad_hoc = ["--server-url", url, "--transport", "http", "--protocol-era", mode]
        self._command: Final = [node, inspector, "--cli", *ad_hoc, "--format", "json", "--quiet"]

    def ask(self, method: str, *options: str) -> dict[str, Any]:
        """Return the object that it printed: `result` or `error`."""
        ended = subprocess.run(
            [*self._command, "--method", method, *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
        return json.loads(ended.stdout or ended.stderr)

    def call(self, tool: str, *options: str) -> dict[str, Any]:
        """Return the outcome of a call of a tool."""
        answer = self.ask("tools/call", "--tool-name", tool, *options)
        if "error" in answer:
            return {"error": True, "text": answer["error"]["message"], "code": answer["error"]["code"]}
        result = answer["result"]
        return {"error": result["isError"], "text": " ".join(part["text"] for part in result["content"])}


def _steps(inspector: Inspector) -> dict[str, Any]:
    def listed(kind: str, name: str, method: str = "") -> list[str]:
        return sorted(item[name] for item in inspector.ask(method or f"{kind}/list")["result"][kind])

    return {
        "revision": inspector.ask("initialize")["result"]["protocolVersion"],
        "tools": listed("tools", "name"),
        "allowed": inspector.call("echo", "--tool-arg", "text=hi"),
        "denied": inspector.call("forbidden"),
        "after": inspector.call("echo", "--tool-arg", "text=still here"),
        "counted": inspector.call("count", "--tool-arg", "to=3"),
        "resources": listed("resources", "uri"),
        "templates": listed("resourceTemplates", "uriTemplate", "resources/templates/list"),
        "resource": inspector.ask("resources/read", "--uri", "note://open")["result"]["contents"],
        "prompts": listed("prompts", "name"),
        "prompt": inspector.ask("prompts/get", "--prompt-name", "greet", "--prompt-args", "name=Ada")["result"],
        "resumed": inspector.call("drop", "--tool-arg", "text=came back"),
    }


if __name__ == "__main__":
    print(json.dumps(_steps(Inspector(*sys.argv[1:5]))))  # noqa: T201 - the steps are this program's output
