# METADATA
# title: Candidate rules
# description: |
#   The rules that the index offers for this server and agent. Rule 1: the index may offer too much, never too little:
#   every field of a candidate is checked again. Rule 2: cost grows with what is offered, not with what exists.
package mcp.lib.rules.candidates

import data.mcp.lib.call
import data.mcp.lib.principal

# METADATA
# description: What rules can say about who asks, by the name of the field.
who := {
	"agents": {call.agent_id},
	"kinds": {call.agent.kind},
	"labels": {label | some label in call.agent.labels},
	"owners": {call.agent.owner},
	"groups": principal.groups,
}

# METADATA
# description: The rules of the index by id; a rule that the index names and the bundle lacks is an empty object.
rules[id] := _rule(id) if {
	some leaf in _leaves
	some id in leaf
}

# METADATA
# description: True where the index has the lists that every bundle has, and nothing but lists.
complete if {
	is_array(data.index.rules["*"].any)
	_server_is_indexed
	count(_leaves) > 0
	every leaf in _leaves { is_array(leaf) }
}

_server_is_indexed if is_array(data.index.rules[input.server.id].any)

# A server that is not in the catalog has no rules; `server_is_listed` refuses it.
_server_is_indexed if not data.catalog.servers[input.server.id]

_leaves contains leaf if {
	some server in ["*", input.server.id]
	some key in _keys
	leaf := data.index.rules[server][key]
}

_keys contains "any"

_keys contains concat("", [prefix, name]) if {
	some field, prefix in {"agents": "agent:", "kinds": "kind:", "labels": "label:", "owners": "owner:", "groups": "group:"}
	some name in who[field]
	is_string(name)
}

_rule(id) := rule if {
	rule := data.rules[id]
	is_object(rule)
} else := {}
