# On the machine that is cut off. The first boot installs the package and reports events until the
# power goes; the second shows what is there.
. /try/lib.sh
# An emulated processor takes its time.
request_again() { until_true 300 answers; request "$@"; }

if [ ! -e /root/installed ]; then
  installed
  exposure 1.1
  touch /root/installed
  sync
  request 201 POST /v1/user -H "$json" -d "{\"name\":\"Ana\",$ana}"
  say "acknowledged signup $(text user_id) stored"
  request 201 POST /v1/auth -H "$json" -d "{$ana}"
  session=$(text id)
  say "acknowledged login $session stored"
  for number in $(seq 100000); do
    request 201 POST /api/events/complex_clientapp -H "$json" -H "token: $session" \
      -d "{\"events\":[{\"name\":\"event-$number\",\"details\":{\"number\":$number}}]}"
    say "acknowledged event-$number stored"
  done
  fail "nobody cut the power"
fi

# Nothing was told to start it: it is enabled.
until_true 600 systemctl --quiet is-active doorward.service
session=$(cat /try/session)
request_again 200 GET /v1/user -H "Authorization: Bearer $session"
say "found login $session"
request 201 POST /v1/auth -H "$json" -d "{$ana}"
say "found signup $(text user_id)"
password=$(doorward admin reset-password | sed -n 's|^  admin / ||p')
request 200 POST /api/token -H "$json" -d "{\"username\":\"admin\",\"password\":\"$password\"}"
token=$(text token)
curl --silent --fail "$base/api/admin/events/export" -H "X-Token: $token" >/tmp/events
sed -n 's/.*"name":"\(event-[0-9]*\)".*/try: found \1/p' /tmp/events
say "service: $(property ActiveState), $(property StatusText)"
result=fine
