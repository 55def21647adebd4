# METADATA
# title: Definitions
# description: |
#   The definition that the server presents for the target, compared with the one that was reviewed and pinned. Rule 1:
#   a definition that was not seen never matches. Rule 2: a change has a class (description, schema, annotations, added,
#   removed). A change of no class is `other`, which no data can allow. Rule 3: a definition matches as a whole and in
#   each part: reviewers see the text of the parts, so the digest of the whole alone must not admit other text. Rule 4:
#   the default `execution` of a tool is the same as no `execution`.
package mcp.lib.definitions

import data.mcp.lib.catalog

# METADATA
# description: The state of the definition, one of match, drift, unpinned, unseen.
state := "match" if {
	is_string(input.definition.sha256)
	catalog.target.pin.sha256 == input.definition.sha256
	catalog.target.pin.parts == input.definition.parts
} else := "match" if {
	_differs_only_in_a_default
} else := "unpinned" if {
	input.target.type in {"none", "task"}
} else := "unseen" if {
	not _is_presented
} else := "unseen" if {
	not catalog.target
} else := "unpinned" if {
	catalog.target.pin == null
} else := "drift"

_is_presented if is_string(input.definition.sha256)

# A server that supports several revisions can state `execution` only in 2025-11-25. The default and a missing
# `execution` mean the same: the tool does not run as a task.
_differs_only_in_a_default if {
	_is_presented
	is_object(input.definition.parts)
	catalog.target.pin.parts != input.definition.parts
	_pinned == _shown
}

_pinned := _without_default(catalog.target.pin.parts)

_shown := _without_default(input.definition.parts)

_without_default(parts) := {part: digest | some part, digest in parts; not _is_default(part, digest)}

# The digests of `{"taskSupport": "forbidden"}` and of `{}`.
_is_default("execution", digest) if digest in {
	"52ff05b03bdc12840246937060687ff160a610a978c5933804c97eee503186b1",
	"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
}

# METADATA
# description: The classes of the changes since the pin.
changes := classes if {
	state == "drift"
	classes := {class | some class in _classes}
	count(classes) > 0
} else := {"other"} if {
	state == "drift"
} else := set()

_classes contains "added" if {
	some part, _ in _shown
	not _pinned[part]
}

_classes contains "removed" if {
	some part, _ in _pinned
	not _shown[part]
}

_classes contains _class(part) if {
	some part, digest in _shown
	_pinned[part] != digest
}

_class(part) := class if {
	class := _class_of[part]
} else := "other"

_class_of := {
	"title": "description",
	"description": "description",
	"icons": "description",
	"inputSchema": "schema",
	"outputSchema": "schema",
	"arguments": "schema",
	"mimeType": "schema",
	"annotations": "annotations",
}

# METADATA
# description: The changes that the catalog accepts without refusing (`allow`) or with a warning (`warn`).
tolerated := {class |
	some class in changes
	class in {"description", "schema", "annotations", "added", "removed"}
	catalog.server.definition_drift[class] in {"allow", "warn"}
}

cautions := {class | some class in tolerated; catalog.server.definition_drift[class] == "warn"}

# METADATA
# description: |
#   True if the definition is the pinned one, or its changes are tolerated. A pinned definition must be seen. A target
#   that has no pin and needs none may be missing from the server's list, or the list may have failed, but the question
#   must state which.
accepted if state == "match"

accepted if input.target.type in {"none", "task"}

accepted if {
	state == "unpinned"
	_pins_are_optional
}

accepted if {
	input.target.type == "resource"
	catalog.target.pin == null
	_pins_are_optional
}

accepted if {
	state == "unseen"
	input.definition_status in {"not_listed", "listing_failed"}
	catalog.target.pin == null
	_pins_are_optional
}

accepted if {
	count(changes) > 0
	every class in changes { class in tolerated }
}

complaint := sprintf("The server changed the definition since it was reviewed (%s)", [concat(", ", changes)]) if {
	state == "drift"
} else := "The definition was never reviewed: it has no pin, and this environment requires one" if {
	catalog.target.pin == null
	not _pins_are_optional
} else := "The server's list failed, so the definition cannot be compared with the reviewed one" if {
	catalog.target
	input.definition_status == "listing_failed"
} else := "The server's list does not contain the target, so its definition cannot be compared with the reviewed one" if {
	catalog.target
	input.definition_status == "not_listed"
} else := "The server did not show the target, or could not be asked for it, so its definition cannot be compared with the reviewed one" if {
	catalog.target
}

_pins_are_optional if data.environment.require_pins == false

caution := sprintf("The server changed the definition since it was reviewed (%s)", [concat(", ", cautions)])
