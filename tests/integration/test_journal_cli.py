"""`mcp-admission journal` on a real journal: for a person at a terminal and for a program in a pipe."""

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.admission.decision import Ground, Reason, ResolvedAgent
from gateway.admission.record import Refused
from gateway.journal.journal_options import JournalOptions
from gateway.journal.segment_names import segments
from gateway.journal.writer import JournalWriter
from tests.unit.journal.conftest import a_completed, a_decided

ROOT: Final = Path(__file__).resolve().parent.parent.parent
BOT: Final = ResolvedAgent(id="support-bot", owner="alice@example.com", purpose="Answers tickets", kind="claude-code")
GROUND: Final = Ground(rule="support-posts", effect="allow", owner="carol@example.com", because="Support answers there")
REASON: Final = Reason(requirement="recipients_are_known", message="bob@rival.example is not known", severity="high")
ALLOWED: Final[dict[str, Any]] = {
    "agent": BOT,
    "rule": "support-posts",
    "grounds": (GROUND,),
    "revision": "dev@0123456789ab.7",
    "decision_id": "d1d1d1d1-1",
    "micros": 812,
    "policy_micros": 310,
    "unix_ns": 1_795_183_200_123_000_000,
}
RECORD: Final[dict[str, Any]] = {"kind": "decided", "at": 1, "writer": "w", "outcome": "allow"}
ALICE: Final = {
    "kind": "human",
    "issuer": "https://id.example",
    "subject": "alice",
    "client_id": "desktop",
    "credential_sha256": "0123456789abcdef",
}
DENIED: Final[dict[str, Any]] = {"agent": BOT, "requirement": REASON.requirement, "reasons": (REASON,), "micros": 400}


async def written(directory: Path) -> None:
    journal = JournalWriter(directory, JournalOptions(segment_bytes=65_536), writer="w1")
    journal.start()
    await journal.decided(a_decided("aaaa1111", **ALLOWED))
    journal.completed(a_completed("aaaa1111"))
    await journal.decided(a_decided("bbbb2222", "deny", **DENIED))
    await journal.decided(a_decided("cccc3333", server="git\x1b[2Jhub", agent=BOT))
    await journal.refused(
        Refused(call_id="dddd4444", time="", unix_ns=1, monotonic_ns=1, code="malformed", source_ip="192.0.2.9")
    )
    await journal.close()


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    asyncio.run(written(tmp_path / "journal"))
    return tmp_path / "journal"


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "gateway", "journal", *(str(argument) for argument in arguments)]


def piped(*arguments: object) -> list[dict[str, Any]]:
    done = subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, check=True, timeout=60)
    return [json.loads(line) for line in done.stdout.splitlines()]


