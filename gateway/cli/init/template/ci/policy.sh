#!/usr/bin/env bash
# The pipeline of this policy repository: `bash ci/policy.sh STEP...`. The workflow calls these steps; so can any other CI.
#
#   test      everything that can be known from the sources: form, schemas, tests, scenarios
#   build     pack the bundle twice and compare: the same sources give the same bytes
#   replay    what the bundle would have decided on recorded calls; fails on a loosening that nobody explained, and with
#             POLICY_REQUIRE_REPLAY=1 also where nothing could be replayed: set it once there are recorded calls
#   sign      with the key in $POLICY_SIGNING_KEY
#   publish   to $POLICY_HUB, and wait until every live gateway enforces it
#   smoke     verify what was published, and ask the gateway at $POLICY_GATEWAY (its admin address) what it enforces
#   rollback  publish again what was in force before, under a new number; $POLICY_BECAUSE says why
#
# From the environment: POLICY_ENVIRONMENT (production), POLICY_CHANNEL (the environment's name), POLICY_HUB (a hub's
# address, or a directory), MCP_HUB_TOKEN or POLICY_TOKEN_FILE (a publisher's token), POLICY_KEY (ci/policy.pub.pem),
# POLICY_JOURNAL and POLICY_JOURNAL_KEY (recorded calls, as `mcp-admission journal export` writes them, and the key that
# reads them), POLICY_BECAUSE, POLICY_DEADLINE (60 seconds), POLICY_GATEWAYS (how many must confirm: 1),
# POLICY_REQUIRE_REPLAY, POLICY_GATEWAY.
set -euo pipefail
cd "$(dirname "$0")/.."

environment=${POLICY_ENVIRONMENT:-production}
channel=${POLICY_CHANNEL:-$environment}
key=${POLICY_KEY:-ci/policy.pub.pem}
out=${POLICY_OUT:-.state/ci}
bundle=$out/bundle.tar.gz
mkdir -p "$out"

needed() { [[ -n "${!1:-}" ]] || { echo "$1 is not set: $2" >&2; exit 2; }; }

place() {
	needed POLICY_HUB "the address of the hub, or a directory"
	arguments=(--to "$POLICY_HUB" --channel "$channel" --verification-key "$key")
	[[ -z "${POLICY_TOKEN_FILE:-}" ]] || arguments+=(--token-file "$POLICY_TOKEN_FILE")
	[[ "$POLICY_HUB" != http* ]] || arguments+=(--wait --deadline "${POLICY_DEADLINE:-60}" --at-least "${POLICY_GATEWAYS:-1}")
}

because() {
	echo "${POLICY_BECAUSE:-$(git log -1 --format='%s (%h)' 2>/dev/null || echo 'built without git')}"
}

step_test() { mcp-admission test .; }

step_build() {
	built=$(date -u +%Y-%m-%dT%H:%M:%SZ)
	mcp-admission bundle build "$environment" --policy . --built "$built" --output "$bundle"
	mcp-admission bundle build "$environment" --policy . --built "$built" --output "$out/again.tar.gz" >/dev/null
	cmp "$bundle" "$out/again.tar.gz"
}

step_replay() {
	if [[ -z "${POLICY_JOURNAL:-}" ]]; then
		echo "**Not replayed**: POLICY_JOURNAL names no recorded calls, so nothing is known of what this would change." |
			tee "$out/replay.md"
		[[ -z "${POLICY_REQUIRE_REPLAY:-}" ]] || exit 1
		return
	fi
	reading=(--journal "$POLICY_JOURNAL")
	[[ -n "${POLICY_REQUIRE_REPLAY:-}" ]] || reading+=(--allow-nothing)
	[[ -z "${POLICY_JOURNAL_KEY:-}" ]] || reading+=(--key-file "$POLICY_JOURNAL_KEY")
	[[ ! -e expected-changes.yaml ]] || reading+=(--expected expected-changes.yaml)
	mcp-admission replay --bundle "$bundle" "${reading[@]}" --format markdown --output "$out/replay.md" || {
		code=$?
		cat "$out/replay.md"
		exit "$code"
	}
	cat "$out/replay.md"
}

step_sign() {
	needed POLICY_SIGNING_KEY "the private key in PEM"
	mcp-admission bundle sign "$bundle" --key-env POLICY_SIGNING_KEY
}

step_publish() {
	place
	mcp-admission bundle publish "$bundle" "${arguments[@]}" --because "$(because)"
}

step_smoke() {
	mcp-admission bundle verify "$bundle" --key "$key" --environment "$environment"
	[[ -n "${POLICY_GATEWAY:-}" ]] || return 0
	revision=$(mcp-admission bundle inspect "$bundle" --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["revision"])')
	python3 - "$POLICY_GATEWAY" "$revision" <<-'PYTHON'
	import json, sys, urllib.request
	with urllib.request.urlopen(f"{sys.argv[1]}/readyz", timeout=5) as answer:
	    enforced = {worker["revision"] for worker in json.load(answer)["workers"]}
	sys.exit(0 if enforced == {sys.argv[2]} else f"the gateway enforces {enforced}, not {sys.argv[2]}")
	PYTHON
}

step_rollback() {
	needed POLICY_SIGNING_KEY "the private key in PEM"
	needed POLICY_BECAUSE "why the last bundle is taken back"
	place
	mcp-admission bundle rollback "${arguments[@]}" --key-env POLICY_SIGNING_KEY --because "$POLICY_BECAUSE"
}

(($#)) || set -- test build replay
for step in "$@"; do
	declare -F "step_$step" >/dev/null || { echo "There is no step $step: see the head of $0." >&2; exit 2; }
	echo "== $step" >&2
	"step_$step"
done
