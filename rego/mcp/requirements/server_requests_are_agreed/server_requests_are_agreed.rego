# METADATA
# title: The server's requests are agreed
# description: The catalog allows this server to send this request to the client.
# custom:
#   severity: high
#   remedy: Ask the owner of the catalog whether this server may send this request.
package mcp.requirements.server_requests_are_agreed

import data.mcp.lib.server_requests

met if server_requests.agreed

because contains server_requests.complaint
