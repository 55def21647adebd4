package mcp.requirements.recipients_are_known_test

import data.mcp.requirements.recipients_are_known

_catalog := {
	"servers": {"mail": {"believe_annotations": false}},
	"targets": {"mail": {"tools": {
		"send_mail": {"action": "send"},
		"read_mail": {"action": "read"},
		"mystery": {},
	}}},
}

_call(tool, arguments) := {
	"server": {"id": "mail"},
	"target": {"type": "tool", "name": tool, "uri": null},
	"definition": null,
	"arguments": arguments,
}

_passes(tool, arguments) if {
	recipients_are_known.met_by_arguments with input as _call(tool, arguments)
		with data.catalog as _catalog
		with data.own.recipients as {"domains": ["example.com"]}
}

test_passes_known_recipients if {
	every arguments in [
		{"to": "bob@example.com"},
		{"to": ["bob@example.com", "eve@EXAMPLE.com"]},
		{"to": "bob@example.com", "cc": ["eve@example.com"]},
	] {
		_passes("send_mail", arguments)
	}
}

test_refuses_an_unknown_recipient_anywhere if {
	every arguments in [
		{"to": "bob@rival.example"},
		{"to": ["bob@example.com", "bob@rival.example"]},
		{"to": "bob@example.com", "bcc": "bob@rival.example"},
		{"to": "bob@example.com", "recipients": ["bob@rival.example"]},
		{"to": "bob@example.com,bob@rival.example"},
		{"to": "bob@example.com@rival.example"},
		{"to": "bob@rival.example <bob@example.com>"},
		{"to": "bob@sub.example.com"},
	] {
		not _passes("send_mail", arguments)
	}
}

test_refuses_what_names_nobody_or_cannot_be_read if {
	every arguments in [
		{},
		{"to": []},
		{"to": null},
		{"to": {"bob@example.com": true}},
		{"to": "bob@example.com", "cc": {"address": "bob@rival.example"}},
		{"to": ["bob@example.com", ["bob@rival.example"]]},
		{"to": 7},
	] {
		not _passes("send_mail", arguments)
	}
}

test_refuses_where_no_domain_is_listed if {
	every own in [{}, {"recipients": {}}, {"recipients": {"domains": null}}] {
		not recipients_are_known.met_by_arguments with input as _call("send_mail", {"to": "bob@example.com"})
			with data.catalog as _catalog
			with data.own as own
	}
}

test_concerns_what_sends_and_what_may if {
	_passes("read_mail", {})
	not _passes("mystery", {})
}

test_says_who_is_not_known if {
	reasons := recipients_are_known.because with input as _call("send_mail", {"to": ["bob@rival.example"]})
		with data.catalog as _catalog
		with data.own.recipients as {"domains": ["example.com"]}
	reasons == {"bob@rival.example is not a known recipient"}
}

test_lets_the_tool_be_listed if recipients_are_known.met
