# Shared by the scripts that run in the virtual machines. Lines that begin with "try:" are the
# transcript; whatever fails ends the machine.
set -Eeuo pipefail
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
trap 'fail "line $LINENO: $BASH_COMMAND"' ERR
trap 'end' EXIT

base=http://127.0.0.1:8080
json='Content-Type: application/json'
ana='"email":"ana@example.org","password":"correct battery"'
result=failed

say() { echo "try: $*"; }
fail() {
  trap - ERR
  say "FAILED: $*"
  systemctl status --no-pager --full --lines=30 doorward.service doorward.socket || true
  exit 1
}
end() {
  [ "$result" = fine ] && say "fine"
  sync
  systemctl poweroff --force --force
}

# until_true SECONDS COMMAND...: repeats a command until it succeeds.
until_true() {
  local seconds=$1 deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $deadline ] || fail "not in $seconds seconds: $*"
    sleep 0.2
  done
}

# request STATUS METHOD PATH [arguments for curl]: the answer's body goes to /tmp/body.
request() {
  local want=$1 method=$2 path=$3 got
  shift 3
  got=$(curl --silent --max-time 60 --output /tmp/body --write-out '%{http_code}' -X "$method" \
    "$base$path" "$@") || true
  [ "$got" = "$want" ] || fail "$method $path: $got instead of $want: $(cat /tmp/body)"
}
# text KEY: a text in the JSON of /tmp/body.
text() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" /tmp/body; }

property() { systemctl show --value --property="$1" doorward.service; }
answers() { curl --silent --fail --max-time 5 --output /dev/null "$base/healthz"; }
# The last line of the log with these words; grep reads all of it, so that journalctl can end well.
logged() { journalctl --unit=doorward --no-pager --output=cat | grep -- "$1" | tail -n 1; }

# installed: installs the package as its owner does; its service must be ready when this ends.
installed() {
  dpkg --install /try/doorward.deb >/tmp/dpkg.txt 2>&1 || fail "dpkg: $(cat /tmp/dpkg.txt)"
  until_true 300 systemctl --quiet is-active doorward.service
  answers || fail "the service is said to be ready, and does not answer"
  say "installed: $(property Type), $(property ActiveState), $(property StatusText)"
}

# What systemd makes of the unit as it runs, with its figure.
exposure() {
  local line
  line=$(systemd-analyze security --no-pager doorward.service | tail -n 1)
  say "systemd-analyze security: ${line#* }"
  awk -v line="$line" -v most="$1" 'BEGIN {
    match(line, /[0-9]+\.[0-9]/); exit !(substr(line, RSTART, RLENGTH) <= most + 0) }' ||
    fail "the exposure is more than $1"
}

systemd=$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
say "$(. /etc/os-release && echo "$PRETTY_NAME"), $(uname -m), kernel $(uname -r), systemd $systemd"
