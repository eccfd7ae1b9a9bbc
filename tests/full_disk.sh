#!/usr/bin/env bash
# Fills a file system of 64 MiB and more under the real program: the program refuses events,
# everything else works, and when there is room again it accepts events without a restart. Then the
# script starts the program on a file system that is nearly full, and on one that is full.
#
#   tests/full_disk.sh [BINARY]     the program under test (target/release/doorward)
#
# DOORWARD_FULL_ROUNDS   how often the script fills it (default 1; the long run uses 10)
#
# Needs root and mkfs.ext4 on a loop device; without one it uses a tmpfs. If it can mount neither,
# it prints the reason and exits with status 0.
set -euo pipefail
cd "$(dirname "$0")/.."

binary=$(realpath "${1:-target/release/doorward}")

skip() {
    printf '%s\n' '*' "* SKIPPED: no disk was filled: $1" '*' >&2
    exit 0
}

[ "$(id -u)" = 0 ] || skip 'this needs root'
[ -x "$binary" ] || { echo "there is no $binary: cargo build --release" >&2; exit 1; }

# Each round stores some six megabytes.
size=$((56 + 8 * ${DOORWARD_FULL_ROUNDS:-1}))M
work=$(mktemp -d)
mount=$work/mount image=$work/image
mkdir "$mount"
trap 'umount "$mount" 2>/dev/null || umount -l "$mount" 2>/dev/null || true; rm -rf "$work"' EXIT

if truncate --size "$size" "$image" && mkfs.ext4 -q -F -m 0 "$image" && mount -o loop "$image" "$mount"; then
    kind='ext4 on a loop device'
elif mount -t tmpfs -o size=$size tmpfs "$mount"; then
    kind='tmpfs: there is no loop device'
else
    skip 'nothing can be mounted'
fi 2>"$work/why"

echo "full disk: $size, $kind"
DOORWARD_BINARY=$binary DOORWARD_FULL_MOUNT=$mount \
    cargo test --locked --test crash -- --ignored --exact full_disk::full_disk --nocapture
