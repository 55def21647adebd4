# METADATA
# title: The definition is unchanged
# description: The definition that the server presents for the target is the one that was reviewed and pinned.
# custom:
#   severity: high
#   remedy: Ask the owner of the server to review the change and renew the pin, or to check why it is not listed.
package mcp.requirements.definition_is_unchanged

import data.mcp.lib.definitions

met if definitions.accepted

because contains definitions.complaint
