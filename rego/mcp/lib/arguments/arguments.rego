# METADATA
# title: Arguments
# description: |
#   The gateway's verdict on the arguments under the presented schema. Rule 1: arguments that were not checked do not
#   fit. Rule 2: there is no verdict on a target that the catalog does not list, even if the server has it. Rule 3:
#   keywords that cannot be checked are tolerated only if the environment says so, and formats that do not match only if
#   the catalog says so.
package mcp.lib.arguments

import data.mcp.lib.call
import data.mcp.lib.catalog

fit if {
	_listed
	_fits_schema
	_fits_formats
	_is_checked_enough
}

# METADATA
# description: The reasons why the arguments do not fit, from the gateway if it gives any, else a general reason.
complaints contains message if {
	_does_not_fit
	some message in _errors
}

complaints contains message if {
	_does_not_fit
	_errors == set()
	message := _words[input.arguments_meta.schema]
}

complaints contains message if {
	_listed
	not _is_checked_enough
	message := sprintf(
		"The server's schema has keywords that cannot be checked (%s), and this environment refuses such tools",
		[concat(", ", [pointer | some number, pointer in _unchecked; number < 5; is_string(pointer)])],
	)
}

_does_not_fit if {
	_listed
	not _fits_schema
}

_does_not_fit if {
	_listed
	not _fits_formats
}

_fits_schema if input.arguments_meta.schema in {"match", "none"}

_fits_formats if input.arguments_meta.schema == "none"

_fits_formats if input.arguments_meta.formats in {"match", "none"}

_fits_formats if catalog.server.check_formats == false

_is_checked_enough if _unchecked == []

_is_checked_enough if data.environment.check_schemas == "lenient"

# This reads one path: a read of the whole input would count as a read of fields that the journal masks.
_unchecked := unchecked if {
	unchecked := input.arguments_meta.unchecked
} else := []

_errors := {error.message |
	some error in input.arguments_meta.errors
	is_string(error.message)
}

_words := {
	"match": "The arguments do not match the formats in the schema that the server presents",
	"mismatch": "The arguments do not match the schema that the server presents",
	"uncheckable": "The arguments cannot be checked against the schema that the server presents",
}

_listed if catalog.target

_listed if call.targetless
