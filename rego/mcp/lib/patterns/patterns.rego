# METADATA
# title: Patterns
# description: |
#   Globs as operators write them: `*` is any text (also across `/` and `.`), `?` is one character, all else is itself.
#   Rule 1: a pattern with other signs of a glob, or that is no text, matches nothing but itself.
package mcp.lib.patterns

matches(pattern, text) if pattern == text

matches("*", _)

matches(pattern, text) if {
	is_string(pattern)
	is_string(text)
	regex.match(`^[^\[\]{}\\]*[*?][^\[\]{}\\]*$`, pattern)
	glob.match(pattern, null, text)
}
