#!/usr/bin/env bash
# Tries the packages that packaging/build.sh made on systems of their own, as root:
#
#   packaging/try.sh chroot [DIR]   this machine's package in a bare Debian root: install, start,
#                                   upgrade, remove, purge (a minute)
#   packaging/try.sh amd64 [DIR]    a virtual machine: systemd starts, reloads, watches and restarts
#                                   the service; a port under 1024; a broken configuration
#   packaging/try.sh readme [DIR]   a virtual machine: the commands of the README, from the package
#                                   to a reset mail in a mailbox
#   packaging/try.sh arm64 [DIR]    a virtual machine with the processor of a Raspberry Pi 4 that is
#                                   cut off and started again (five minutes)
#   packaging/try.sh all [DIR]      all of these
#
# DIR is dist; a package that is missing there is built. The roots and kernels come from Debian and
# stay in ~/.cache/doorward/try; remove that directory to get newer ones. All processors are
# emulated. Transcripts are in target/try.
#
# It installs what it lacks: mmdebstrap, e2fsprogs, cpio, iproute2, arch-test, qemu.
set -euo pipefail
called_from=$PWD
cd "$(dirname "$0")/.."
. packaging/build/debian.sh
. packaging/try/system.sh
. packaging/try/machine.sh
. packaging/try/runs.sh

what=${1:-}
dist=$PWD/dist
[ -z "${2:-}" ] || dist=$(cd "$called_from" && realpath -m "$2")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/doorward/try
target=$PWD/target/try
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

case $what in
  chroot | amd64 | readme | arm64 | all) ;;
  *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
[ "$(id -u)" = 0 ] || { echo "SKIPPED: systems of their own need root"; exit 0; }
mkdir -p "$cache" "$target"
work=$(mktemp -d "$target/work.XXXXXX")
machine=
trap 'end_machine; rm -rf "$work"' EXIT

[ "$what" != all ] || what="chroot amd64 readme arm64"
for run in $what; do
  printf -- '-- %s\n' "$run"
  "try_$run"
done
