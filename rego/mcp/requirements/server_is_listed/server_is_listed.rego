# METADATA
# title: The server is listed
# description: The catalog has an entry for this server, with an address and an environment.
# custom:
#   severity: high
#   remedy: Ask the owner of the catalog to add the server.
package mcp.requirements.server_is_listed

import data.mcp.lib.catalog

met if catalog.server_is_complete

because contains sprintf("Server `%v` is not in the catalog", [input.server.id]) if not catalog.server

because contains sprintf("The catalog entry of server `%v` has no address, or differs from the entry that the build checked", [input.server.id]) if {
	catalog.server
}
