package mcp.lib.clock_test

import data.mcp.lib.clock
import data.mcp.lib.clock.zones

test_reads_every_moment_that_is_one if {
	every text, ns in {
		"2026-11-20T14:00:00Z": 1795183200000000000,
		"2026-11-20T15:00:00+01:00": 1795183200000000000,
		"2026-11-20T14:00:00.5Z": 1795183200500000000,
		"2000-02-29T00:00:00Z": 951782400000000000,
		"2096-02-29T00:00:00Z": 3981312000000000000,
		"2026-12-31T23:59:59Z": 1798761599000000000,
		"2026-04-30T00:00:00Z": 1777507200000000000,
	} {
		clock.instant(text) == ns
	}
}

test_reads_nothing_else if {
	every text in [
		"",
		"tomorrow",
		"2026-11-20",
		"2026-11-20T14:00:00",
		"2026-11-20 14:00:00Z",
		"2026-13-01T00:00:00Z",
		"2026-02-29T00:00:00Z",
		"2026-02-30T00:00:00Z",
		"2026-04-31T00:00:00Z",
		"2026-00-10T00:00:00Z",
		"2026-11-00T00:00:00Z",
		"2026-11-20T24:00:00Z",
		"2026-11-20T14:60:00Z",
		"2026-11-20T14:00:60Z",
		"2026-11-20T14:00:00+24:00",
		"1999-11-20T14:00:00Z",
		"2100-02-29T00:00:00Z",
		"9999-11-20T14:00:00Z",
		" 2026-11-20T14:00:00Z",
		"2026-11-20T14:00:00Z\n",
		7,
		null,
		["2026-11-20T14:00:00Z"],
	] {
		not _is_moment(text)
	}
}

test_a_moment_is_before_or_after_never_both if {
	_at("2026-11-20T14:00:00Z", 1795183200000000000) == {"after"}
	_at("2026-11-20T14:00:01Z", 1795183200000000000) == {"before"}
	_at("soon", 1795183200000000000) == set()
	_at("2026-11-20T14:00:01Z", "now") == set()
	_at("2026-11-20T14:00:01Z", null) == set()
}

test_opa_knows_every_time_zone_that_a_rule_may_name if {
	count(zones.names) > 400
	every zone in zones.names {
		day := clock.weekday(zone) with input.context.time.unix_ns as 1795183200000000000
		day in {"friday", "saturday"}
	}
}

test_tells_the_time_of_a_zone if {
	every zone, local in {"UTC": "14:00", "Europe/Zurich": "15:00", "Asia/Kolkata": "19:30", "Pacific/Auckland": "03:00"} {
		time := clock.time_of_day(zone) with input.context.time.unix_ns as 1795183200000000000
		time == local
	}
}

test_does_not_tell_the_time_of_a_zone_that_is_none if {
	every zone in ["Mars/Olympus", "utc", "", null, 7] { not _tells_time(zone) }
}

_is_moment(text) if clock.instant(text)

_tells_time(zone) if {
	clock.time_of_day(zone) with input.context.time.unix_ns as 1795183200000000000
}

_at(text, now) := {side | some side in ["before", "after"]; _stands(side, text, now)}

_stands("before", text, now) if {
	clock.before(text) with input.context.time.unix_ns as now
}

_stands("after", text, now) if {
	clock.after(text) with input.context.time.unix_ns as now
}
