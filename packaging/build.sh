#!/usr/bin/env bash
# Builds what a release consists of, from this source tree:
#
#   packaging/build.sh [--arch amd64|arm64|all] [--out DIR] [--binary | --deb]
#
#   doorward_VERSION-1_ARCH.deb             for Debian 12 or newer, Ubuntu 22.04 or newer
#   doorward-VERSION-1.MACHINE.rpm          for distributions with glibc 2.34 or newer
#   doorward-VERSION-linux-MACHINE.tar.gz   the same for any Linux, with install.sh and uninstall.sh
#   doorward-VERSION-docker-MACHINE.tar.gz  a directory for `docker build`
#   doorward-VERSION-MACHINE.cdx.json       the dependencies of the binary (SBOM, CycloneDX)
#   SHA256SUMS                              the checksums of all files in DIR
#
# MACHINE is what `uname -m` says of ARCH: x86_64 or aarch64.
# --arch is the machine's own architecture if it is left out; DIR is dist. --binary builds only
# target/package/ARCH/doorward, from which everything else is made; --deb only the .deb.
#
#   packaging/build.sh --check-reproducible [--arch …]
#
# builds everything twice, the second time from a copy of the last commit in another directory, and
# compares the checksums.
#
# DOORWARD_VERSION_SUFFIX is appended to the version of the packages, so that tests can make an
# older one (~before). SOURCE_DATE_EPOCH is the time of the last commit if it is not set.
#
# Works on Debian 12 or newer, with a Rust toolchain by rustup. It installs what it lacks: three
# cargo subcommands and, for arm64, a cross compiler (as root).
set -euo pipefail
called_from=$PWD
cd "$(dirname "$0")/.."
. packaging/build/debian.sh
. packaging/build/binary.sh
. packaging/build/root.sh
. packaging/build/formats.sh

arch=$(dpkg --print-architecture)
out=$PWD/dist
step=build
want=release
while [ $# -gt 0 ]; do
  case $1 in
    --arch) arch=$2; shift ;;
    --out) out=$(cd "$called_from" && realpath -m "$2"); shift ;;
    --binary) want=binary ;;
    --deb) want=deb ;;
    --check-reproducible) step=check_reproducible ;;
    *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
  shift
done
[ "$arch" != all ] || arch="amd64 arm64"

# The names of an architecture: Debian's is the argument, Rust's and rpm's are set.
name_architecture() {
  case $1 in
    amd64) machine=x86_64 ;;
    arm64) machine=aarch64 ;;
    *) echo "unknown architecture $1: say amd64, arm64 or all" >&2; exit 2 ;;
  esac
  triple=$machine-unknown-linux-gnu
}

# Everything that is made carries the time of the last commit.
if [ -z "${SOURCE_DATE_EPOCH:-}" ]; then
  SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) || {
    echo "this is no git repository: set SOURCE_DATE_EPOCH to the time of the release" >&2
    exit 1
  }
fi
export SOURCE_DATE_EPOCH TZ=UTC LC_ALL=C.UTF-8
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)${DOORWARD_VERSION_SUFFIX:-}
# Whom the packages name as their maintainers.
maintainer="doorward maintainers <maintainers@doorward.example>"
umask 022

build() {
  for one in $arch; do
    name_architecture "$one"
    build_binary_of "$one"
    [ "$want" != binary ] || continue
    mkdir -p "$out"
    fill_root "$one"
    make_deb "$one"
    [ "$want" != deb ] || continue
    make_rpm
    make_tarball
    make_docker "$one"
    make_sbom
  done
  [ "$want" != release ] ||
    (cd "$out" && rm -f SHA256SUMS && sha256sum -- * >SHA256SUMS && cat SHA256SUMS)
}

# The work tree, and a copy of the last commit in another directory.
check_reproducible() {
  local work
  git diff --quiet HEAD || {
    echo "the work tree differs from the last commit: commit first" >&2
    exit 1
  }
  work=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf '$work'" EXIT
  git clone --quiet . "$work/another/place/to/build"
  packaging/build.sh --arch "$arch" --out "$work/first"
  (unset CARGO_TARGET_DIR && "$work/another/place/to/build/packaging/build.sh" --arch "$arch" \
    --out "$work/second")
  diff "$work/first/SHA256SUMS" "$work/second/SHA256SUMS" || {
    echo "two builds of one commit differ" >&2
    exit 1
  }
  echo "reproducible: two builds in two directories have the same checksums"
}

"$step"
