#!/usr/bin/env bash
# Runs install.sh and uninstall.sh of the tarball on a copy of this machine's directories, which
# ends with the script: every file has its place, a changed configuration survives an upgrade, and
# nothing is left after a purge.
#
#   tests/shell/tarball.sh [DIR]     the directory with the packages (dist)
set -euo pipefail
out=$(realpath "${1:-dist}")
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$(dirname "$0")/../../Cargo.toml" | head -n 1)
[ "$(id -u)" = 0 ] || { echo "SKIPPED: install.sh needs root"; exit 0; }
if [ -z "${DOORWARD_IN_COPY:-}" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  DOORWARD_IN_COPY=$work unshare --mount "$(realpath "$0")" "$out"
  exit
fi

# The copy: what is written to these directories goes to the working directory instead. An empty
# /run hides the machine's own systemd.
work=$DOORWARD_IN_COPY
mount -t tmpfs tmpfs "$work"
for place in etc usr var; do
  mkdir -p "$work/$place/upper" "$work/$place/work"
  mount -t overlay overlay \
    -o "lowerdir=/$place,upperdir=$work/$place/upper,workdir=$work/$place/work" "/$place"
done
mount -t tmpfs tmpfs /run
# A machine that has doorward already is tested as if it had not.
rm -rf /etc/doorward /usr/bin/doorward /usr/local/bin/doorward
written() { (cd "$work" && find etc/upper usr/upper var/upper -name '*doorward*' -not -type c | sort); }
[ -z "$(written)" ]

mkdir "$work/tarball"
tar -xzf "$out/doorward-$version-linux-$(uname -m).tar.gz" -C "$work/tarball" --strip-components 1

"$work/tarball/install.sh"
/usr/local/bin/doorward check-config
[ "$(stat -c %a /usr/local/bin/doorward /etc/doorward/config.toml | xargs)" = "755 644" ]
grep -q '^ExecStart=/usr/local/bin/doorward serve' /etc/systemd/system/doorward.service ||
  { echo "the unit does not start /usr/local/bin/doorward"; exit 1; }
[ -e /etc/systemd/system/doorward.socket ]
[ -e /usr/local/share/man/man5/doorward-config.5.gz ]

echo '# mine' >>/etc/doorward/config.toml
"$work/tarball/install.sh"
grep -qx '# mine' /etc/doorward/config.toml || { echo "an upgrade replaced the configuration"; exit 1; }

mkdir -p /var/lib/private/doorward
ln -s private/doorward /var/lib/doorward
"$work/tarball/uninstall.sh"
[ -e /etc/doorward/config.toml ] && [ -d /var/lib/private/doorward ]
[ ! -e /usr/local/bin/doorward ]

"$work/tarball/uninstall.sh" --purge
[ -z "$(written)" ] || { echo "left behind:"; written; exit 1; }
echo "tarball: fine"
