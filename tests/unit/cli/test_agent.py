"""Agents and their tokens are registered, listed, rotated and revoked by commands."""

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from gateway.cli import agent_files as files
from gateway.cli.agent import command
from gateway.cli.expiry_times import moment
from gateway.identity.tokens import digest, well_formed

NEW = ("--owner", "alice@example.com", "--purpose", "Answers: tickets # all", "--kind", "claude-code")

LISTED = """\
---
# Agents of the support team.
agents:
- agent: first-bot   # the first
  owner: 'alice@example.com'
  purpose: One
  kind: own
  tokens:
  - {sha256: "%s", holder: alice@example.com}  # her laptop
  - sha256: "%s"
    holder: bob@example.com
    expires: "2026-01-01T00:00:00Z"

- agent: second-bot
  owner: bob@example.com
  purpose: Two
  kind: own
""" % ("a" * 64, "b" * 64)  # noqa: UP031  braces are YAML's here


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "bundles" / "dev" / "agents").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def listed(home: Path) -> Path:
    path = home / "bundles" / "dev" / "agents" / "support.yaml"
    path.write_text(LISTED, encoding="utf-8")
    return path


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, [*arguments, "--policy", str(home)])


def done(home: Path, *arguments: str) -> Result:
    result = run(home, *arguments)
    assert result.exit_code == 0, result.output
    return result


def entry(path: Path) -> dict[str, Any]:
    return YAML(typ="safe").load(path)  # pyright: ignore[reportUnknownMemberType]


def test_a_new_agent_gets_a_token_whose_digest_alone_is_written(home: Path) -> None:
    result = done(home, "new", "support-bot", *NEW)
    token = result.stdout.strip()
    assert well_formed(token)
    path = home / "bundles" / "dev" / "agents" / "support-bot.yaml"
    written = entry(path)
    assert written["purpose"] == "Answers: tickets # all"
    assert written["tokens"][0]["sha256"] == digest(token)
    assert written["tokens"][0]["holder"] == "alice@example.com"
    assert token not in path.read_text(encoding="utf-8")
    assert token not in result.stderr


def test_a_token_ends_after_90_days_unless_told_otherwise(home: Path) -> None:
    done(home, "new", "one", *NEW)
    done(home, "new", "two", *NEW, "--expires", "never", "--holder", "bob@example.com")
    agents = home / "bundles" / "dev" / "agents"
    ends = datetime.fromisoformat(entry(agents / "one.yaml")["tokens"][0]["expires"])
    assert timedelta(days=89) < ends - datetime.now(UTC) < timedelta(days=91)
    assert entry(agents / "two.yaml")["tokens"][0] == {
        "sha256": entry(agents / "two.yaml")["tokens"][0]["sha256"],
        "holder": "bob@example.com",
    }


def test_without_an_environment_the_entry_is_shown_and_nothing_written(tmp_path: Path) -> None:
    result = done(tmp_path, "new", "support-bot", *NEW, "-e", "production")
    assert well_formed(result.stdout.strip())
    assert "bundles/production/agents/support-bot.yaml" in result.stderr
    assert digest(result.stdout.strip()) in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("agent", ["Support", "-bot", "a/b", "..", "", "a" * 64, "ü"])
def test_an_id_that_the_schema_refuses_is_refused(home: Path, agent: str) -> None:
    result = run(home, "new", *NEW, "--", agent)
    assert result.exit_code != 0
    assert list((home / "bundles" / "dev" / "agents").iterdir()) == []


def test_an_agent_is_registered_once(listed: Path, home: Path) -> None:
    result = run(home, "new", "second-bot", *NEW)
    assert result.exit_code == 1
    assert "agent rotate" in result.output
    assert listed.read_text(encoding="utf-8") == LISTED


def test_agents_are_listed_with_who_holds_tokens_until_when(listed: Path, home: Path) -> None:
    shown = done(home, "list").stdout
    assert "first-bot  own  alice@example.com  One" in shown
    assert "aaaaaaaaaaaa  alice@example.com  never expires" in shown
    assert "bbbbbbbbbbbb  bob@example.com  expired 2026-01-01T00:00:00Z" in shown
    assert "second-bot" in shown


def test_agents_are_listed_for_programs(listed: Path, home: Path) -> None:
    lines = [json.loads(line) for line in done(home, "list", "--json").stdout.splitlines()]
    assert [line["agent"] for line in lines] == ["first-bot", "second-bot"]
    assert lines[0]["tokens"][1]["holder"] == "bob@example.com"


def test_rotation_adds_a_token_and_lets_the_old_one_end(listed: Path, home: Path) -> None:
    result = done(home, "rotate", "first-bot", "--holder", "alice@example.com", "--overlap", "2h")
    old, other, new = entry(listed)["agents"][0]["tokens"]
    assert old["sha256"] == "a" * 64
    assert timedelta(hours=1) < datetime.fromisoformat(old["expires"]) - datetime.now(UTC) <= timedelta(hours=2)
    assert other == {"sha256": "b" * 64, "holder": "bob@example.com", "expires": "2026-01-01T00:00:00Z"}
    assert (new["sha256"], new["holder"]) == (digest(result.stdout.strip()), "alice@example.com")


def test_rotation_changes_nothing_else_in_the_file(listed: Path, home: Path) -> None:
    done(home, "rotate", "second-bot")
    text = listed.read_text(encoding="utf-8")
    assert text.startswith(LISTED)
    assert text.removeprefix(LISTED).startswith("  tokens:\n  - sha256: ")


