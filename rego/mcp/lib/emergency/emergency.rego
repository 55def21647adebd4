# METADATA
# title: Emergency
# description: |
#   The stops that concern a message, from a bundle of their own: the only reader of data.emergency. Rule 1: where OPA
#   follows no such bundle, nothing is stopped. Rule 2: a document that is not what its maker writes stops everything.
#   Rule 3: a stop stands until the question is surely asked after its end; when it was made does not shorten it.
package mcp.lib.emergency

import data.mcp.lib.call
import data.mcp.lib.catalog
import data.mcp.lib.clock

# The first body decides nearly always, and reads single entries only: what is read whole costs by its size.
nothing_is_stopped if {
	_whole
	count(standing) == 0
}

nothing_is_stopped if not _followed

# METADATA
# description: The stops that are in force for this message.
standing contains stop if some stop in _in_force(data.emergency.agent[call.agent_id])

standing contains stop if some stop in _in_force(data.emergency.principal[input.principal.subject])

standing contains stop if {
	is_string(input.principal.issuer)
	is_string(input.principal.subject)
	issued := concat("#", [input.principal.issuer, input.principal.subject])
	some stop in _in_force(data.emergency.principal[issued])
}

standing contains stop if some stop in _in_force(data.emergency.server[input.server.id])

standing contains stop if {
	not call.targetless
	is_string(call.target_text)
	named := concat("/", [input.server.id, call.target_text])
	some stop in _in_force(data.emergency.target[named])
}

# METADATA
# description: What is said of each stop, and of a document that is damaged.
complaints contains complaint if {
	some stop in standing
	complaint := sprintf("%v %v is stopped by %v until %v: %v (stop %v)", [
		stop.kind,
		stop.name,
		stop.by,
		_moment(stop.until_unix_ns),
		stop.because,
		stop.id,
	])
}

complaints contains "the document of stops is damaged, so that everything counts as stopped" if {
	_followed
	not _whole
}

_followed if catalog.defined(data.emergency)

# Each kind has an entry under the empty name, which nothing bears, so that its presence can be seen.
_whole if {
	data.emergency.schema == "mcp.emergency/v1"
	data.emergency.agent[""] == []
	data.emergency.principal[""] == []
	data.emergency.server[""] == []
	data.emergency.target[""] == []
}

# What is no list of stops stands for a stop without an end.
_in_force(entries) := {stop | some stop in entries; not _over(stop)} if {
	is_array(entries)
} else := {{}}

_over(stop) if {
	is_number(stop.until_unix_ns)
	clock.now >= stop.until_unix_ns
}

_moment(unix_ns) := time.format(unix_ns) if {
	unix_ns > 0
	unix_ns < 4102444800000000000
	round(unix_ns) == unix_ns
} else := "further notice"
