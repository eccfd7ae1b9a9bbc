#!/usr/bin/env bash
# Runs the files of packaging/proxy with Debian's nginx and Caddy in front of doorward; only
# addresses, ports and paths are replaced. Checks for each proxy that:
#
# * a session shows the client's address, whatever X-Forwarded-For the client sends, and limits are
#   those of the client;
# * a live event arrives at once, and the end of a client ends its stream at doorward too;
# * the longest report passes, a longer one is 413 in the form of its API, an export passes whole,
#   and the proxy keeps none of them in a file;
# * the proxy reuses connections, and closes an idle one before doorward does;
# * after a kill and a restart of doorward the first request succeeds; behind Caddy also one that
#   comes while doorward is down;
# * no log of the proxy holds a token;
# * over a unix socket that another process holds, as systemd does for doorward.socket, sessions
#   show the client's address, and restarts of doorward refuse no request.
#
#   tests/shell/proxies.sh target/release/doorward
#
# Needs root or nginx, Caddy and openssl: installs these Debian packages if one is missing.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
files=$here/../../packaging/proxy

for program in nginx caddy openssl; do
  if ! command -v "$program" >tools.txt; then
    [ "$(id -u)" = 0 ] || { echo "proxies: $program is missing, and only root can install it" >&2; exit 1; }
    apt-get -q update >tools.txt && apt-get -qy install nginx-light caddy openssl >tools.txt
  fi
done

nginx=
caddy=
holder=
trap 'kill -9 $server 2>/dev/null || true; kill $nginx $caddy $holder 2>/dev/null || true; wait; rm -rf "$work"' EXIT
doorward=$base

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

