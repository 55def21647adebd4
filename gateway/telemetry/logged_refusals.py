"""The refusals that are logged, with their meaning and remedy, and those that are not.

Rule 1: every code of a refusal is in exactly one of the tables; a test finds the codes in the source.
Rule 2: a refusal that an operator can fix is logged. A refusal caused by a caller, or decided by policy, is in the
journal and in the metrics only: callers choose how often it happens.
"""

from collections.abc import Mapping
from typing import Final, get_args

from msgspec import Struct

from gateway.protocol.malformed import Fault


class RefusalCause(Struct, frozen=True):
    """The problem, and the remedy for the operator."""

    what: str
    remedy: str


_DISK: Final = "free space for `journal.directory` or make it writable; until then all messages are refused"
_OPA: Final = "check the log lines about OPA before this one, and whether OPA runs and has CPU and memory"
_BUNDLE: Final = "publish a bundle for this gateway and environment; see `policy_problem` in /readyz"
_SERVER: Final = "check whether the MCP server runs and is reachable from here, or report it to its owner"
_ANSWER: Final = "report it to the owner of the MCP server"
_SHED: Final = "find the sender in the journal; if the load is expected, add workers or CPU"

AT_SOURCE: Final[Mapping[str, RefusalCause]] = {
    "journal_unavailable": RefusalCause("records cannot be written to the journal", _DISK),
    "policy_unavailable": RefusalCause("OPA does not give a usable answer", _OPA),
    "policy_error": RefusalCause(
        "the policy fails to evaluate a message", "correct the requirement; replay the call to see it"
    ),
    "policy_regressed": RefusalCause(
        "OPA uses an older policy than one that was already enforced",
        "let OPA follow the newest bundle, or publish again",
    ),
    "policy_expired": RefusalCause("the policy in force has expired", "publish a newer bundle"),
    "policy_stale": RefusalCause(
        "the policy in force has not been confirmed as current for too long",
        "check whether the hubs of `policy.bundle` can be reached",
    ),
    "bundle_unreadable": RefusalCause("the policy in force does not state what it was made for", _BUNDLE),
    "bundle_of_other_environment": RefusalCause("the policy in force was made for another environment", _BUNDLE),
    "bundle_input_unknown": RefusalCause("the policy in force expects another form of policy input", _BUNDLE),
    "bundle_needs_newer_gateway": RefusalCause("the policy in force needs a newer gateway", "update this gateway"),
    "overloaded": RefusalCause("OPA is too slow for the number of callers that wait for decisions", _SHED),
    "too_many_questions": RefusalCause("messages of one caller wait too long for decisions", _SHED),
}
"""Logged by the clients of OPA and of the journal, with their detail."""

AT_EDGE: Final[Mapping[str, RefusalCause]] = {
    "keys_unavailable": RefusalCause(
        "the key set of an issuer cannot be fetched, so its tokens are refused",
        "see the log line about its key set, and `keys_url` in `identity.issuers`",
    ),
    "rate_limited": RefusalCause(
        "callers have too many open streams", "see `limits.streams` and `limits.streams_per_principal`"
    ),
    "too_many_exchanges": RefusalCause(
        "a caller has too many open requests",
        "check `limits.exchanges_per_principal`, and find the caller in the journal",
    ),
    "too_many_bytes": RefusalCause(
        "the open requests of a caller are too large",
        "check `limits.bytes_per_principal`, and find the caller in the journal",
    ),
    "obligation_unsupported": RefusalCause(
        "the policy requires an obligation that this gateway cannot meet", "correct the policy, or update this gateway"
    ),
    "recording_unsupported": RefusalCause(
        "the catalog requires arguments recorded for an auditor, but this gateway has no auditor's key",
        "set `journal.auditor_key`, or change `record` in the catalog",
    ),
    "credential_missing": RefusalCause(
        "the gateway has no credential for an MCP server", "put it into the directory of `secrets.directory`"
    ),
    "upstream_unavailable": RefusalCause("an MCP server cannot be reached", _SERVER),
    "upstream_timeout": RefusalCause("an MCP server does not answer in time", _SERVER),
    "upstream_broken": RefusalCause("an MCP server sends answers that are not valid MCP", _ANSWER),
    "result_too_large": RefusalCause(
        "an MCP server sends answers that are larger than allowed",
        "raise `limits.result_bytes`, or report it to its owner",
    ),
    "unread_input_request": RefusalCause(
        "an MCP server sends answers that ask for input and are too large to judge", _ANSWER
    ),
}
"""Logged at the answer to a request; refusals caused by a server are logged for each server."""

JOURNALED: Final[Mapping[str, frozenset[str]]] = {
    "policy decided": frozenset({"policy_denied", "approval_required", "stopped"}),
    "the caller's credential": frozenset(
        {
            *("token_missing", "token_in_query", "token_malformed", "token_repeated", "token_unknown"),
            *("issuer_unknown", "algorithm_refused", "key_unknown", "signature_wrong", "token_expired"),
            *("token_not_yet_valid", "audience_wrong", "claims_unusable", "scope_insufficient"),
            "not_authenticated",
        }
    ),
    "the caller's message": frozenset(
        {
            *("batch_refused", "message_malformed", "method_unknown", "response_unknown", "session_unknown"),
            *("task_unknown", "uri_not_normal", "body_incomplete", "body_too_large", "head_too_large"),
            *("host_refused", "origin_refused"),
            *(f"malformed_{fault}" for fault in get_args(Fault)),
        }
    ),
}
"""Not logged, grouped by their cause: only the journal and the metrics have them."""

ELSEWHERE: Final[Mapping[str, str]] = {"internal_failure": "gateway.server.endpoint, with the traceback"}
"""Logged by another module."""
