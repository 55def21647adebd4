# METADATA
# title: Call
# description: |
#   The message joined with the bundle: who calls what, in the words of the catalog. Requirements read this rather than
#   data. Rule 1: what the bundle does not know is undefined here. Rule 2: an action that nobody stated is `unknown`,
#   which counts as all of them.
package mcp.lib.call

import data.mcp.lib.catalog
import data.mcp.lib.definitions
import data.mcp.lib.principal

agent_id := principal.agent_id

agent := principal.agent

server := catalog.server

target := catalog.target

# METADATA
# description: True for initialize, discover, the lists, streams, and what a server asks of the client.
targetless if input.target.type == "none"

# METADATA
# description: What rules match globs with, the name of the target or its URI.
target_text := input.target.uri if {
	input.target.type == "resource"
} else := input.target.name

actions := {"read", "write", "delete", "send", "execute", "list"}

action := "list" if {
	targetless
} else := catalog.target.action if {
	actions[catalog.target.action]
} else := _annotated if {
	not _stated
} else := "unknown"

# METADATA
# description: Where the action comes from, one of catalog, annotation, default.
action_source := "default" if {
	targetless
} else := "catalog" if {
	actions[catalog.target.action]
} else := "annotation" if {
	not _stated
	_annotated
} else := "default"

# METADATA
# description: |
#   The requirements that may be unmet only because the definition was not seen: where the server's hints are believed,
#   they could have said the action.
judged_by_definition := {"definition_is_unchanged", "rules_permit", "agent_stays_in_scope"} if {
	not _stated
	_believed
} else := {"definition_is_unchanged"}

# METADATA
# description: True unless the message surely has another action; true for `unknown`.
may(act) if action == act

may(_) if action == "unknown"

pin := definitions.state

drift := definitions.changes

# METADATA
# description: The name of the upstream credential and whose it is; undefined where the server takes none.
credential := catalog.server.credential if is_object(catalog.server.credential)

_stated if catalog.defined(catalog.target.action)

# A server's hints count only where the catalog believes them, and only where they say all that is needed:
# the specification's defaults for what they leave out are the dangerous ones.
_annotated := "read" if {
	_believed
	input.definition.annotations.readOnlyHint == true
	not input.definition.annotations.destructiveHint == true
}

_annotated := "write" if {
	_believed
	input.definition.annotations.readOnlyHint == false
	input.definition.annotations.destructiveHint == false
	input.definition.annotations.openWorldHint == false
}

_believed if {
	catalog.server.believe_annotations == true
	catalog.target
}
