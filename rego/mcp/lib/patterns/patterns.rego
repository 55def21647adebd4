# METADATA
# title: Patterns
# description: |
#   Globs as operators write them: `*` is any text (also across `/` and `.`), `?` is one character, all else is itself.
#   Rule 1: a pattern with other signs of a glob, or that is no text, is invalid and matches nothing.
package mcp.lib.patterns

valid(pattern) if {
	is_string(pattern)
	pattern != ""
	not regex.match(`[\[\]{}\\]`, pattern)
}

matches(pattern, text) if pattern == text

matches(pattern, text) if {
	valid(pattern)
	glob.match(pattern, null, text)
}
