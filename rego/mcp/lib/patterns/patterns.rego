# METADATA
# title: Patterns
# description: |
#   Globs as operators write them: `*` matches any text (including `/` and `.`), `?` matches one character, and all
#   other characters match themselves. Rule 1: a pattern that has other glob characters, or is not a text, matches only
#   itself.
package mcp.lib.patterns

matches(pattern, text) if pattern == text

matches("*", _)

matches(pattern, text) if {
	is_string(pattern)
	is_string(text)
	regex.match(`^[^\[\]{}\\]*[*?][^\[\]{}\\]*$`, pattern)
	glob.match(pattern, null, text)
}
