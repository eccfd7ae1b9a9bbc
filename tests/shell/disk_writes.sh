#!/usr/bin/env bash
# Measures how much doorward writes to the disk: its data lie on an ext4 file system of their own,
# on a loop device, and the kernel counts the bytes that the device is given (so the file system's
# own writing is in the figures). The table in docs/operations.md comes from this script; it checks
# nothing.
#
#   tests/shell/disk_writes.sh target/release/doorward [SECONDS of each measurement, default 60]
#
# Needs root and a loop device.
set -euo pipefail
seconds=${2:-60}
. "$(dirname "$0")/lib.sh"

[ "$(id -u)" = 0 ] || { echo "disk writes: this needs root" >&2; exit 1; }
truncate --size 1G image
mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 image
mkdir data
mount -o loop,noatime image data
device=$(findmnt --noheadings --output SOURCE data)
trap 'kill -9 $server 2>/dev/null || true; umount "$work/data" || umount -l "$work/data"; rm -rf "$work"' EXIT
sed -i 's/^\[admin\]/&\npassword = "an administrator"/; s/^rates = .*/rates = false/' config.toml
cp config.toml plain.toml

# The KiB that the device has been given since it is there, all that waits included.
written() { sync --file-system data; awk '{print int($7 / 2)}' "/sys/block/${device#/dev/}/stat"; }

# measure WHAT COUNT COMMAND...: starts the command COUNT times, at equal distances, over the whole
# measurement, and prints the KiB for each run and in a day.
measure() {
  local what=$1 count=$2 before after
  shift 2
  before=$(written)
  python3 - "$seconds" "$count" "$@" <<'END2'
import subprocess, sys, time
seconds, count, command = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
begin, begun = time.monotonic(), []
for number in range(count):
    time.sleep(max(0, begin + number * seconds / count - time.monotonic()))
    begun.append(subprocess.Popen(command))
time.sleep(max(0, begin + seconds - time.monotonic()))
sys.exit(any(process.wait() for process in begun))
END2
  after=$(written)
  awk -v what="$what" -v kib=$((after - before)) -v count="$count" -v seconds="$seconds" 'BEGIN {
    printf "%-40s %8.1f MiB a day", what, kib / 1024 * 86400 / seconds
    if (count) printf ", %6.1f KiB each", kib / count
    print "" }'
}

cat >request <<END2
#!/bin/sh
exec curl --silent --fail --output /dev/null "\$@"
END2
chmod +x request

for delay in 0s 50ms 1s; do
  sed "s/^commit_delay = .*/commit_delay = \"$delay\"/" plain.toml >config.toml
  start
  if [ ! -e token ]; then
    expect 201 POST /v1/user -H "$json" -d '{"name":"Ana","email":"ana@example.org","password":"correct battery"}'
    field id >token
  fi
  session=$(cat token)
  echo "commit_delay = \"$delay\""
  report=(./request "$base/api/events/complex_clientapp" -H "$json" -H "token: $session"
    -d "{\"events\":[{\"name\":\"started\",\"details\":{\"version\":\"1.0\",\"screen\":\"main\"}}]}")
  measure '  nothing happens' 0 true
  measure '  a token check each second' "$seconds" ./request "$base/v1/user" -H "Authorization: Bearer $session"
  measure '  a login each ten seconds' $((seconds / 10)) ./request "$base/v1/auth" -H "$json" \
    -d '{"email":"ana@example.org","password":"correct battery"}'
  measure '  an event each second' "$seconds" "${report[@]}"
  measure '  ten events each second, one by one' $((seconds * 10)) "${report[@]}"
  stop TERM
done
