"""The script of the pipeline by itself: what its words run, what it reports, and when it fails."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Final

import pytest
from msgspec import Struct

ROOT: Final = Path(__file__).resolve().parents[2]
TEMPLATE: Final = ROOT / "gateway" / "cli" / "init" / "template"
SCRIPT: Final = TEMPLATE / "ci" / "policy.sh"
READMES: Final = (TEMPLATE / "README.md", ROOT / "bundles/README.md")
PULL_REQUEST: Final = ("test", "build", "diff", "replay", "report")
MERGE: Final = ("sign", "publish", "smoke")
GIVEN: Final = {
    "POLICY_BASE": "HEAD^1",
    "POLICY_JOURNAL": "recorded/calls.age",
    "POLICY_JOURNAL_KEY": "journal.key",
    "POLICY_REQUIRE_REPLAY": "1",
    "POLICY_HUB": "https://hub.example.com",
    "POLICY_SIGNING_KEY": "a key",
    "POLICY_GATEWAY": "http://127.0.0.1:9",
}
STUB: Final = """#!{python}
import json, os, sys
words = sys.argv[1:]
with open({log!r}, "a") as log:
    log.write(json.dumps(words) + "\\n")
name = "_".join(word for word in words[:2] if word.isalpha())
usual = {{"bundle_inspect": '{{"revision": "production@0.1"}}', "bundle_diff": "no change"}}
said = os.environ.get("SAID_" + name, usual.get(name, ""))
if "--output" in words:
    open(words[words.index("--output") + 1], "w").write(said)
else:
    print(said)
sys.exit(int(os.environ.get("EXIT_" + name, "0")))
"""
"""Stands for `mcp-admission`: writes down how it was called, and answers as the environment says."""


class Bench(Struct):
    """A policy repository with two commits, in which `mcp-admission` only writes down how it is called."""

    root: Path

    def run(self, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.root.parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
        identity = {
            f"GIT_{who}_{what}": "a@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        environment = {"PATH": path, "HOME": str(self.root.parent)} | identity | environ
        return subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, check=False)

    def words(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return self.run("bash", "ci/policy.sh", *words, **environ)

    def calls(self) -> list[list[str]]:
        """How it was called since the last look; the moment of a build is any."""
        log = self.root.parent / "log"
        found = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        log.unlink(missing_ok=True)
        return [["<built>" if re.fullmatch(r"20\S+Z", word) else word for word in call] for call in found]

    def out(self, name: str) -> str:
        return (self.root / ".state" / "ci" / name).read_text()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path / "policies")
    for name, content in {
        "policies/ci/policy.sh": SCRIPT.read_text(),
        "policies/.gitignore": "/.state/\n",
        "policies/recorded/calls.age": "",
        "policies/expected-changes.yaml": "changes: []\n",
        "bin/mcp-admission": STUB.format(python=sys.executable, log=str(tmp_path / "log")),
    }.items():
        place = tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
    (tmp_path / "bin" / "mcp-admission").chmod(0o755)
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "one"), ("commit", "-qm", "two", "--allow-empty")):
        assert made.run("git", *words).returncode == 0
    return made


class Ready(BaseHTTPRequestHandler):
    """A gateway whose worker enforces the bundle of the stub."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"workers": [{"revision": "production@0.1"}]}')

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it
        """Write nothing."""


@pytest.fixture
def ready() -> Generator[str]:
    with HTTPServer(("127.0.0.1", 0), Ready) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def blocks(readme: Path) -> list[str]:
    """The plain commands of a README: a pull request, the merge, the way back."""
    text = readme.read_text(encoding="utf-8")
    found = re.findall(r"\(`[^`]*ci/policy\.sh [a-z ]+`\).*?\n\n```sh\n(.*?)```", text, re.DOTALL)
    assert len(found) == 3, readme
    return found


def paths_told(readme: Path) -> list[list[str]]:
    """The words that a README says the blocks are."""
    return [line.split() for line in re.findall(r"\(`[^`]*ci/policy\.sh ([a-z ]+)`\)", readme.read_text("utf-8"))]


