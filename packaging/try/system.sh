# Debian systems to try packages on; for packaging/try.sh.

# What a small server has: systemd, curl, openssl. aiosmtpd is the mail server of the README's
# steps. Debian 12's OpenSMTPD is not: with OpenSSL 3 it ends each TLS handshake by an internal
# error, whatever the key and whoever the client.
system_packages=systemd,systemd-sysv,dbus,udev,init-system-helpers,curl,ca-certificates,openssl,python3-aiosmtpd

# need COMMAND PACKAGE...: installs packages of Debian if the command is missing.
need() {
  command -v "$1" >/dev/null && return
  shift
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -q && apt-get install -q -y --no-install-recommends "$@"; } >&2
}

# make_system ARCH: makes $cache/ARCH.tar, a bare Debian with the packages above.
make_system() {
  need mmdebstrap mmdebstrap
  [ -e "$cache/$1.tar" ] && return
  [ "$1" = "$(dpkg --print-architecture)" ] || run_foreign_scripts
  echo "making a Debian for $1"
  mmdebstrap --quiet --format=tar --architectures="$1" --variant=minbase --include="$system_packages" \
    --customize-hook='rm "$1/etc/resolv.conf" "$1/etc/hostname"' \
    --customize-hook='copy-in packaging/try/guest/try.service /etc/systemd/system' \
    --customize-hook='mkdir "$1/try" && systemctl --root="$1" --quiet enable try.service' \
    bookworm "$cache/$1.tar.new"
  mv "$cache/$1.tar.new" "$cache/$1.tar"
}

# The scripts of arm64's packages run by emulation of one process at a time. This needs no threads,
# which it lacks on some machines; the programs under test run in a virtual machine.
run_foreign_scripts() {
  need arch-test arch-test
  need qemu-aarch64-static qemu-user-static
  local formats=/proc/sys/fs/binfmt_misc
  [ -e $formats/register ] || mount -t binfmt_misc binfmt_misc $formats
  [ -e $formats/qemu-aarch64 ] ||
    grep -v '^#' /usr/lib/binfmt.d/qemu-aarch64.conf >$formats/register
}

# make_disk ARCH FILE: makes a disk with that Debian on it.
make_disk() {
  need mke2fs e2fsprogs
  make_system "$1"
  rm -rf "$work/disk" && mkdir "$work/disk"
  tar -xf "$cache/$1.tar" -C "$work/disk" --numeric-owner --xattrs
  truncate -s 2G "$2"
  mke2fs -q -t ext4 -d "$work/disk" "$2"
  rm -rf "$work/disk"
}

# make_kernel ARCH: makes $cache/ARCH.kernel and $cache/ARCH.initrd. Debian's kernel is unpacked and
# not installed: it would bring packages of another architecture to this machine, and a boot loader.
make_kernel() {
  [ -e "$cache/$1.initrd" ] && return
  need cpio cpio
  local tree=$work/kernel initrd=$work/initrd module files
  fetch_debian "$1" "$tree" busybox-static "$(newest_kernel "$1")"
  mkdir -p "$initrd"/{bin,dev,proc,root,modules}
  cp "$tree/bin/busybox" "$initrd/bin/busybox"
  cp packaging/try/guest/init "$initrd/init"
  # In the order in which one needs the other; what is part of the kernel is left out.
  for module in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk \
    crc16 crc32c_generic mbcache jbd2 ext4; do
    files=$(find "$tree/lib/modules" -name "$module.ko")
    [ -z "$files" ] || { cp "$files" "$initrd/modules" && echo "$module.ko" >>"$initrd/modules/order"; }
  done
  (cd "$initrd" && find . | cpio --quiet -o -H newc | gzip) >"$cache/$1.initrd.new"
  cp "$tree"/boot/vmlinuz-* "$cache/$1.kernel"
  mv "$cache/$1.initrd.new" "$cache/$1.initrd"
  rm -rf "$tree" "$initrd"
}

# newest_kernel ARCH: prints the name of the package with the kernel that linux-image-ARCH names.
newest_kernel() {
  local lists=${XDG_CACHE_HOME:-$HOME/.cache}/doorward/apt-$1
  fetch_debian "$1" "$work/meta" "linux-image-$1"
  apt-cache -o "APT::Architecture=$1" -o "APT::Architectures=$1" -o "Dir::State::Lists=$lists/lists" \
    -o "Dir::State::status=$lists/status" -o "Dir::Cache=$lists/cache" depends "linux-image-$1" |
    grep -o 'linux-image-[0-9].*'
}

# package ARCH: sets $deb to the package for ARCH, and builds it if it is not there.
package() {
  deb=$dist/doorward_$version-1_$1.deb
  [ -e "$deb" ] || packaging/build.sh --deb --arch "$1" --out "$dist"
}

# older_package ARCH: sets $older to the same package with the version before. Only its number
# differs.
older_package() {
  local tree=$work/older
  older=$work/older.deb
  rm -rf "$tree"
  dpkg-deb --raw-extract "$deb" "$tree"
  sed -i "s/^Version: .*/Version: $version~before-1/" "$tree/DEBIAN/control"
  dpkg-deb --root-owner-group --build "$tree" "$older" >/dev/null
}
