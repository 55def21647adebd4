# METADATA
# title: The arguments match the schema
# description: The arguments of a listed target match the schema that the server presents for it.
# custom:
#   severity: medium
#   remedy: Correct the arguments. The schema is in the list of tools.
package mcp.requirements.arguments_match_the_schema

import data.mcp.lib.arguments

met := true

met_by_arguments if arguments.fit

because := arguments.complaints
