# METADATA
# title: Resolved
# description: |
#   What was joined from the bundle, for the record. Rule 1: what is not known, or is no text, is null.
package mcp.lib.resolved

import data.mcp.lib.call

facts := {
	"agent": _agent,
	"server": _server,
	"action": call.action,
	"action_source": call.action_source,
	"pin": call.pin,
}

_agent := agent if {
	agent := {
		"id": call.agent_id,
		"owner": call.agent.owner,
		"purpose": call.agent.purpose,
		"kind": call.agent.kind,
	}
	every text in agent { is_string(text) }
} else := null

_server := server if {
	server := {"id": input.server.id, "trust": call.server.trust}
	every text in server { is_string(text) }
} else := null
