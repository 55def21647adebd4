# METADATA
# title: The principal is verified
# description: The caller presented a credential that this bundle knows and that has not expired.
# custom:
#   severity: critical
#   remedy: Present a valid token. Ask the owner of the agent for a new one.
package mcp.requirements.principal_is_verified

import data.mcp.lib.principal

met if principal.verified

because contains principal.complaint
