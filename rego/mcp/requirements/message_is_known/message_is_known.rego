# METADATA
# title: The message is known
# description: The method is one that policy knows, carried by the right kind of message and touching the right kind of target.
# custom:
#   severity: high
#   remedy: Use a method of the Model Context Protocol; this gateway refuses those that it does not know.
package mcp.requirements.message_is_known

import data.mcp.lib.messages

met if messages.known

because contains sprintf("the method %v is not known here in this form", [input.message.method])
