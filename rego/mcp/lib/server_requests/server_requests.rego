# METADATA
# title: Server requests
# description: |
#   What a server asks of the client (sampling, elicitation, roots). Rule 1: the gateway names it as the target of a
#   message without one, and `message_is_known` ties that name to the method. Rule 2: what the catalog's entry of the
#   server does not agree to is refused.
package mcp.lib.server_requests

import data.mcp.lib.call
import data.mcp.lib.capabilities

agreed if input.target.type in {"tool", "resource", "prompt", "task"}

agreed if is_null(input.target.name)

agreed if capabilities.named

agreed if input.target.name in call.server.server_requests

complaint := sprintf("the catalog does not agree that server %s may ask for %s", [input.server.id, input.target.name]) if {
	call.targetless
	is_string(input.target.name)
}
