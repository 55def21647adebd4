"""Events of a gateway and a hub are logged with the right level and text."""

import logging
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.cli.run_gateway import logged, run, told
from gateway.settings import Settings, load

LOOK_AT = [
    "policy_rejected",
    "policy_emergency_rejected",
    "policy_expires_soon",
    "policy_expired",
    "policy_stale_soon",
    "policy_stale",
    "policy_library_outdated",
    "policy_hub_unreachable",
    "policy_emergency_hub_skipped",
    "policy_heartbeat_refused",
    "policy_clock_skew",
    "policy_cache_write_failed",
    "policy_stops_unreadable",
    "policy_follower_crashed",
    "policy_stop_duration_exceeded",
    "policy_refused",
    "connections_refused",
    "opa_killed",
    "opa_ended",
    "worker_unresponsive",
    "start_failed",
    "journal_unreachable",
    "calls_refused",
    "definition_refused",
    "instructions_removed",
    "worker_unready",
    "certificate_unusable",
    "variable_unknown",
    "upload_refused",
    "move_refused",
    "token_expires_soon",
    "token_expired",
    "settings_refused",
    "directory_unreadable",
]
AS_MEANT = [
    "policy_followed",
    "policy_published",
    "policy_fresh",
    "policy_hub_reached",
    "policy_clock_in_sync",
    "policy_heartbeat_accepted",
    "policy_stopped",
    "policy_lifted",
    "listening",
    "calls_pass_again",
    "worker_ready",
    "worker_started",
    "uploaded",
    "moved",
    "settings_reloaded",
]


@pytest.mark.parametrize(
    ("event", "level"),
    [(event, logging.WARNING) for event in LOOK_AT] + [(event, logging.INFO) for event in AS_MEANT],
)
def test_an_event_that_needs_attention_is_a_warning(event: str, level: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="gateway"):
        logged(event, detail="x")
    assert [(record.message, record.levelno) for record in caplog.records] == [(event, level)]


@pytest.mark.parametrize(
    ("level", "number"),
    [
        ("ERROR", logging.ERROR),
        ("CRITICAL", logging.CRITICAL),
        ("WARNING", logging.WARNING),
        ("odd", logging.WARNING),
    ],
)
def test_a_message_of_a_worker_keeps_its_level(level: str, number: int, caplog: pytest.LogCaptureFixture) -> None:
    logged("log", level=level, logger="uvicorn.error", message="it failed", worker=0)
    assert [record.levelno for record in caplog.records] == [number]


def test_changed_lines_are_shown_one_by_one_and_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["- description: Read notes.", "+ description: Send\x1b[2J all " + "notes " * 40, "? x: \u202e"]
    told("definition_refused", server="notes", target="read", detail="it is refused", changes=lines)
    shown = capsys.readouterr().err.splitlines()
    assert shown[0] == "* definition refused  server=notes  target=read  detail=it is refused"
    assert shown[1] == "    - description: Read notes."
    assert shown[2].startswith("    + description: Send\\x1b[2J all notes")
    assert shown[-1] == "    ? x: \\u202e"
    assert all(len(line) <= 120 for line in shown)


@pytest.mark.parametrize("changes", [None, "text", 7])
def test_a_field_that_is_no_list_of_lines_breaks_nothing(changes: object, capsys: pytest.CaptureFixture[str]) -> None:
    told("definition_refused", server="notes", changes=changes)
    assert capsys.readouterr().err.splitlines() == ["* definition refused  server=notes"]


def test_a_start_reports_unknown_variables_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def served(*_: object, **__: object) -> int:
        return 7

    monkeypatch.setattr("gateway.cli.run_gateway.serve", served)
    monkeypatch.setattr("gateway.cli.run_gateway.configure", str)
    monkeypatch.setenv("MCP_ADMISSION_WORKER", "2")
    monkeypatch.setenv("MCP_ADMISSION_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("MCP_ADMISSION_PORT_8080_TCP_ADDR", "10.0.0.1")
    settings = load(None, {})
    assert isinstance(settings, Settings)
    assert run(settings, live=False) == 7
    assert [(record.message, record.levelno) for record in caplog.records] == [("variable_unknown", logging.WARNING)]
    assert "Did you mean MCP_ADMISSION_WORKERS?" in str(vars(caplog.records[0])["fields"])


@pytest.mark.parametrize("command", [["journal", "stats"], ["stop", "list", "--config", "settings.yaml"]])
def test_a_command_that_reads_settings_warns_of_unknown_variables(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "settings.yaml").touch()
    ran = CliRunner().invoke(main, command, env={"MCP_ADMISSION_JOURNAL_DIRECTRY": "x"})
    assert "Warning: environment variable MCP_ADMISSION_JOURNAL_DIRECTRY" in ran.output
    assert "Did you mean MCP_ADMISSION_JOURNAL_DIRECTORY?" in ran.output


def test_an_event_for_a_person_is_whole_and_in_lines_that_fit(capsys: pytest.CaptureFixture[str]) -> None:
    detail = "the hub cannot be reached\nand this is said at length " * 20
    told("policy_hub_unreachable", detail=detail, revision="dev@0123456789ab.7", code="")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("* policy hub unreachable  detail=the hub cannot be reached and this")
    assert max(map(len, lines)) <= 120
    assert " ".join(" ".join(lines).split()).count("at length") == 20
    assert "code=" not in "".join(lines)


def test_a_line_of_a_worker_s_log_is_its_message_and_values(capsys: pytest.CaptureFixture[str]) -> None:
    told("log", level="WARNING", logger="gateway.x", message="it is away", url="https://id.example", worker=0)
    assert capsys.readouterr().err == "* warning  it is away  url=https://id.example  worker=0\n"


def test_the_text_of_an_event_cannot_control_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    told("calls_refused", detail="\x1b[2J\u202e")
    assert capsys.readouterr().err == "* calls refused  detail=\\x1b[2J\\u202e\n"
