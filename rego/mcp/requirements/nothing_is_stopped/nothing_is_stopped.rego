# METADATA
# title: Nothing is stopped
# description: Neither agent, principal, server nor target is stopped, and the document of stops can be read.
# custom:
#   severity: critical
#   remedy: Wait for the end of the stop, or ask whoever stopped it to lift it.
package mcp.requirements.nothing_is_stopped

import data.mcp.lib.emergency

met if emergency.nothing_is_stopped

because contains complaint if some complaint in emergency.complaints
