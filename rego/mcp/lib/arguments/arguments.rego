# METADATA
# title: Arguments
# description: |
#   The gateway's verdict on the arguments under the presented schema. Rule 1: what was not checked does not fit. Rule 2:
#   nothing is said of a target that the catalog does not list, whether or not the server has it.
package mcp.lib.arguments

import data.mcp.lib.call
import data.mcp.lib.catalog

fit if {
	_listed
	input.arguments_meta.schema in {"match", "none"}
}

complaint := _words[input.arguments_meta.schema] if _listed

_words := {
	"mismatch": "the arguments do not match the schema that the server presents",
	"uncheckable": "the arguments cannot be checked against the schema that the server presents",
}

_listed if catalog.target

_listed if call.targetless
