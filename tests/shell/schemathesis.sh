#!/usr/bin/env bash
# Sends requests that schemathesis makes from the server's own OpenAPI document, as the
# administrator, as a user and without a token, and holds every answer against the document: no
# 5xx, no status, header, type or field that is not declared.
# EXAMPLES=n sends up to n random requests to each endpoint (default 30); the seed is fixed. Needs
# python3 with venv, and PyPI: without them nothing is tested, and the output says so.
#
#   tests/shell/schemathesis.sh target/release/doorward
set -euo pipefail
. "$(dirname "$0")/lib.sh"

python3 -m venv venv >venv.txt 2>&1 && venv/bin/pip install --quiet 'schemathesis==4.*' >>venv.txt 2>&1 || {
  cat venv.txt
  echo "SKIPPED: schemathesis cannot be installed; NOTHING was compared with the OpenAPI document"
  exit 0
}

# Random requests come fast, and must not be refused for that.
sed -i '/^\[admin\]/,/^\[hub\]/s/^# password = .*/password = "the administrator"/
        s/^rates = .*/rates = false/; s/^passwords = \[\]/passwords = ["open sesame"]/
        s/^hash_memory = .*/hash_memory = "1MiB"/' config.toml
start

expect 200 POST /api/token -H "$json" -d '{"username":"admin","password":"the administrator"}'
admin=$(field token)
expect 201 POST /v1/user -H "$json" -d '{"name":"Ana","email":"ana@example.org","password":"four random words"}'
user=$(field id)

# Operations that end the token of the run or answer for ever, and GraphQL, which is a declared 501.
# Whether wrong data are refused is not asked: the APIs promise to ignore what they do not know.
apart='^(revoke_access_token|delete_user|end_session|delete_token|end_token|graphql|listen_to_events|listen_to_audit)(_under.*)?$'
reports='^(simple_events|complex_events)$'

# It would sign up by itself and send that session beside the token of the run.
printf '[auth]\nauto-signup = false\n' >schemathesis.toml

checks=not_a_server_error,status_code_conformance,content_type_conformance
checks+=,response_headers_conformance,response_schema_conformance

# run NAME PHASES [more arguments]: compares operations.
run() {
  local name=$1 phases=$2
  shift 2
  echo "as $name"
  timeout 1200 venv/bin/schemathesis run "$base/openapi.json" --url "$base" \
    --checks "$checks" \
    --phases "$phases" --max-examples "${EXAMPLES:-30}" --seed 1 --workers 1 \
    --suppress-health-check all --warnings off --no-color --continue-on-failure \
    "$@" >schemathesis.txt 2>&1 || {
      cat schemathesis.txt
      exit 1
    }
  if ! grep -q ' generated, ' schemathesis.txt; then
    cat schemathesis.txt
    echo "nothing was tested"
    exit 1
  fi
  grep ' generated, ' schemathesis.txt
}

# The coverage phase makes lists of 10,000 events, and its generator gives up on them: reports of
# events are tried without it. The administrator is last, because he may remove the user.
all=examples,coverage,fuzzing
run "a user" $all -H "Authorization: Bearer $user" \
  --exclude-tag admin --exclude-operation-id-regex "$apart|$reports"
run "a user who reports events" examples,fuzzing -H "Authorization: Bearer $user" \
  --include-operation-id-regex "$reports"
expect 200 GET /v1/user -H "Authorization: Bearer $user"
run "nobody" examples,fuzzing --exclude-operation-id-regex "$apart"
run "the administrator" $all -H "X-Token: $admin" \
  --include-tag admin --exclude-operation-id-regex "$apart"

# Ids that exist: of an account, a machine token and an invite. `of` puts the id of the last answer
# in every path.
of() {
  printf '[auth]\nauto-signup = false\n[parameters]\n"path.id" = "%s"\n' "$(field id)" >schemathesis.toml
}
expect 201 POST /api/admin/users -H "X-Token: $admin" -H "$json" -d '{"name":"Ben","email":"ben@example.org"}'
of
run "the administrator, of an account" $all -H "X-Token: $admin" \
  --include-path-regex '/admin/users/.id' --exclude-operation-id-regex '^delete_user_of_id$'
expect 200 GET '/api/admin/audit?action=disable_user' -H "X-Token: $admin"
grep -q disable_user body.txt || { echo "the requests did not name the account"; exit 1; }
expect 201 POST /api/admin/machine-tokens -H "X-Token: $admin" -H "$json" \
  -d '{"name":"sensor","scopes":["events:write"]}'
of
run "the administrator, of a machine token" $all -H "X-Token: $admin" \
  --include-path-regex '/admin/(machine-tokens|tokens)/.id' --exclude-operation-id-regex '^end_'
expect 201 POST /api/admin/invites -H "X-Token: $admin" -H "$json" -d '{"uses":2}'
of
run "the administrator, of an invite" $all -H "X-Token: $admin" \
  --include-path-regex '/admin/invites/.id' --exclude-operation-id-regex '^end_'
expect 200 GET /api/admin/storage -H "X-Token: $admin"
stop TERM
echo "schemathesis: fine"
