#!/usr/bin/env bash
# The README's first steps with a real binary: one signup, one login, one event, a kill, a restart,
# a clean stop.
#
#   tests/shell/smoke.sh target/release/doorward
set -euo pipefail
. "$(dirname "$0")/lib.sh"

"$binary" check-config --config config.toml
start
expect 201 POST /v1/user -H "$json" -d '{"name":"Ana","email":"ana@example.org","password":"correct battery"}'
expect 201 POST /v1/auth -H "$json" -d '{"email":"ana@example.org","password":"correct battery"}'
session=$(field id)
expect 200 GET /v1/user -H "Authorization: Bearer $session"
expect 201 POST /api/events/complex_clientapp -H "$json" -H "token: $session" \
  -d '{"events":[{"name":"started","details":{"version":"1.0"}}]}'
expect 401 POST /v1/auth -H "$json" -d '{"email":"ana@example.org","password":"wrong battery"}'
stop KILL
start
expect 200 GET /v1/user -H "Authorization: Bearer $session"
stop TERM
echo "smoke: fine"
