#!/usr/bin/env bash
# Simulates power cuts under the real program: its data lie on a separate ext4 file system. The
# script shuts that down under load without a flush of its journal (FS_IOC_SHUTDOWN), mounts it
# again and checks the data. No acknowledged change may be missing.
#
# Then the script repeats this without the fix in src/store/sled/engine/fdatasync.rs (the control).
# That run must lose data: otherwise the first run proves nothing.
#
#   tests/power_cut.sh [arguments for cargo test, e.g. --release]
#
# DOORWARD_POWER_ROUNDS   number of cuts (default 3)
# DOORWARD_CONTROL_TRIES  maximum number of runs without the fix, one of which must lose data
#                         (default 3); 0 leaves them out
#
# Needs root, loop devices, mkfs.ext4, and perl or python3. If one is missing, the script prints
# that and exits with status 0.
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=${DOORWARD_POWER_ROUNDS:-3}
tries=${DOORWARD_CONTROL_TRIES:-3}
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")

skip() {
    printf '%s\n' '*' "* SKIPPED: the power was not cut: $1" '*' >&2
    exit 0
}

[ "$(id -u)" = 0 ] || skip 'this needs root'
for tool in losetup mkfs.ext4 mount umount; do
    command -v "$tool" >/dev/null || skip "there is no $tool"
done

# In a mount namespace of its own: a namespace that another program makes would copy our mount and
# keep the file system that was cut in use, and the next mount would be that one again, with what
# its memory still held, instead of what is on the device.
if [ -z "${DOORWARD_POWER_NAMESPACE:-}" ]; then
    command -v unshare >/dev/null || skip 'there is no unshare'
    DOORWARD_POWER_NAMESPACE=own exec unshare --mount --propagation private "$0" "$@"
fi

work=$(mktemp -d)
mount=$work/mount image=$work/image loop='' mounted=''
mkdir "$mount"

# Removes the mount and the loop device of prepare, as far as they exist.
dismantle() {
    if [ -n "$mounted" ]; then umount "$mount" 2>/dev/null || umount -l "$mount" || true; fi
    if [ -n "$loop" ]; then losetup --detach "$loop" || true; fi
    loop='' mounted=''
}

leave() {
    dismantle
    rm -rf "$work"
}
trap leave EXIT

# Mounts a fresh file system on a loop device.
prepare() {
    dismantle
    rm -f "$image"
    truncate --size 1G "$image"
    mkfs.ext4 -q -F "$image" || return
    loop=$(losetup --find --show "$image") || return
    mount "$loop" "$mount" || return
    mounted=yes
}
prepare || skip 'there is no loop device that can be mounted'

# After this call the file system writes nothing to the device. 2 is EXT4_GOING_FLAGS_NOLOGFLUSH:
# the part of the journal that is still in memory is lost too.
if command -v perl >/dev/null; then
    cut="perl -e 'open my \$fs, q(<), q($mount) or die; my \$how = pack q(L), 2; ioctl \$fs, 0x8004587d, \$how or die \$!'"
elif command -v python3 >/dev/null; then
    cut="python3 -c 'import fcntl, os, struct; fcntl.ioctl(os.open(\"$mount\", os.O_RDONLY), 0x8004587d, struct.pack(\"I\", 2))'"
else
    skip 'there is neither perl nor python3'
fi

# power_cut ROUNDS [arguments for cargo test]: runs the test on the prepared file system.
power_cut() {
    DOORWARD_POWER_ROUNDS=$1 DOORWARD_POWER_MOUNT=$mount DOORWARD_POWER_CUT=$cut \
        DOORWARD_POWER_RESTORE="umount '$mount'; mount '$loop' '$mount'" \
        cargo test --test crash "${@:2}" -- --ignored --exact rounds::power_cut --nocapture
}

echo "power cut: $rounds rounds"
power_cut "$rounds" "$@"

[ "$tries" -gt 0 ] || exit 0

# The control: a copy of the source in which sled calls the C library's sync_file_range again, and
# the store takes that as a sync.
control=$target/power_control
rm -rf "$control/source"
mkdir -p "$control/source"
tar --exclude=./target --exclude=./.git --exclude="$target" -cf - . | tar -xf - -C "$control/source"
patched=$control/source/src/store/sled/engine/fdatasync.rs
sed -i -e '/^#\[unsafe(no_mangle)\]$/d' -e 's/SYNCS\.load(/SYNCS.fetch_add(1, /' "$patched"
if [ "$(diff src/store/sled/engine/fdatasync.rs "$patched" | grep -c '^[<>]')" != 3 ]; then
    echo "the control could not be made: fdatasync.rs has changed, and this script has to follow" >&2
    exit 1
fi
cd "$control/source"
export CARGO_TARGET_DIR=$control/build
cargo test --test crash "$@" --no-run
for ((try = 1; try <= tries; try++)); do
    echo "control without the cure, try $try: this must lose something"
    prepare
    if power_cut 2 "$@" >"$work/said" 2>&1; then
        continue
    elif grep 'LOST' "$work/said" | cut -c 1-200 | head -n 3; then
        echo "power cut: nothing lost in $rounds rounds; without the cure data were lost at try $try"
        exit 0
    else
        cat "$work/said"
        echo "the control failed without losing anything" >&2
        exit 1
    fi
done
echo "the control lost nothing in $tries tries: these rounds do not show what they should" >&2
exit 1
