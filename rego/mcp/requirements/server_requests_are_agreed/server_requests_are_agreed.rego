# METADATA
# title: The server's requests are agreed
# description: The catalog agrees that this server may ask this of the client.
# custom:
#   severity: high
#   remedy: Ask the owner of the catalog whether this server may ask this.
package mcp.requirements.server_requests_are_agreed

import data.mcp.lib.server_requests

met if server_requests.agreed

because contains server_requests.complaint
