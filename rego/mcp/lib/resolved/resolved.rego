# METADATA
# title: Resolved
# description: |
#   The values that were joined from the bundle, for the record. Rule 1: a value that is unknown or not a text is null.
package mcp.lib.resolved

import data.mcp.lib.agents
import data.mcp.lib.call
import data.mcp.lib.catalog
import data.mcp.lib.definitions
import data.mcp.lib.principal

facts := {
	"agent": _agent,
	"server": _server,
	"action": call.action,
	"action_source": call.action_source,
	"pin": definitions.state,
	"data": _data,
	"reach": _reach,
}

_data := catalog.data_classes if {
	catalog.data_classes
} else := null

_reach := catalog.target.reach if {
	is_string(catalog.target.reach)
} else := null

_agent := {
	"id": principal.agent_id,
	"owner": principal.agent.owner,
	"purpose": principal.agent.purpose,
	"kind": principal.agent.kind,
} if {
	agents.registered
} else := {
	"id": principal.agent_id,
	"owner": _text("owner"),
	"purpose": _text("purpose"),
	"kind": _text("kind"),
} if {
	principal.agent
} else := null

_text(field) := text if {
	text := principal.agent[field]
	is_string(text)
} else := ""

_server := {"id": input.server.id, "trust": catalog.server.trust, "owner": _owner} if {
	catalog.server_is_complete
} else := {"id": input.server.id, "trust": "", "owner": _owner} if {
	catalog.server
} else := null

_owner := catalog.server.owner if {
	is_string(catalog.server.owner)
} else := ""
