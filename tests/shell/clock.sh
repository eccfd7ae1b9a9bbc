#!/usr/bin/env bash
# A wrong clock under a real binary: the clock jumps 91 days ahead for some seconds and is put right
# again, and nothing is removed; then a start in 1970, and what is stored then survives the
# correction.
#
#   tests/shell/clock.sh target/release/doorward
#
# Needs libfaketime, which is installed from the package `faketime` where it is missing. Without it
# the script says so and succeeds.
set -euo pipefail
binary_path=$(realpath "$1")
find_library() { find /usr/lib /usr/local/lib -name 'libfaketimeMT.so.1' 2>/dev/null | head -1; }
if [ -z "$(find_library)" ] && [ "$(id -u)" = 0 ]; then
  apt-get install -y -qq faketime >/dev/null 2>&1 || true
fi
library=$(find_library)
if [ -z "$library" ]; then
  printf '%s\n' '*' '* SKIPPED: no clock was turned: there is no libfaketime' '*' >&2
  exit 0
fi
. "$(dirname "$0")/lib.sh" "$binary_path"

export FAKETIME_TIMESTAMP_FILE=$work/time FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1

# turn OFFSET: the wall clock runs with this offset from now on. The start runs under the library.
turn() { echo "$1" >time.new && mv time.new time; }
start_faked() { LD_PRELOAD=$library start; }
clock_is() { expect 200 GET /healthz && [ "$(field clock)" = "$1" ] || { echo "the clock is $(field clock), not $1"; exit 1; }; }
events_are() {
  expect 200 GET "/api/admin/events?limit=100" -H "X-Token: $admin"
  local count
  count=$(python3 -c 'import json; print(len(json.load(open("body.txt"))["events"]))')
  [ "$count" = "$1" ] || { echo "$count events are left of $1"; exit 1; }
}
report() { expect 201 POST /api/events/simple_clientapp -H "$json" -H "token: $session" -d "{\"events\":[{\"name\":\"$1\"}]}"; }
log_in_admin() {
  expect 200 POST /api/token -H "$json" -d "{\"username\":\"admin\",\"password\":\"$password\"}"
  admin=$(field token)
}

turn '+0'
start_faked
password=$(sed -n 's/.*admin \/ //p' out.txt log.txt | head -1)
log_in_admin
expect 201 POST /v1/user -H "$json" -d '{"name":"Ana","email":"ana@example.org","password":"correct battery"}'
session=$(field id)
for number in $(seq 20); do report "before-$number"; done
clock_is trusted

turn '+91d'
clock_is suspect
# Longer than the pause between two sweeps.
sleep 33
turn '+0'
clock_is trusted
grep -q 'the clock is suspect: it shows' log.txt || { echo 'the log says nothing of the jump'; exit 1; }
grep -q 'the clock is trusted again' log.txt || { echo 'the log says nothing of the return'; exit 1; }
log_in_admin
events_are 20
expect 200 GET /v1/user -H "Authorization: Bearer $session"
stop TERM

turn '1970-01-01 00:00:10'
start_faked
clock_is suspect
expect 200 GET /v1/user -H "Authorization: Bearer $session"
report 'in 1970'
turn '+0'
log_in_admin
events_are 21
expect 200 GET /v1/user -H "Authorization: Bearer $session"
stop TERM
echo "clock: fine"
