#!/usr/bin/env bash
# Checks the systemd units without starting them: that systemd understands every line, and how much
# of the machine is exposed to the service, alone and with its network taken away.
#
#   tests/shell/units.sh
set -euo pipefail
cd "$(dirname "$0")/../../packaging/systemd"

command -v systemd-analyze >/dev/null || apt-get install -y --no-install-recommends systemd

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
install -D -m 644 -t "$root/usr/lib/systemd/system" doorward.service doorward.socket

# A mistake in a unit is a line of output; the exit status says nothing. The program of the unit
# must be there.
install -d "$root/verify"
sed 's|^ExecStart=[^ ]*|ExecStart=/bin/true|' doorward.service >"$root/verify/doorward.service"
cp doorward.socket "$root/verify"
said=$(systemd-analyze verify --man=no "$root"/verify/doorward.{service,socket} 2>&1)
[ -z "$said" ] || { echo "$said"; exit 1; }

# exposure NAME MOST: fails if the unit exposes more than MOST tenths.
exposure() {
  local report
  if report=$(systemd-analyze security --offline=true --no-pager --root="$root" \
    --threshold="$2" doorward.service 2>&1); then
    echo "$1: $(tail -n 1 <<<"$report")"
  else
    grep -v '^✓' <<<"$report"
    echo "$1 exposes more than $2 tenths"
    exit 1
  fi
}
exposure "doorward.service alone" 11
install -D -m 644 -t "$root/etc/systemd/system/doorward.service.d" socket-only.conf
exposure "doorward.service with doorward.socket and socket-only.conf" 4