@pytest.mark.parametrize("readme", READMES, ids=["init", "bundles"])
def test_the_plain_commands_of_the_readme_are_what_the_words_run(bench: Bench, ready: str, readme: Path) -> None:
    pull_request, merge, back = blocks(readme)
    assert [*paths_told(readme)] == [[*PULL_REQUEST], ["test", "build", *MERGE], ["rollback"]]
    environ = GIVEN | {"POLICY_BECAUSE": "", "POLICY_GATEWAY": ready}
    (bench.root / ".state" / "ci").mkdir(parents=True)
    for words, plain in ((PULL_REQUEST, pull_request), (MERGE, merge), (("rollback",), back)):
        if words == ("rollback",):
            environ["POLICY_BECAUSE"] = "Incident 7"
        assert bench.words(*words, **environ).returncode == 0
        wanted = bench.calls()
        typed = bench.run("bash", "-e", "-c", plain, **environ)
        assert typed.returncode == 0, typed.stderr
        assert bench.calls() == wanted
        assert wanted
        bench.run("git", "worktree", "remove", "--force", ".state/ci/base")


def test_both_readmes_tell_the_same_commands() -> None:
    assert blocks(READMES[0]) == blocks(READMES[1])


def test_a_directory_is_published_to_without_a_token_and_without_waiting_for_gateways(bench: Bench) -> None:
    assert bench.words("publish", **GIVEN | {"POLICY_HUB": "/srv/bundles"}).returncode == 0
    (call,) = bench.calls()
    assert call[4:8] == ["/srv/bundles", "--channel", "production", "--verification-key"]
    assert not {"--wait", "--token-file"} & set(call)


def test_every_public_key_beside_the_script_is_valid_so_that_a_rollback_survives_an_exchange_of_keys(
    bench: Bench,
) -> None:
    for name in ("policy.pub.pem", "policy-2026.pub.pem", "stops.pub.pem"):
        (bench.root / "ci" / name).write_text("a key")
    assert bench.words("rollback", "smoke", **GIVEN | {"POLICY_BECAUSE": "#43", "POLICY_GATEWAY": ""}).returncode == 0
    rollback, verify = bench.calls()
    valid = {"ci/policy-2026.pub.pem", "ci/policy.pub.pem"}
    assert {after for word, after in pairwise(rollback) if word == "--verification-key"} == valid
    assert {after for word, after in pairwise(verify) if word == "--key"} == valid


def test_the_keys_that_are_named_count_alone(bench: Bench) -> None:
    (bench.root / "ci" / "policy.pub.pem").write_text("a key")
    assert bench.words("publish", **GIVEN | {"POLICY_KEY": "old.pem new.pem"}).returncode == 0
    (published,) = bench.calls()
    assert published[6:12] == ["production", "--verification-key", "old.pem", "--verification-key", "new.pem", "--wait"]


def test_environment_channel_key_token_and_gateways_are_what_the_variables_say(bench: Bench) -> None:
    environ = {
        "POLICY_ENVIRONMENT": "staging",
        "POLICY_CHANNEL": "canary",
        "POLICY_KEY": "other.pem",
        "POLICY_TOKEN_FILE": "token",
        "POLICY_GATEWAYS": "3",
        "POLICY_DEADLINE": "9",
        "POLICY_BECAUSE": "#42",
    }
    assert bench.words("build", "publish", **GIVEN | environ).returncode == 0
    built, again, published = bench.calls()
    assert (built[2], again[2]) == ("staging", "staging")
    told = dict(zip(published[3::2], published[4::2], strict=False))
    assert (told["--channel"], told["--verification-key"], told["--token-file"]) == ("canary", "other.pem", "token")
    assert published[-6:] == ["--deadline", "9", "--at-least", "3", "--because", "#42"]


def test_a_build_that_differs_ends_the_pipeline(bench: Bench) -> None:
    differs = 'mcp-admission() { command mcp-admission "$@"; echo "$RANDOM" >>"${@: -1}"; }; export -f mcp-admission; '
    done = bench.run("bash", "-c", f"{differs} bash ci/policy.sh build sign", **GIVEN)
    assert done.returncode != 0
    assert not any("sign" in call for call in bench.calls())


def test_a_loosening_is_marked_for_the_reviewers_and_fails_where_that_is_wanted(bench: Bench) -> None:
    environ = GIVEN | {"EXIT_bundle_diff": "1", "SAID_bundle_diff": "### Loosens"}
    done = bench.words("diff", **environ)
    assert done.returncode == 0, done.stderr
    assert "### Loosens" in bench.out("diff.md")
    assert "admits more than before, or may do so" in bench.out("diff.md")
    assert bench.words("diff", POLICY_REFUSE_LOOSENING="1", **environ).returncode == 1
    bench.words("diff", **GIVEN)
    assert "admits more" not in bench.out("diff.md")


