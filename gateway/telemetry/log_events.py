"""Log events of the gateway and the hub: name, level and meaning.

They are an interface. docs/log-events.md is generated from these tables.

Rule 1: an event that is not in the table is logged as a warning. A test demands that none is missing.
Rule 2: `policy_emergency_x` is the event `policy_x` for the stops of a hub.
"""

import logging
from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

_EMERGENCY: Final = "policy_emergency_"


class LogEvent(Struct, frozen=True):
    """One event: whether someone has to act (`warning`) or not (`info`), and its meaning in a sentence."""

    level: Literal["info", "warning"]
    meaning: str


def _info(meaning: str) -> LogEvent:
    return LogEvent("info", meaning)


def _warning(meaning: str) -> LogEvent:
    return LogEvent("warning", meaning)


GATEWAY: Final[Mapping[str, LogEvent]] = {
    "listening": _info("The gateway accepts connections at `url`."),
    "draining": _info("The gateway accepts no new connections; calls under way have `seconds` to finish."),
    "ended": _info("The gateway has ended."),
    "start_failed": _warning("The gateway cannot start, for `reason`."),
    "variable_unknown": _warning("An environment variable has the prefix of settings and names none."),
    "certificate_reloaded": _info("The TLS certificate was reloaded."),
    "certificate_unusable": _warning("The new TLS certificate cannot be used; the previous one stays."),
    "connections_refused": _warning("Connections were refused or closed by the limit `limit`, `count` times."),
    "journal_unreachable": _warning("The group of `journal.group` cannot reach the directory of the journal."),
    "worker_started": _info("A worker process started."),
    "worker_ended": _warning("A worker process ended; another one starts after `restart_in_s`."),
    "worker_unresponsive": _warning("A worker did not answer and is killed."),
    "worker_killed": _warning("A worker did not end in time and was killed."),
    "worker_protocol_error": _warning("A worker sent a message that the supervisor cannot read."),
    "worker_unready": _warning("A worker is not ready; `missing` names what it lacks."),
    "worker_ready": _info("A worker is ready again."),
    "obtaining_opa": _info("The gateway obtains the OPA binary."),
    "opa_started": _info("OPA started."),
    "opa_ended": _warning("OPA ended; another one starts after a pause."),
    "opa_killed": _warning("OPA did not end in time and was killed."),
    "opa_log": _info("A line of OPA's own log."),
    "calls_refused": _warning("Calls are refused for a cause that an operator can fix; at most one line a minute."),
    "calls_pass_again": _info("No call was refused for this cause for a minute."),
    "definition_refused": _warning("A definition is hidden because it differs from its pin; `changes` has the lines."),
    "instructions_removed": _warning("Instructions of a server are removed because they differ from their pin."),
    "policy_published": _info("A saved policy is in force; `detail` has its warnings."),
    "policy_refused": _warning("A saved policy has problems; the revision before it stays in force."),
    "policy_restored": _info("A save after a refused one has the content that is in force."),
    "policy_watch_failed": _warning("The policy directory is no longer watched. Restart the gateway."),
    "policy_scenarios_passed": _info("All scenarios of the policy in force pass again."),
    "policy_scenarios_failed": _warning("Scenarios of the policy in force end otherwise."),
    "policy_scenarios_not_run": _warning("The scenarios of the policy in force could not run."),
    "policy_followed": _info("A bundle of a hub is in force."),
    "policy_rejected": _warning("A bundle of a hub is rejected by `code`; the one in force stays."),
    "policy_hub_skipped": _warning("A hub does not answer; the next one of `policy.bundle.urls` is asked."),
    "policy_hub_unreachable": _warning("No hub can be reached."),
    "policy_hub_reached": _info("The hub `detail` can be reached again."),
    "policy_cache_write_failed": _warning("A bundle could not be kept for the next start."),
    "policy_follower_crashed": _warning("Following a hub ended by an error. Restart the gateway."),
    "policy_clock_skew": _warning("The clock of a hub differs from the clock of this machine."),
    "policy_clock_in_sync": _info("The clocks agree again."),
    "policy_heartbeat_refused": _warning("A hub refuses the heartbeats of this gateway."),
    "policy_heartbeat_accepted": _info("A hub accepts the heartbeats of this gateway again."),
    "policy_expires_soon": _warning("The policy in force ends soon."),
    "policy_expired": _warning("The end of the policy has passed; calls are refused once its grace is over."),
    "policy_stale_soon": _warning("The policy was not confirmed for longer than `opa.stale_soft_s`."),
    "policy_stale": _warning("The policy was not confirmed for longer than `opa.stale_hard_s`; calls are refused."),
    "policy_fresh": _info("The policy is confirmed again."),
    "policy_library_outdated": _warning("The stock library of the policy is too old for a feature in use."),
    "policy_stopped": _info("A stop is in force."),
    "policy_lifted": _info("A stop was lifted."),
    "policy_stop_ended": _warning("A stop reached its end; the calls that it refused may pass again."),
    "policy_stop_duration_exceeded": _warning("A stop lasts longer than the longest stop that the commands make."),
    "policy_stops_unreadable": _warning("The file of local stops cannot be read; those that were read stay in force."),
}
"""Events of `mcp-admission serve`. Events that begin with `policy_` are journal records too, without the prefix."""

HUB: Final[Mapping[str, LogEvent]] = {
    "listening": _info("The hub accepts connections at `url`."),
    "draining": _info("The hub accepts no new connections; requests under way have `seconds` to finish."),
    "ended": _info("The hub has ended."),
    "start_failed": _warning("The hub cannot start, for `reason`."),
    "certificate_reloaded": GATEWAY["certificate_reloaded"],
    "certificate_unusable": GATEWAY["certificate_unusable"],
    "connections_refused": GATEWAY["connections_refused"],
    "uploaded": _info("An artifact was uploaded."),
    "upload_refused": _warning("An upload was refused by `code`."),
    "moved": _info("A channel was moved to an artifact."),
    "move_refused": _warning("A move of a channel was refused."),
    "channel_moved_in_directory": _info("Another process moved a channel in the hub's directory."),
    "directory_unreadable": _warning("The hub's directory cannot be read."),
    "directory_watch_failed": _warning("Changes of files are no longer noticed. Restart the hub."),
    "assigned": _info("Gateways were assigned to channels by their labels."),
    "stopped": _info("A stop was made."),
    "lifted": _info("A stop was lifted."),
    "heartbeat_refused": _warning("A token reported for a gateway that it may not report for."),
    "call_refused": _warning("A known caller lacks the role for a call."),
    "unauthenticated_calls_refused": _warning("Calls without a valid token were refused, `count` times."),
    "expired_token_refused": _warning("A token whose end has passed was refused."),
    "token_expires_soon": _warning("A token ends within `within`."),
    "token_expired": _warning("A token has ended."),
    "settings_reloaded": _info("Tokens and keys were reloaded from the settings."),
    "settings_refused": _warning("The changed settings have problems; the earlier ones stay."),
    "settings_need_restart": _info("Changed settings that need a restart of the hub."),
    "storage_failed": _warning("A file of the hub could not be read or written."),
}
"""Events of `mcp-admission hub serve`."""


def level_of(event: str) -> int:
    """Return the logging level of an event; an unknown one is a warning."""
    name = f"policy_{event.removeprefix(_EMERGENCY)}" if event.startswith(_EMERGENCY) else event
    found = GATEWAY.get(name) or HUB.get(name)
    return logging.INFO if found is not None and found.level == "info" else logging.WARNING
