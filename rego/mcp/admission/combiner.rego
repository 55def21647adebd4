# METADATA
# title: Admission
# description: |
#   The two entrypoints, `decision` and `listing`, which combine the results of each requirement in requirements.rego.
#   Rule 1: a message passes only if every requirement is met, or if data that is in effect relaxes it. Rule 2: deny
#   beats hold beats allow. No verdict is a deny, and so is an allow without grounds. Rule 3: only an allow has a route.
package mcp.admission

import data.mcp.lib.agents
import data.mcp.lib.bundle
import data.mcp.lib.call
import data.mcp.lib.catalog
import data.mcp.lib.definitions
import data.mcp.lib.enforcement
import data.mcp.lib.facts
import data.mcp.lib.principal
import data.mcp.lib.resolved
import data.mcp.lib.rules
import data.mcp.lib.rules.candidates
import data.mcp.lib.rules.words

# METADATA
# description: The answer to one question. Most messages are clean, and their answer needs no further evaluation.
# entrypoint: true
decision := {
	"schema": "mcp.decision/v1",
	"outcome": "allow",
	"reasons": [],
	"grounds": rules.grounds,
	"warnings": [],
	"shadow": [],
	"obligations": [],
	"labels": {"add": []},
	"resolved": resolved.facts,
	"observe": false,
	"reads": bundle.reads,
	"record": catalog.record,
	"route": catalog.route,
} if {
	_clean
}

decision := object.union(object.union(_judged, _route), _needed) if not _clean

# METADATA
# description: The verdicts on a chunk of list items. Each is judged as the call that it would be, without arguments.
# entrypoint: true
listing := {
	"schema": "mcp.listing/v1",
	"items": [{"listed": count(refused_by) == 0, "refused_by": refused_by} |
		some item in input.items
		refused_by := _refused_by(object.union(_base, item))
	],
}

# The item replaces whole keys of the question, so these keys of the list are removed and nothing is merged.
_base := object.remove(input, {
	"items",
	"message",
	"target",
	"definition",
	"definition_status",
	"arguments",
	"arguments_meta",
})

_refused_by(question) := [name |
	some name in (unmet_standing | _unmet_by(question))
	enforcement.mode(name) == "deny"
]

# Values that are the same for every item are computed once for the list: the offered rules and their standing.
_unmet_by(question) := names if {
	names := unmet_varying with input as question
		with data.mcp.lib.rules.candidates.offers as _offers
		with data.mcp.lib.rules.candidates.read as _read
}

_offers := {row: offer | some row, offer in candidates.offers}

_read := {id: read |
	some offer in _offers
	some id in (offer.allow | object.keys(offer.look))
	read := candidates.read[id]
}

# True if every requirement is met and nothing must be held, reported, relaxed or computed.
_clean if {
	met
	met_by_arguments
	not enforcement.observing
	not rules.some_is_relaxed
	rules.holding == set()
	definitions.state != "drift"
	rules.grounds
	catalog.route
	facts.needed == []
}

_judged := {
	"schema": "mcp.decision/v1",
	"outcome": _outcome,
	"reasons": [reason | some reason in _reasons(_outcome)],
	"grounds": _grounds(_outcome),
	"warnings": [reason | some reason in _warnings],
	"shadow": [reason | some reason in _shadows],
	"obligations": [],
	"labels": {"add": []},
	"resolved": resolved.facts,
	"observe": _observed,
	"reads": bundle.reads,
	"record": catalog.record,
	"needs_definition": _needs_definition,
}

# True if the message is refused, possibly only because the server's list failed.
_needs_definition if {
	input.definition_status == "listing_failed"
	_outcome != "allow"
	reasons := _reasons(_outcome)
	count(reasons) > 0
	every reason in reasons { reason.requirement in call.judged_by_definition }
} else := false

_outcome := "deny" if {
	count(_taken("deny")) > 0
} else := "deny" if {
	not catalog.route
} else := "hold" if {
	count(_holds) > 0
} else := "allow" if {
	_allow_grounds
} else := "deny"

_route := {"route": catalog.route} if {
	_outcome == "allow"
} else := {}

_needed := {"needs_facts": facts.needed} if {
	facts.needed != []
} else := {}

_refused := (unmet_standing | unmet_varying) | unmet_by_arguments

# The reasons whose requirement is enforced in this mode.
_taken(mode) := {reason |
	some name in _refused
	enforcement.mode(name) == mode
	some message in _messages(name)
	reason := _reason(name, message)
}

_messages(name) := messages if {
	messages := {message | some message in because(name); is_string(message)}
	count(messages) > 0
} else := {sprintf("This requirement is not met: %v", [bundle.about(name).message])}

_reason(name, message) := object.union(bundle.about(name), {"requirement": name, "message": message})

_rule_holds := {_reason("rules_permit", words.approval(id)) | some id in rules.holding}

# A hold of the rules has the same mode as their refusal, and never becomes more than a hold.
_holds := _taken("hold") | _rule_holds if {
	enforcement.mode("rules_permit") in {"deny", "hold"}
} else := _taken("hold")

_warnings := ((_taken("warn") | _rule_holds_in("warn")) | _relaxed("warn")) | _cautions

_shadows := (_taken("shadow") | _rule_holds_in("shadow")) | _relaxed("shadow")

_rule_holds_in(mode) := _rule_holds if {
	enforcement.mode("rules_permit") == mode
} else := set()

_relaxed(mode) := {_reason("rules_permit", words.relaxed(id)) | some id in rules.relaxed(mode)}

_cautions := {_reason("definition_is_unchanged", definitions.caution) | count(definitions.cautions) > 0}

_reasons("allow") := set()

_reasons("hold") := _holds

_reasons("deny") := _denials

_denials := {reason | some reason in (_taken("deny") | _holds); not reason.requirement in _consequences} if {
	count(_taken("deny")) > 0
} else := {_reason("rules_permit", "Nothing was found that allows this")}

# A reason that only follows from another reason is left out: if an agent, a server or a target is unknown, everything
# about it is unknown as well.
_consequences := (_of_stranger | _of_strange_server) | _of_strange_target

_of_stranger := {"agent_is_cleared", "agent_stays_in_scope", "rules_permit"} if {
	not principal.agent
	"agent_is_registered" in _refused
} else := set()

_of_strange_server := {"target_is_listed"} | _about_target if {
	not catalog.server
	"server_is_listed" in _refused
} else := set()

_of_strange_target := _about_target if {
	not call.targetless
	"target_is_listed" in _refused
	enforcement.mode("target_is_listed") == "deny"
} else := set()

_about_target := {
	"agent_is_cleared",
	"arguments_match_the_schema",
	"definition_is_unchanged",
	"rules_permit",
} | _by_action

# Without a target there is no action that could be in scope.
_by_action := {"agent_stays_in_scope"} if {
	agents.server_in_scope
} else := set()

_grounds("allow") := _allow_grounds

_grounds("hold") := [rules.ground(id) | some id in rules.holding]

_grounds("deny") := [rules.ground(id) | some id in rules.refusing; not "rules_permit" in _consequences]

_allow_grounds := [enforcement.ground] if {
	not _rules_allow
} else := rules.grounds

_rules_allow if {
	not "rules_permit" in _refused
	count(_rule_holds) == 0
}

_observed if {
	enforcement.observing
} else := false
