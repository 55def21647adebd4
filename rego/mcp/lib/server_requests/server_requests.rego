# METADATA
# title: Server requests
# description: |
#   The requests of a server to the client (sampling, elicitation, roots). Rule 1: the gateway states the request as the
#   target name of a message without a target, and `message_is_known` ties that name to the method. Rule 2: a request
#   that the catalog entry of the server does not allow is refused.
package mcp.lib.server_requests

import data.mcp.lib.call
import data.mcp.lib.capabilities

agreed if input.target.type in {"tool", "resource", "prompt", "task"}

agreed if is_null(input.target.name)

agreed if capabilities.named

agreed if input.target.name in call.server.server_requests

complaint := sprintf("The catalog does not allow server `%s` to send the request `%s`", [input.server.id, input.target.name]) if {
	call.targetless
	is_string(input.target.name)
}
