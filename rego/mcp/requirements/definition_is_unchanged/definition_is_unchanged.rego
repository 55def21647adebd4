# METADATA
# title: The definition is unchanged
# description: What the server presents the target to be is what was reviewed and pinned.
# custom:
#   severity: high
#   remedy: Ask the owner of the server to review the change and renew the pin, or to see why the server does not show it.
package mcp.requirements.definition_is_unchanged

import data.mcp.lib.definitions

met if definitions.accepted

because contains definitions.complaint
