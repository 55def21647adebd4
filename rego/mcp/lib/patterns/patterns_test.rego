package mcp.lib.patterns_test

import data.mcp.lib.patterns

test_a_star_is_any_text_and_a_question_mark_one_character if {
	every pattern, texts in {
		"*": ["", "a", "a/b.c"],
		"read_*": ["read_", "read_file", "read_a/b"],
		"*@example.com": ["bob@example.com"],
		"sla?k": ["slack", "sla/k"],
		"slack": ["slack"],
		"file:///docs/*": ["file:///docs/a/b.md"],
	} {
		every text in texts { patterns.matches(pattern, text) }
	}
}

test_all_else_is_itself if {
	every pattern, texts in {
		"read_*": ["write_file", "xread_file", "READ_file"],
		"sla?k": ["slak", "slaack"],
		"slack": ["slacks", "Slack", "", " slack"],
		"[s]lack": ["slack"],
		"{a,b}": ["a"],
		"\\*": ["*"],
		"": ["a"],
	} {
		every text in texts { not patterns.matches(pattern, text) }
	}
}

test_what_is_no_text_matches_nothing if {
	every pattern in [null, 7, ["*"], {"a": "*"}] { not patterns.matches(pattern, "a") }
	every text in [null, 7, ["a"]] { not patterns.matches("a*", text) }
}