def test_rotation_never_prolongs_the_old_token_and_removes_ended_ones(listed: Path, home: Path) -> None:
    done(home, "rotate", "first-bot", "--holder", "bob@example.com", "--expires", "1h")
    done(home, "rotate", "first-bot", "--holder", "bob@example.com", "--overlap", "48h")
    tokens = [token for token in entry(listed)["agents"][0]["tokens"] if token["holder"] == "bob@example.com"]
    assert len(tokens) == 2
    assert datetime.fromisoformat(tokens[0]["expires"]) - datetime.now(UTC) <= timedelta(hours=1)


def test_rotation_wants_to_know_whose_token_it_is(listed: Path, home: Path) -> None:
    result = run(home, "rotate", "first-bot")
    assert result.exit_code == 1
    assert "alice@example.com, bob@example.com" in result.output
    assert listed.read_text(encoding="utf-8") == LISTED


@pytest.mark.parametrize(
    ("arguments", "left"),
    [(("--holder", "bob@example.com"), ["a"]), (("--token", "a" * 12), ["b"]), (("--all",), [])],
)
def test_revoked_tokens_are_gone(listed: Path, home: Path, arguments: tuple[str, ...], left: list[str]) -> None:
    done(home, "revoke", "first-bot", *arguments)
    first, second = entry(listed)["agents"]
    assert [token["sha256"][0] for token in first.get("tokens", [])] == left
    assert second["agent"] == "second-bot"
    assert "# Agents of the support team." in listed.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--all", "--holder", "bob@example.com"),
        ("--holder", "carol@example.com"),
        ("--token", "a"),
        ("--token", "f" * 64),
        ("--token", ""),
    ],
)
def test_a_mistaken_revocation_removes_no_token(listed: Path, home: Path, arguments: tuple[str, ...]) -> None:
    assert run(home, "revoke", "first-bot", *arguments).exit_code == 1
    assert listed.read_text(encoding="utf-8") == LISTED


@pytest.mark.parametrize("what", ["rotate", "revoke"])
def test_an_unknown_agent_is_named(home: Path, what: str) -> None:
    result = run(home, what, "nobody", *(("--all",) if what == "revoke" else ()))
    assert result.exit_code == 1
    assert "`nobody` is not registered" in result.output


@pytest.mark.parametrize(
    "text", ["agent: {", "- 1\n", "just words\n", "agents: []\n", "agents: {a: b}\n", "a: 1\na: 2\n"]
)
def test_a_file_that_cannot_be_read_is_named(home: Path, text: str) -> None:
    (home / "bundles" / "dev" / "agents" / "broken.yaml").write_text(text, encoding="utf-8")
    result = run(home, "list")
    assert result.exit_code == 1
    assert "broken.yaml" in result.output


def test_a_file_of_comments_registers_nobody(home: Path) -> None:
    (home / "bundles" / "dev" / "agents" / "later.yaml").write_text("# later\n", encoding="utf-8")
    assert done(home, "list").stdout == ""


@pytest.mark.parametrize("expires", ["yesterday", "2020-01-01", "0d", "-1d", "5m"])
def test_an_end_that_is_none_is_refused(home: Path, expires: str) -> None:
    result = run(home, "new", "one", *NEW, f"--expires={expires}")
    assert result.exit_code == 2
    assert expires in result.output


def test_times_are_read_as_people_write_them() -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    assert moment("36h", now) == now + timedelta(hours=36)
    assert moment("2d", now) == now + timedelta(days=2)
    assert moment("2027-01-01", now) == datetime(2027, 1, 1, 23, 59, 59, tzinfo=UTC)
    assert moment("2027-01-01T10:00:00+02:00", now) == datetime(2027, 1, 1, 8, tzinfo=UTC)
    assert moment("never", now) is None


def test_a_file_is_replaced_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o640)
    files.write(path, "new")
    assert path.read_text(encoding="utf-8") == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_replaced_stays_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").mkdir()
    with pytest.raises(OSError, match="directory"):
        files.write(tmp_path / "a.yaml", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.yaml"]


WORD = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12)


@given(WORD, WORD, st.lists(WORD, max_size=4))
def test_a_written_entry_is_read_back_unchanged(owner: str, purpose: str, holders: list[str]) -> None:
    made = files.new_entry("bot", owner, purpose, "own")
    for holder in holders:
        files.add(made, files.ServiceToken(sha256="0" * 64, holder=holder))
    back = YAML(typ="safe").load(files.shown(made))  # pyright: ignore[reportUnknownMemberType]
    assert back["owner"] == owner
    assert back["purpose"] == purpose
    assert [token["holder"] for token in back.get("tokens", [])] == holders


def test_a_date_in_an_entry_ends_with_the_day_of_the_environment(home: Path) -> None:
    day = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
    (home / "bundles/dev/environment.yaml").write_text("name: dev\ntime_zone: Pacific/Kiritimati\n")
    token = f'{{sha256: "{"a" * 64}", holder: a@example.com, expires: {day}}}'
    (home / "bundles/dev/agents/one.yaml").write_text(
        f"agent: one\nowner: a\npurpose: x\nkind: own\ntokens: [{token}]\n"
    )
    assert f"until {day}T09:59:59Z" in done(home, "list").stdout