def test_a_comparison_that_fails_is_no_loosening_but_a_failure(bench: Bench) -> None:
    environ = GIVEN | {"EXIT_bundle_diff": "1", "SAID_bundle_diff": ""}
    (bench.root.parent / "bin" / "mcp-admission").write_text("#!/bin/sh\nexit 1\n")
    (bench.root / "published.tar.gz").touch()
    assert bench.words("diff", **environ | {"POLICY_BASE": "published.tar.gz"}).returncode == 1


def test_a_bundle_may_be_what_is_compared_with(bench: Bench) -> None:
    (bench.root / "published.tar.gz").touch()
    assert bench.words("diff", **GIVEN | {"POLICY_BASE": "published.tar.gz"}).returncode == 0
    assert [call[:3] for call in bench.calls()] == [["bundle", "diff", "published.tar.gz"]]


@pytest.mark.parametrize("base", ["", "no-such-commit"])
def test_what_cannot_be_compared_is_said_and_fails_where_a_loosening_must_not_pass(bench: Bench, base: str) -> None:
    environ = GIVEN | {"POLICY_BASE": base}
    assert bench.words("diff", **environ).returncode == 0
    assert "**Not compared**" in bench.out("diff.md")
    assert bench.words("diff", POLICY_REFUSE_LOOSENING="1", **environ).returncode == 1


def test_a_base_that_does_not_build_is_said_and_leaves_nothing_behind(bench: Bench) -> None:
    assert bench.words("diff", EXIT_bundle_build="1", **GIVEN).returncode == 0
    assert "no bundle can be built" in bench.out("diff.md")
    assert len(bench.run("git", "worktree", "list").stdout.splitlines()) == 1


def test_without_recorded_calls_the_report_says_so_and_fails_where_a_replay_is_required(bench: Bench) -> None:
    environ = GIVEN | {"POLICY_JOURNAL": ""}
    assert bench.words("replay", **environ).returncode == 1
    assert bench.words("replay", **environ | {"POLICY_REQUIRE_REPLAY": ""}).returncode == 0
    assert "**Not replayed**" in bench.out("replay.md")


def test_the_report_has_both_parts_and_says_which_is_not_known(bench: Bench) -> None:
    bench.words("build", "diff", **GIVEN)
    said = bench.words("report", **GIVEN)
    assert said.stdout == bench.out("report.md")
    assert "no change" in said.stdout
    assert "**Unknown**: the step replay did not finish." in said.stdout


def test_a_new_build_forgets_the_reports_of_the_last_one(bench: Bench) -> None:
    bench.words("build", "diff", "replay", "report", **GIVEN)
    bench.words("build", **GIVEN)
    assert list((bench.root / ".state" / "ci").glob("*.md")) == []


def test_a_report_fits_into_a_comment(bench: Bench) -> None:
    bench.words("build", **GIVEN)
    (bench.root / ".state/ci/diff.md").write_text("- a change\n" * 10_000)
    done = bench.words("report", **GIVEN)
    assert done.returncode == 0, done.stderr
    assert 50_000 < len(bench.out("report.md")) < 65_000
    assert "Truncated: run the steps" in bench.out("report.md")


def test_a_smoke_test_that_reaches_no_gateway_fails(bench: Bench) -> None:
    done = bench.words("smoke", **GIVEN)
    assert done.returncode == 1
    assert "The gateway is not ready" in done.stderr
    assert [call[:2] for call in bench.calls()] == [["bundle", "inspect"]], "what takes long is not begun"


def test_a_smoke_test_without_a_gateway_says_that_none_was_asked(bench: Bench) -> None:
    done = bench.words("smoke", **GIVEN | {"POLICY_GATEWAY": ""})
    assert done.returncode == 0
    assert "No gateway was checked" in done.stderr


@pytest.mark.parametrize(
    ("word", "missing"), [("sign", "POLICY_SIGNING_KEY"), ("publish", "POLICY_HUB"), ("rollback", "POLICY_BECAUSE")]
)
def test_what_a_step_lacks_is_told_before_anything_is_done(bench: Bench, word: str, missing: str) -> None:
    done = bench.words(word, **GIVEN | {missing: ""})
    assert done.returncode == 2
    assert f"{missing} is not set" in done.stderr
    assert bench.calls() == []
