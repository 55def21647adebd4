# METADATA
# title: Emergency
# description: |
#   The stops that apply to a message, from a bundle of their own. This is the only reader of data.emergency. Rule 1: if
#   OPA follows no such bundle, nothing is stopped. Rule 2: a document that does not have the form that its writer uses
#   stops everything. Rule 3: a stop is in force until the question is surely asked after its end; the time at which it
#   was made does not shorten it. Rule 4: a stop is found by one selector, and refuses unless another of its selectors
#   surely does not match. Rule 5: every stop of a principal or group applies to a caller whose subject or groups are
#   unknown.
package mcp.lib.emergency

import data.mcp.lib.call
import data.mcp.lib.catalog
import data.mcp.lib.clock
import data.mcp.lib.principal

# The first body nearly always decides. It reads only single entries, because the cost of reading a whole document grows
# with its size.
nothing_is_stopped if {
	_whole
	count(standing) == 0
}

nothing_is_stopped if not _followed

# METADATA
# description: The stops that are in force for this message.
standing contains stop if some stop in _in_force(data.emergency.agent[call.agent_id])

standing contains stop if some stop in _in_force(data.emergency.principal[input.principal.subject])

standing contains stop if some stop in _in_force(data.emergency.principal[_issued(input.principal.subject)])

standing contains stop if {
	"subject" in principal.unknown
	some entries in data.emergency.principal
	some stop in _in_force(entries)
}

standing contains stop if some stop in _in_force(data.emergency.server[input.server.id])

standing contains stop if some stop in _in_force(data.emergency.target[_target])

standing contains stop if {
	_extended
	some stop in _in_force(data.emergency.session[input.context.session])
}

standing contains stop if {
	_extended
	some name in _groups
	some stop in _in_force(data.emergency.group[name])
}

standing contains stop if {
	_extended
	"groups" in principal.unknown
	some entries in data.emergency.group
	some stop in _in_force(entries)
}

standing contains stop if {
	_extended
	some label in call.agent.labels
	some stop in _in_force(data.emergency.label[label])
}

standing contains stop if {
	_extended
	some stop in _in_force(data.emergency.kind[call.agent.kind])
}

standing contains stop if {
	_extended
	some tag in call.server.tags
	some stop in _in_force(data.emergency.tag[tag])
}

standing contains stop if {
	_extended
	some action in call.actions
	call.may(action)
	some stop in _in_force(data.emergency.action[action])
}

# METADATA
# description: The reasons for each stop that applies, and for a damaged document.
complaints contains complaint if {
	some stop in standing
	complaint := sprintf("Stop `%v` by %v applies to %v until %v: %v", [
		stop.id,
		stop.by,
		_selected(stop),
		_moment(stop.until_unix_ns),
		stop.because,
	])
}

complaints contains "The document of stops is damaged, so everything counts as stopped" if {
	_followed
	not _whole
}

_followed if catalog.defined(data.emergency)

# The newer form has more kinds. A library that does not know it treats the document as damaged and stops everything.
_extended if data.emergency.schema == "mcp.emergency/v2"

# Each kind has an entry under the empty name, so that the presence of the kind can be checked. Nothing has an empty
# name.
_whole if {
	data.emergency.schema == "mcp.emergency/v1"
	_has_first_kinds
}

_whole if {
	_extended
	_has_first_kinds
	data.emergency.session[""] == []
	data.emergency.group[""] == []
	data.emergency.label[""] == []
	data.emergency.kind[""] == []
	data.emergency.tag[""] == []
	data.emergency.action[""] == []
}

_has_first_kinds if {
	data.emergency.agent[""] == []
	data.emergency.principal[""] == []
	data.emergency.server[""] == []
	data.emergency.target[""] == []
}

# An entry that is not a list of stops counts as a stop without an end time.
_in_force(entries) := {stop | some stop in entries; not _over(stop); not _is_elsewhere(stop)} if {
	is_array(entries)
} else := {{}}

# True if one of the other selectors of a stop surely does not match. A selector that this library does not know matches
# every message.
_is_elsewhere(stop) if {
	some kind, name in stop.also
	_kinds[kind]
	not _matches(kind, name)
}

_kinds := {"agent", "principal", "server", "target", "session", "group", "label", "kind", "tag", "action"}

_matches("agent", name) if name == call.agent_id

_matches("principal", name) if name == input.principal.subject

_matches("principal", name) if name == _issued(input.principal.subject)

_matches("principal", _) if "subject" in principal.unknown

_matches("server", name) if name == input.server.id

_matches("target", name) if name == _target

_matches("session", name) if name == input.context.session

_matches("group", name) if name in _groups

_matches("group", _) if "groups" in principal.unknown

_matches("label", name) if name in call.agent.labels

_matches("kind", name) if name == call.agent.kind

_matches("tag", name) if name in call.server.tags

_matches("action", name) if call.may(name)

_issued(name) := concat("#", [input.principal.issuer, name]) if {
	is_string(input.principal.issuer)
	is_string(name)
}

_groups contains group if some group in input.principal.groups

_groups contains _issued(group) if some group in input.principal.groups

_target := concat("/", [input.server.id, call.target_text]) if {
	not call.targetless
	is_string(call.target_text)
}

_selected(stop) := concat(", ", array.concat([concat(" ", [stop.kind, stop.name])], [text |
	some kind, name in stop.also
	text := concat(" ", [kind, name])
]))

_over(stop) if {
	is_number(stop.until_unix_ns)
	clock.now >= stop.until_unix_ns
}

_moment(unix_ns) := time.format(unix_ns) if {
	unix_ns > 0
	unix_ns < 4102444800000000000
	round(unix_ns) == unix_ns
} else := "further notice"
