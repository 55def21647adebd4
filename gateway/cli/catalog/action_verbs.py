"""The verbs in names of tools, by the class of action that they stand for.

Rule 1: a verb that may do more than read is in the class of its worst effect: `query` runs a statement, `fetch` sends a
request to an address, `resolve` closes a discussion.
Rule 2: a word that is a noun in most names (`log`, `request`, `page`) has no class: alone, it makes a tool unknown.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal

Action = Literal["read", "write", "delete", "send", "execute", "unknown"]

VERBS: Final[Mapping[Action, str]] = {
    "read": (
        "cat compare count describe diff explain find get grep head inspect list lookup ls peek preview print read "
        "retrieve search show summarize tail tree view whoami"
    ),
    "write": (
        "accept acknowledge activate add adjust alter amend annotate append apply approve archive arrange assign "
        "attach backup ban block bookmark branch bump change checkout cherry clear clone close commit complete "
        "compress configure convert copy cordon cp create deactivate decline define demote deny detach disable dismiss "
        "download draft drag duplicate edit enable encrypt decrypt expose extract favorite finish follow fork format "
        "freeze generate grant hide ignore import increment init initialize insert join label leave link load lock "
        "make mark merge migrate mkdir modify mount move mute mutate mv open optimize organize patch pause persist "
        "pin prioritize process promote prepend provision put react rebase record redo reject register remember "
        "rename render reopen reorder replace reset resize resolve restore resume reserve rotate save scale schedule "
        "select set setup snooze sort split squash stage star stash store subscribe suspend swap sync synchronize tag "
        "taint touch toggle track transform transition translate unarchive unassign unban unblock undo unfollow unhide "
        "unlink unlock unmount unmute unpin unset unstage unstar unsubscribe update upgrade upsert upvote vote watch "
        "write zip unzip"
    ),
    "send": (
        "announce ask browse broadcast buy charge comment contact crawl deliver dial dispatch email emit export fetch "
        "forward invite mail mention message notify pay payout ping post publish purchase push refund release reply "
        "respond retweet review scrape sell send sendmail share sign submit sms tell trade transfer "
        "transmit tweet upload visit withdraw"
    ),
    "delete": (
        "abandon abort cancel cleanup clean delete deprovision destroy deregister discard downgrade drain drop empty "
        "erase evict expire expunge flush forget kick overwrite prune purge remove revert revoke rm rmdir rollback "
        "shred squelch terminate trash truncate undeploy uninstall unpublish unregister vacuum void wipe"
    ),
    "execute": (
        "authenticate authorize automate bash boot build call click compile connect crash debug deploy do drive "
        "escalate eval evaluate exec execute fill hover impersonate inject install instantiate interact invoke kill "
        "killall launch login logout navigate operate orchestrate perform play press proceed program query reboot "
        "relaunch rerun restart retry run schedule script scroll shell shutdown simulate spawn sql start step "
        "stop sudo tap terminal test transact trigger tunnel type uncordon use"
    ),
}
HARM: Final[tuple[Action, ...]] = (*VERBS, "unknown")
"""From the least harm to the most; an unknown action may do anything."""


def _class_of() -> Mapping[str, Action]:
    """Return verb -> class; a verb in two classes gets the worse one."""
    return {verb: action for action, verbs in VERBS.items() for verb in re.findall(r"\w+", verbs)}


CLASS_OF: Final[Mapping[str, Action]] = _class_of()
PHRASES: Final = frozenset({("workflow", "run"), ("workflow", "runs"), ("job", "run")})
"""Pairs of a noun and a verb that are a noun together: `delete_workflow_run_logs` runs nothing."""
NOUNS: Final = frozenset(
    re.findall(
        r"\w+",
        "archive ban block bookmark branch build call cat change charge click clone comment commit contact copy "
        "count download draft drive email empty export favorite file fill fork format get grant head import "
        "invite label link list load lock lookup mail mark mention merge message mount move mute "
        "patch pay payout pin play post preview print process program proxy purchase push query react record "
        "refund register release reply reserve reset restore retweet review run schedule scale script search "
        "select send set share shell show sign sms sort split stage star start stash step stop store swap sync tag tap "
        "taint tail terminal test touch track trade transfer transition translate trash tree trigger tunnel tweet "
        "type update upgrade upload use view visit vote watch zip",
    )
)
"""Verbs whose third person is often a plural noun: `list_comments` comments on nothing."""