def at_terminal(*arguments: object) -> str:
    """Return what a person at a terminal without color sees."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(command(*arguments), cwd=ROOT, stdout=theirs, env=os.environ | {"NO_COLOR": "1"}) as process:
        os.close(theirs)
        shown = b""
        while chunk := _read(ours):
            shown += chunk
        assert process.wait(60) == 0
    os.close(ours)
    return shown.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65_536)
    except OSError:  # how a terminal whose other end is closed says that it is over
        return b""


def calls(records: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(record["kind"], record["call_id"]) for record in records]


def test_in_a_pipe_tail_gives_the_records_themselves(journal: Path) -> None:
    assert calls(piped("tail", "--journal", journal)) == [
        ("decided", "aaaa1111"),
        ("completed", "aaaa1111"),
        ("decided", "bbbb2222"),
        ("decided", "cccc3333"),
        ("refused", "dddd4444"),
    ]


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        (["--outcome", "deny"], ["bbbb2222"]),
        (["--outcome", "refused"], ["dddd4444"]),
        (["--rule", "support-posts"], ["aaaa1111", "aaaa1111"]),
        (["--rule", "recipients_are_known"], ["bbbb2222"]),
        (["--agent", "support-bot", "--server", "slack"], ["aaaa1111", "aaaa1111", "bbbb2222"]),
        (["--tool", "other"], []),
        (["--since", "1h", "-n", "1"], ["dddd4444"]),
        (["--since", "2999-01-01"], []),
    ],
)
def test_filters_choose(journal: Path, filters: list[str], wanted: list[str]) -> None:
    assert [record["call_id"] for record in piped("tail", "--journal", journal, *filters)] == wanted


def test_at_a_terminal_tail_is_a_table_that_cannot_be_tampered_with(journal: Path) -> None:
    shown = at_terminal("tail", "--journal", journal)
    lines = shown.splitlines()
    assert lines[0].split() == ["TIME", "(UTC)", "ID", "AGENT", "SERVER", "TARGET", "ACTION", "OUTCOME", "WHY"]
    assert "2026-11-20T14:00:00Z  d1d1d1d1  support-bot" in lines[1]
    assert lines[1].endswith("support-posts  answered")
    assert "deny     recipients_are_known: bob" in lines[2]
    assert lines[2].endswith("…")
    assert "\x1b" not in shown
    assert "git\\x1b[2…" in shown
    assert max(map(len, lines)) <= 120


def test_the_short_ids_of_the_table_are_taken_by_show(journal: Path) -> None:
    for row in at_terminal("tail", "--journal", journal).splitlines()[1:]:
        assert "call " in at_terminal("show", "--journal", journal, row.split()[1])


def test_show_answers_who_allowed_this(journal: Path) -> None:
    shown = at_terminal("show", "--journal", journal, "aaaa")
    for words in (
        "ALLOWED  call aaaa1111",
        "support-bot (claude-code), owned by alice@example.com",
        "Answers tickets",
        "support-posts (allow), owned by carol@example.com: Support answers there",
        "dev@0123456789ab.7",
        "812 µs, of which the policy 310 µs",
        "answered, HTTP 200",
    ):
        assert words in shown


def test_show_says_why_a_call_was_refused(journal: Path) -> None:
    shown = at_terminal("show", "--journal", journal, "bbbb2222")
    assert "DENIED" in shown
    assert "recipients_are_known: bob@rival.example is not known [high]" in shown
    assert "completed" not in shown


def test_show_says_when_a_call_has_no_second_record(journal: Path) -> None:
    assert "not recorded: still running, or its gateway was killed" in at_terminal("show", "--journal", journal, "cccc")


def test_show_finds_a_decision_id_and_gives_both_records_as_json(journal: Path) -> None:
    [found] = piped("show", "--journal", journal, "d1d1d1d1-1", "--json")
    assert found["decided"]["grounds"][0]["owner"] == "carol@example.com"
    assert found["completed"]["outcome"] == "answered"


def test_stats_count_and_time(journal: Path) -> None:
    [figures] = piped("stats", "--journal", journal, "--json")
    assert figures["counts"]["outcome"] == {"allow": 2, "deny": 1, "refused": 1}
    assert figures["counts"]["requirement"] == {"recipients_are_known": 1, "malformed": 1}
    assert figures["counts"]["rule"] == {"support-posts": 1}
    assert figures["counts"]["agent"] == {"support-bot": 3}
    assert figures["latencies"]["decision"] == {"count": 1, "p50": 310, "p90": 310, "p99": 310, "most": 310}
    shown = at_terminal("stats", "--journal", journal).splitlines()
    table = shown.index("by outcome")
    assert [row.split() for row in shown[table + 1 : table + 3]] == [
        ["COUNT", "SHARE", "OUTCOME"],
        ["2", "50.0%", "allow"],
    ]
    assert "\x1b" not in "".join(shown)


@pytest.mark.parametrize("words", [["show", "aaaa"], ["stats"]])
def test_in_a_pipe_show_and_stats_are_the_text_and_at_a_terminal_nothing_is_too_wide(
    journal: Path, words: list[str]
) -> None:
    name, *rest = words
    done = subprocess.run(
        command(name, "--journal", journal, *rest), cwd=ROOT, capture_output=True, check=True, timeout=60
    )
    piped_words, seen = done.stdout.decode().split(), at_terminal(name, "--journal", journal, *rest)
    assert piped_words == seen.split()
    assert max(map(len, seen.splitlines())) <= 120


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["--principal", "alice"], ["eeee5555"]),
        (["--principal", "https://id.example#alice"], ["eeee5555"]),
        (["--principal", "desktop"], ["eeee5555"]),
        (["--principal", "0123456789"], ["eeee5555"]),
        (["--principal", "0123"], []),
        (["--principal", "ali"], []),
        (["--conversation", "talk-1"], ["ffff6666"]),
        (["--conversation", "talk"], []),
        (["--trace", "0af7651916cd43dd8448eb211c80319c"], ["ffff6666"]),
        (["--trace", "0af7651916cd43dd8448eb211c80319c", "--outcome", "allow"], []),
    ],
)
def test_filters_choose_by_principal_conversation_and_trace(
    tmp_path: Path, arguments: list[str], wanted: list[str]
) -> None:
    records = [
        RECORD | {"call_id": "dddd4444", "sequence": 1},
        RECORD | {"call_id": "eeee5555", "sequence": 2, "principal": ALICE},
        RECORD
        | {"call_id": "ffff6666", "sequence": 3, "outcome": "deny", "conversation": "talk-1"}
        | {"trace_id": "0af7651916cd43dd8448eb211c80319c"},
    ]
    segment = tmp_path / f"{1:019}.w.{1:06}.jsonl"
    segment.write_text("".join(json.dumps(record) + "\n" for record in records))
    assert [record["call_id"] for record in piped("tail", "--journal", tmp_path, *arguments)] == wanted


def test_the_old_name_of_an_option_is_refused_with_the_new_one(journal: Path) -> None:
    done = subprocess.run(
        command("tail", "--directory", journal), cwd=ROOT, capture_output=True, check=False, text=True, timeout=60
    )
    assert done.returncode == 2
    assert f"--directory of this command is now called --journal: --journal {journal}" in done.stderr


def test_the_journal_of_a_settings_file_is_found(journal: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"journal:\n  directory: {journal}\n")
    assert len(piped("tail", "--config", settings)) == 5


def test_a_damaged_line_is_named_and_the_rest_is_shown(journal: Path) -> None:
    [(_, path)] = segments(journal)
    path.write_bytes(b"{damaged\n" + path.read_bytes())
    done = subprocess.run(command("tail", "--journal", journal), cwd=ROOT, capture_output=True, check=True, timeout=60)
    assert len(done.stdout.splitlines()) == 5
    assert b"byte 0: 8 bytes are not a valid record" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tail", "--journal", "/nonexistent"], "No journal found at /nonexistent. Name it with"),
        (["show", "zzzz"], "No call or decision in this journal begins with 'zzzz'"),
        (["tail", "--since", "yesterday"], "'yesterday' is not a valid time: write 15m, 2h, 1d"),
    ],
)
def test_mistakes_are_answered_with_what_to_do(journal: Path, arguments: list[str], said: str) -> None:
    place = [] if "--journal" in arguments else ["--journal", journal]
    done = subprocess.run(
        command(*arguments, *place), cwd=ROOT, capture_output=True, check=False, text=True, timeout=60
    )
    assert done.returncode != 0
    assert said in done.stderr


_WITH_SIGINT: Final = (
    "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_DFL); "
    "signal.signal(signal.SIGINT, getattr(signal, sys.argv[1])); "
    "os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
)


class Following:
    """`journal tail --follow` as a process, whose output a test reads."""

    def __init__(self, journal: Path, *, sigint: str) -> None:
        """Start it with SIGINT ignored (`SIG_IGN`, as in a background shell) or not (`SIG_DFL`)."""
        reading, writing = os.pipe()
        words = command("tail", "--journal", journal, "--follow", "-n", "0", "--outcome", "deny")
        self.process: Final = subprocess.Popen(
            [sys.executable, "-c", _WITH_SIGINT, sigint, *words[1:]], cwd=ROOT, stdout=writing
        )
        os.close(writing)
        self.output: Final = os.fdopen(reading, "rb")

    async def started(self, journal: JournalWriter) -> dict[str, Any]:
        """Write to the journal until a record of it is shown, and return that."""
        first = asyncio.ensure_future(asyncio.to_thread(self.output.readline))
        count = 0
        while not first.done():
            count += 1
            await journal.decided(a_decided(f"allowed-{count}"))
            await journal.decided(a_decided(f"denied-{count}", "deny"))
            await asyncio.wait([first], timeout=0.1)
        return dict(json.loads(first.result()))

    async def ended(self) -> int:
        """Return the exit code."""
        return await asyncio.to_thread(self.process.wait, 60)


@pytest.mark.parametrize(
    ("sigint", "by"),
    [
        ("SIG_IGN", signal.SIGTERM),
        ("SIG_IGN", signal.SIGHUP),
        ("SIG_IGN", None),
        ("SIG_DFL", signal.SIGINT),
        ("SIG_DFL", signal.SIGTERM),
        ("SIG_DFL", None),
    ],
)
async def test_following_goes_on_with_what_is_added_until_a_signal_or_a_closed_pipe_ends_it(
    journal: Path, sigint: str, by: signal.Signals | None
) -> None:
    more = JournalWriter(journal, JournalOptions(segment_bytes=65_536), writer="w2")
    more.start()
    following = Following(journal, sigint=sigint)
    try:
        assert (await following.started(more))["call_id"].startswith("denied-")
        await more.close()
        if by is not None:
            following.process.send_signal(by)
        else:
            following.output.close()
        assert await following.ended() == 0
    finally:
        following.process.kill()
        following.process.wait()
        following.output.close()
