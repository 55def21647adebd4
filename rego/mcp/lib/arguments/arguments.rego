# METADATA
# title: Arguments
# description: |
#   The gateway's verdict on the arguments under the presented schema. Rule 1: what was not checked does not fit. Rule 2:
#   nothing is said of a target that the catalog does not list, whether or not the server has it. Rule 3: keywords that
#   cannot be checked are tolerated only where the environment says so, and formats that do not match only where the
#   catalog does.
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
# description: Why the arguments do not fit, in the words of the gateway where it gives some.
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
		"the server's schema has keywords that cannot be checked (%s), and this environment refuses such tools",
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

# Read by its own path: a read of the whole input would count as one of what a journal masks.
_unchecked := unchecked if {
	unchecked := input.arguments_meta.unchecked
} else := []

_errors := {error.message |
	some error in input.arguments_meta.errors
	is_string(error.message)
}

_words := {
	"match": "the arguments do not have the formats that the server's schema names",
	"mismatch": "the arguments do not match the schema that the server presents",
	"uncheckable": "the arguments cannot be checked against the schema that the server presents",
}

_listed if catalog.target

_listed if call.targetless
