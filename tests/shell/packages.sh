#!/usr/bin/env bash
# Checks the packages that packaging/build.sh has made for this machine's architecture: lintian
# finds no error; every file has its place, its mode and root as its owner; all formats bring the
# same program; pages and completions can be read; the checksums are right.
#
#   tests/shell/packages.sh [DIR]     the directory with the packages (dist)
set -euo pipefail
out=$(realpath "${1:-dist}")
cd "$(dirname "$0")/../.."
arch=$(dpkg --print-architecture)
machine=$(uname -m)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# need COMMAND PACKAGE: installs a package of Debian if the command is missing.
need() {
  command -v "$1" >/dev/null || { apt-get update -q && apt-get install -q -y --no-install-recommends "$2"; }
}
# same WHAT FILE...: fails if the files differ.
same() {
  local what=$1 first=$2 file
  shift
  for file; do
    diff "$first" "$file" || { echo "$what: $file differs from $first"; exit 1; }
  done
}
need lintian lintian
need man man-db
need rpm rpm

(cd "$out" && sha256sum --quiet --check SHA256SUMS)

deb=$out/doorward_$version-1_$arch.deb
echo "lintian:"
# Root runs this in a container; lintian advises against it, and reads only.
lintian --allow-root --fail-on error --suppress-tags initial-upload-closes-no-bugs "$deb"

# Mode, owner and place of every file: only the program is executable, and only root writes.
dpkg-deb --contents "$deb" | awk '
  BEGIN {
    place["etc/doorward/config.toml"] place["usr/bin/doorward"]
    below["^usr/lib/systemd/system/doorward[.]"] below["^usr/share/doc/doorward/"]
    below["^usr/share/man/man[15]/doorward"] below["^usr/share/bash-completion/completions/doorward$"]
    below["^usr/share/zsh/vendor-completions/_doorward$"]
    below["^usr/share/fish/vendor_completions[.]d/doorward[.]fish$"]
  }
  {
    file = substr($6, 3)
    folder = $6 ~ /\/$/
    mode = folder ? "drwxr-xr-x" : file == "usr/bin/doorward" ? "-rwxr-xr-x" : "-rw-r--r--"
    known = folder || file in place
    for (pattern in below) if (file ~ pattern) known = 1
    if ($1 != mode || $2 !~ /^(0\/0|root\/root)$/ || !known || NF != 6) { print "in the package: " $0; bad = 1 }
    if (file in place) delete place[file]
  }
  END {
    for (file in place) { print "not in the package: " file; bad = 1 }
    exit bad
  }'
[ "$(dpkg-deb --field "$deb" Version)" = "$version-1" ]
dpkg-deb --control "$deb" "$work/control"
grep -qx /etc/doorward/config.toml "$work/control/conffiles"

# The program of all formats, and what it says of itself.
dpkg-deb --extract "$deb" "$work/deb"
mkdir "$work/tar" "$work/docker" "$work/rpm"
tar -xzf "$out/doorward-$version-linux-$machine.tar.gz" -C "$work/tar" --strip-components 1
tar -xzf "$out/doorward-$version-docker-$machine.tar.gz" -C "$work/docker" --strip-components 1
rpm --root "$work/rpm" --install --nodeps --noscripts "$out/doorward-$version-1.$machine.rpm"
[ "$(rpm --root "$work/rpm" --query --configfiles doorward)" = /etc/doorward/config.toml ]
same "the program" "$work"/{deb/usr/bin/doorward,tar/doorward,rpm/usr/bin/doorward,docker/root/usr/bin/doorward}
[ "$("$work/deb/usr/bin/doorward" --version)" = "doorward $version" ]
"$work/deb/usr/bin/doorward" check-config --config "$work/deb/etc/doorward/config.toml"
"$work/deb/usr/bin/doorward" check-config --config "$work/docker/root/etc/doorward/config.toml"

# A path of the machine that built it would differ elsewhere, and tells of it.
for path in "$PWD" "${CARGO_HOME:-$HOME/.cargo}"; do
  ! grep -qF "$path/" "$work/deb/usr/bin/doorward" || { echo "the program names $path"; exit 1; }
done

# Every command has its page, and is completed; the pages have no mistakes.
"$work/deb/usr/bin/doorward" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p' | grep -vx help |
  while read -r command; do
    [ -e "$work/deb/usr/share/man/man1/doorward-$command.1.gz" ] || { echo "no page: $command"; exit 1; }
    grep -qF ",$command)" "$work/deb/usr/share/bash-completion/completions/doorward" ||
      { echo "not completed: $command"; exit 1; }
  done
for page in "$work"/deb/usr/share/man/man*/*.gz; do
  LC_ALL=C.UTF-8 MANROFFSEQ='' man --warnings -E UTF-8 -l -Tutf8 -Z "$page" >/dev/null 2>"$work/warnings.txt"
  [ ! -s "$work/warnings.txt" ] || { echo "$page:"; cat "$work/warnings.txt"; exit 1; }
done
bash -n "$work/deb/usr/share/bash-completion/completions/doorward"
for script in "$work"/control/{postinst,prerm,postrm} "$work"/tar/*.sh packaging/rpm/*.sh; do
  sh -n "$script"
done
python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$out/doorward-$version-$machine.cdx.json"
echo "packages: fine"
