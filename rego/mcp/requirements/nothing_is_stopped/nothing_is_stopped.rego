# METADATA
# title: Nothing is stopped
# description: No stop applies to the message, and the document of stops can be read.
# custom:
#   severity: critical
#   remedy: Wait until the stop ends, or ask the person who made it to lift it.
package mcp.requirements.nothing_is_stopped

import data.mcp.lib.emergency

met if emergency.nothing_is_stopped

because contains complaint if some complaint in emergency.complaints
