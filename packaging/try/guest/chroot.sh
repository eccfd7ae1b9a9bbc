# In a bare Debian root without a running systemd: what dpkg does with the package, and that its
# program serves with the command line of its unit, as a user without rights.
set -euo pipefail
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
unit=/usr/lib/systemd/system/doorward.service
config=/etc/doorward/config.toml
base=http://127.0.0.1:8080
ana='"email":"ana@example.org","password":"correct battery"'

fail() { echo "FAILED: $*"; cat /tmp/log 2>/dev/null || true; exit 1; }

# start: what systemd does for the unit: a directory for its state, a user without rights,
# and the command line.
start() {
  local command
  command=$(sed -n 's/^ExecStart=//p' $unit)
  mkdir -p /var/lib/private/doorward
  ln -sfn private/doorward /var/lib/doorward
  chown -R 61184:61184 /var/lib/private/doorward
  # systemd shows the service what is below, and keeps this closed for all others.
  chmod 755 /var/lib/private
  chmod 700 /var/lib/private/doorward
  # shellcheck disable=SC2086
  env --chdir=/ -i PATH="$PATH" STATE_DIRECTORY=/var/lib/doorward \
    setpriv --reuid=61184 --regid=61184 --clear-groups --no-new-privs --bounding-set=-all \
    $command >/tmp/log 2>&1 &
  server=$!
  local deadline=$((SECONDS + 20))
  until curl --silent --fail --output /dev/null $base/healthz; do
    kill -0 "$server" 2>/dev/null || fail "$command ended"
    [ $SECONDS -lt $deadline ] || fail "$command does not answer"
    sleep 0.05
  done
}
stop() { kill "$server" && wait "$server" || fail "the server ended with $?"; }

# request STATUS PATH JSON
request() {
  local got
  got=$(curl --silent --output /tmp/body --write-out '%{http_code}' "$base$2" \
    -H 'Content-Type: application/json' -d "$3")
  [ "$got" = "$1" ] || fail "$2: $got instead of $1: $(cat /tmp/body)"
}
quietly() { "$@" >/tmp/dpkg 2>&1 || fail "$*: $(cat /tmp/dpkg)"; }

quietly dpkg --install /try/older.deb
doorward check-config >/tmp/check || fail "check-config: $(cat /tmp/check)"
[ -L /etc/systemd/system/multi-user.target.wants/doorward.service ] || fail "the service is not enabled"
[ ! -e /etc/systemd/system/sockets.target.wants/doorward.socket ] || fail "the socket is enabled"
start
request 201 /v1/user "{\"name\":\"Ana\",$ana}"
stop
echo "installed $(dpkg-query --show doorward | xargs), served a signup"

sed -i 's/^\[server\]/[server]\nname = "edited"/' $config
quietly dpkg --install /try/doorward.deb
grep -q '^name = "edited"' $config || fail "an upgrade replaced the configuration"
start
request 201 /v1/auth "{$ana}"
curl --silent $base/ | grep -q '"edited"' || fail "the edited configuration is not in force"
stop
echo "upgraded to $(dpkg-query --show doorward | xargs), kept the account and the configuration"

quietly dpkg --remove doorward
[ ! -e /usr/bin/doorward ] && [ ! -e $unit ] || fail "a removal left the program"
[ -e $config ] && [ -n "$(ls /var/lib/private/doorward)" ] || fail "a removal took configuration or data"
quietly dpkg --install /try/doorward.deb
start
request 201 /v1/auth "{$ana}"
stop
echo "removed and installed again, kept both"

quietly dpkg --purge doorward
left=$(find / -xdev -path /proc -prune -o -path /try -prune -o -path /tmp -prune -o -name '*doorward*' -print)
[ -z "$left" ] || fail "a purge left $left"
echo "purged, nothing is left"
