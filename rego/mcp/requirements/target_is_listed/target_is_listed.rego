# METADATA
# title: The target is listed
# description: The catalog lists this tool, resource or prompt of the server.
# custom:
#   severity: high
#   remedy: Ask the owner of the server to review the target and add it to the catalog.
package mcp.requirements.target_is_listed

import data.mcp.lib.call
import data.mcp.lib.capabilities
import data.mcp.lib.catalog

met if catalog.target

met if {
	call.targetless
	capabilities.useful
}

because contains sprintf("The catalog does not list %v `%v` of server `%v`", [input.target.type, call.target_text, input.server.id]) if {
	not call.targetless
}

because contains sprintf("The catalog lists nothing of server `%v` for the capability `%v`", [input.server.id, input.target.name]) if {
	call.targetless
}