fail() {
  echo "$proxy: $1" >&2
  tail -n 5 log.txt "$proxy"/*.log >&2
  exit 1
}

# soon WHAT COMMAND...: waits until the command succeeds; fails after nine seconds.
soon() {
  local what=$1 end=$((SECONDS + 9))
  shift
  until "$@"; do
    [ $SECONDS -lt $end ] || fail "$what"
    sleep 0.05
  done
}

answers() { curl --silent --fail --max-time 2 --output health.txt "$base/healthz"; }

sed -i 's/^trusted_proxies = .*/trusted_proxies = ["127.0.0.1"]/
        s/^\[admin\]/&\npassword = "an administrator"/' config.toml
start

# 10,000 events, a little less than the 8 MiB that limits.event_body allows, and a little more.
python3 - <<'END2'
import json
for name, length in ("longest", 760), ("longer", 800):
    events = [{"name": "started", "details": {"text": "x" * length}} for _ in range(10000)]
    json.dump({"events": events}, open(name + ".json", "w"))
END2

### The two proxies ###

# One of Debian's main files, with the tested file in place of /etc/nginx/conf.d/doorward.conf.
nginx_port=$(free_port)
mkdir -p nginx/certificate
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
  -addext subjectAltName=DNS:localhost -keyout nginx/certificate/privkey.pem \
  -out nginx/certificate/fullchain.pem 2>tools.txt
# start_nginx UPSTREAM
start_nginx() {
  sed "s#/etc/letsencrypt/live/doorward.example.org#$work/nginx/certificate#
       s#/var/log/nginx#$work/nginx#
       s#127.0.0.1:8080#$1#
       s#listen 80;#listen 127.0.0.1:$(free_port);#
       s#listen 443 #listen 127.0.0.1:$nginx_port #
       /listen \[::\]/d
       s#doorward.example.org#localhost#" "$files/nginx.conf" >nginx/doorward.conf
  nginx -e "$work/nginx/error.log" -c "$work/nginx/nginx.conf" &
  nginx=$!
}
cat >nginx/nginx.conf <<END2
daemon off;
worker_processes 1;
pid $work/nginx/pid;
error_log $work/nginx/error.log;
events {}
http {
  client_body_temp_path $work/nginx/temporary-body;
  proxy_temp_path $work/nginx/temporary-answer;
  fastcgi_temp_path $work/nginx/temporary-3;
  uwsgi_temp_path $work/nginx/temporary-4;
  scgi_temp_path $work/nginx/temporary-5;
  include $work/nginx/doorward.conf;
}
END2
[ "$(id -u)" != 0 ] || sed -i '1i user root;' nginx/nginx.conf

# Caddy makes certificates for localhost by itself, with an authority of its own.
caddy_port=$(free_port)
mkdir caddy
# start_caddy UPSTREAM
start_caddy() {
  sed "s#doorward.example.org {#https://localhost:$caddy_port {\n\tbind 127.0.0.1#
       s#127.0.0.1:8080#$1#
       /^{/a\\\tadmin off\n\tskip_install_trust\n\tauto_https disable_redirects" \
    "$files/Caddyfile" >caddy/Caddyfile
  HOME=$work/caddy XDG_DATA_HOME=$work/caddy XDG_CONFIG_HOME=$work/caddy \
    caddy run --config caddy/Caddyfile --adapter caddyfile 2>>caddy/caddy.log &
  caddy=$!
}

### What is checked of each ###

client_addresses() {
  local spoofed=(-H 'X-Forwarded-For: 203.0.113.9' -H 'X-Forwarded-For: 127.0.0.1, 203.0.113.8'
    -H 'X-Real-IP: 203.0.113.7' -H 'Forwarded: for=203.0.113.6')
  local address
  for address in "$client" "$other"; do
    expect 201 POST /v1/user -H "$json" "${spoofed[@]}" --interface "$address" \
      -d "{\"name\":\"Ana\",\"email\":\"$address@example.org\",\"password\":\"correct battery\"}"
    [ "$(field ip_address)" = "$address" ] || fail "a session of $address shows $(field ip_address)"
  done
  # The first client has made one of its five accounts; the other one's limit is its own.
  for number in 2 3 4 5; do
    expect 201 POST /v1/user -H "$json" "${spoofed[@]}" --interface "$client" \
      -d "{\"name\":\"Ana\",\"email\":\"$number@$proxy.example.org\",\"password\":\"correct battery\"}"
  done
  expect 429 POST /v1/user -H "$json" -H "X-Forwarded-For: $other" --interface "$client" \
    -d "{\"name\":\"Ana\",\"email\":\"6@$proxy.example.org\",\"password\":\"correct battery\"}"
  expect 201 POST /v1/user -H "$json" --interface "$other" \
    -d "{\"name\":\"Ana\",\"email\":\"7@$proxy.example.org\",\"password\":\"correct battery\"}"
}

report() {
  expect 201 POST /api/events/complex_clientapp -H "$json" -H "token: $session" \
    -d "{\"events\":[{\"name\":\"$1\",\"details\":{}}]}"
}

streams() {
  # More streams, one after the other, than may be open at once (8 with one token).
  for number in $(seq 10); do
    : >stream.head
    curl --silent --no-buffer --dump-header stream.head --output stream.txt \
      "$base/api/admin/events/live?name=$proxy" -H "X-Token: $token" &
    local stream=$!
    soon "live stream $number does not begin: $(cat stream.head)" grep -q ' 200' stream.head
    [ "$number" = 10 ] || { kill $stream; wait $stream 2>/dev/null || true; }
  done
  # Events one by one, so that no buffer is filled; the next heartbeat comes after 15 s.
  for number in 1 2 3; do
    report "$proxy"
    local end=$(($(date +%s%N) + 1000000000))
    until [ "$(grep -c '^event: event' stream.txt)" = "$number" ]; do
      [ "$(date +%s%N)" -lt $end ] || fail "live event $number does not arrive within a second"
      sleep 0.01
    done
  done
  kill $stream
  wait $stream 2>/dev/null || true
}

# Whether the proxy has one of its files for bodies open.
keeps_body() { ls -l /proc/$nginx/fd /proc/$(pgrep -P $nginx)/fd /proc/$caddy/fd | grep -q temporary; }

# never_kept PROCESS: checks the files that the proxy has open until the process, a transfer, ends.
never_kept() {
  while kill -0 "$1" 2>/dev/null; do
    ! keeps_body || fail 'a body is kept in a file'
    sleep 0.1
  done
  wait "$1"
}

long_bodies() {
  curl --silent --output body.txt --write-out '%{http_code}' --limit-rate 6M --data-binary @longest.json \
    -H "$json" -H "token: $session" "$base/api/events/complex_clientapp" >status.txt &
  never_kept $!
  [ "$(cat status.txt)" = 201 ] || fail "a long report: $(cat status.txt body.txt)"

  # Often, because a proxy that sends the body although doorward has refused it sees a broken
  # connection only now and then.
  local version
  for version in --http1.1 --http2 --http1.1 --http1.1 --http1.1 --http1.1; do
    expect 413 POST /api/events/complex_clientapp $version -H "$json" -H "token: $session" \
      --data-binary @longer.json
    holds result reason
  done

  curl --silent --fail --output direct.txt "$doorward/api/admin/events/export" -H "X-Token: $token"
  curl --silent --fail --output export.txt --limit-rate 12M "$base/api/admin/events/export" \
    -H "X-Token: $token" &
  never_kept $!
  cmp direct.txt export.txt || fail 'an export changes on its way'
  [ "$(wc -l <export.txt)" -ge 10000 ] || fail 'the export is too short'
}

# Whether no connection between the proxy and doorward is open.
is_busy() { ! is_idle; }
is_idle() { [ -z "$(ss --no-header --tcp --numeric state established dport = ":$port")" ]; }

idle_connections() {
  report idle
  ! is_idle || fail 'connections to doorward are not reused'
  # doorward closes an idle connection after ten seconds (limits.header_timeout).
  soon 'an idle connection is not closed before doorward closes it' is_idle
}

# A request that comes while doorward is down: nginx answers 502, Caddy lets it wait. One that is
# under way fails.
restart() {
  curl --silent --output broken.txt --limit-rate 100K --data-binary @longest.json -H "$json" \
    -H "token: $session" "$base/api/events/complex_clientapp?hint=$token" &
  local broken=$!
  soon 'a report does not begin' is_busy
  stop KILL
  wait $broken || true
  curl --silent --output body.txt --write-out '%{http_code}' -H "Authorization: Bearer $session" \
    "$base/v1/user?token=$token" >status.txt &
  local waiting=$!
  # The second one ends after a second at the latest: by then the first was refused, or waits.
  curl --silent --output body.txt --max-time 1 "$base/healthz?token=$token" || true
  "$binary" serve --config config.toml >>out.txt 2>>log.txt &
  server=$!
  wait $waiting || true
  [ "$(cat status.txt)" = "$1" ] || fail "a request while doorward is down: $(cat status.txt)"
  soon 'doorward does not start' curl --silent --fail --output health.txt "$doorward/healthz"
  expect 200 GET /v1/user -H "Authorization: Bearer $session"
}

no_secrets() {
  expect 200 GET "/api/token?token=$token"
  ! grep -rl -e "$token" -e "$session" "$proxy"/*.log || fail 'a log holds a token'
}

### Both ###

# over_tcp STATUS: STATUS is that of a request that comes while doorward is down.
over_tcp() {
  soon 'it does not answer' answers
  client_addresses
  session=$(field id)
  expect 200 POST /api/token -H "$json" -d '{"username":"admin","password":"an administrator"}'
  token=$(field token)
  streams
  long_bodies
  idle_connections
  restart "$1"
  no_secrets
}

over_unix() {
  soon 'it does not answer over a unix socket' answers
  expect 200 GET /v1/sessions -H "Authorization: Bearer $session"
  expect 201 POST /v1/auth -H "$json" -H 'X-Forwarded-For: 203.0.113.9' --interface "$other" \
    -d '{"email":"127.0.0.2@example.org","password":"correct battery"}'
  [ "$(field ip_address)" = "$other" ] || fail "over a unix socket, $other is $(field ip_address)"
  # Requests one after the other, until doorward has restarted three times.
  local end=$((SECONDS + 60)) starts
  starts=$(($(wc -l <started.txt) + 3))
  until [ "$(wc -l <started.txt)" -ge $starts ]; do
    curl --silent --fail --output body.txt -H "Authorization: Bearer $session" "$base/v1/user" ||
      fail "error $? of curl while doorward restarts"
    [ $SECONDS -lt $end ] || fail 'doorward does not restart'
  done
}

as_nginx() {
  proxy=nginx client=127.0.0.2 other=127.0.0.3 base=https://localhost:$nginx_port
  trust "$nginx_port" nginx/certificate/fullchain.pem
}

as_caddy() {
  proxy=caddy client=127.0.0.4 other=127.0.0.5 base=https://localhost:$caddy_port
  trust "$caddy_port" caddy/caddy/pki/authorities/local/root.crt
}

# trust PORT AUTHORITY: for curl.
trust() {
  printf 'cacert = "%s"\nresolve = "localhost:%s:127.0.0.1"\n' "$work/$2" "$1" >"$HOME/.curlrc"
}

export HOME=$work
start_nginx "127.0.0.1:$port"
start_caddy "127.0.0.1:$port"
as_nginx
over_tcp 502
as_caddy
over_tcp 200

# Holds a unix socket, and restarts doorward on it again and again.
stop TERM
kill $nginx $caddy
wait $nginx $caddy || true
cat >hold.py <<'END2'
import os, signal, socket, subprocess, sys, time
held = socket.socket(socket.AF_UNIX)
held.bind("doorward.sock")
held.listen(4096)
os.dup2(held.fileno(), 3)
script = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
while True:
    child = subprocess.Popen(["sh", "-c", script, "sh", *sys.argv[1:]], pass_fds=[3])
    try:
        print(child.pid, flush=True)
        time.sleep(0.3)
    finally:
        child.terminate()
        child.wait()
END2
python3 hold.py "$binary" serve --config config.toml >started.txt 2>>log.txt &
holder=$!
start_nginx "unix:$work/doorward.sock"
start_caddy "unix/$work/doorward.sock"
as_nginx
over_unix
as_caddy
over_unix
echo "proxies: fine"
