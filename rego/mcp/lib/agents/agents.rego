# METADATA
# title: Agents
# description: |
#   Whether the agent's registration is complete and in force, and what it was registered for. Rule 1: an unknown action
#   is in scope only where every action is.
package mcp.lib.agents

import data.mcp.lib.call
import data.mcp.lib.clock
import data.mcp.lib.patterns

registered if {
	_said(call.agent.owner)
	_said(call.agent.purpose)
	_said(call.agent.kind)
	is_array(call.agent.labels)
	clock.unexpired(call.agent.expires)
}

server_in_scope if {
	some pattern in call.agent.scope.servers
	patterns.matches(pattern, input.server.id)
}

action_in_scope if call.targetless

action_in_scope if "*" in call.agent.scope.actions

action_in_scope if {
	call.action in call.actions
	call.action in call.agent.scope.actions
}

_said(text) if {
	is_string(text)
	text != ""
}
