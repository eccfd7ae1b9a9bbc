#!/usr/bin/env bash
# Builds the image of packaging/docker with buildah, which needs no daemon, and runs what is in it
# as the image's user, in a chroot: the server answers, the health check of the image passes, and
# the data is that user's.
#
#   tests/shell/image.sh [DIR]     the directory with the packages (dist)
set -euo pipefail
out=$(realpath "${1:-dist}")
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$(dirname "$0")/../../Cargo.toml" | head -n 1)
[ "$(id -u)" = 0 ] || { echo "SKIPPED: the image needs root"; exit 0; }
command -v buildah >/dev/null ||
  { apt-get update -q && apt-get install -q -y --no-install-recommends buildah; }

work=$(mktemp -d)
export STORAGE_DRIVER=vfs
storage=(--root "$work/storage" --runroot "$work/run")
container=
server=
end() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  wait
  [ -z "$container" ] || buildah "${storage[@]}" rm "$container" >/dev/null
  rm -rf "$work"
}
trap end EXIT

tar -xzf "$out/doorward-$version-docker-$(uname -m).tar.gz" -C "$work"
buildah "${storage[@]}" bud --format docker --tag doorward "$work"/doorward-*-docker-* >"$work/build.txt"
# says FIELD TEXT: checks what the image says of itself.
says() {
  local have
  have=$(buildah "${storage[@]}" inspect --type image --format "{{ .Docker.Config.$1 }}" doorward)
  [ "$have" = "$2" ] || { echo "$1 of the image is $have, not $2"; exit 1; }
}
says User 65532:65532
says Volumes 'map[/var/lib/doorward:{}]'
says Healthcheck.Test '[CMD /usr/bin/doorward health]'
says Entrypoint '[/usr/bin/doorward]'
says Cmd '[serve]'

# From here on the image's own files, as its own user; only the port is another.
container=$(buildah "${storage[@]}" from doorward)
root=$(buildah "${storage[@]}" mount "$container")
in_image() { exec chroot --userspec=65532:65532 "$root" "$@"; }
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
sed -i "s/^listen = .*/listen = \"127.0.0.1:$port\"/" "$root/etc/doorward/config.toml"

in_image /usr/bin/doorward serve >"$work/log.txt" 2>&1 &
server=$!
for _ in $(seq 200); do
  curl --silent --fail --output /dev/null "http://127.0.0.1:$port/healthz" && break
  kill -0 "$server" 2>/dev/null || break
  sleep 0.1
done
curl --silent --show-error --fail "http://127.0.0.1:$port/healthz" || { cat "$work/log.txt"; exit 1; }
echo
(in_image /usr/bin/doorward health) || { echo "the health check fails"; cat "$work/log.txt"; exit 1; }
[ "$(grep -c 'BEGIN CERTIFICATE' "$root/etc/ssl/certs/ca-certificates.crt")" -gt 100 ] ||
  { echo "the image has no certificate authorities, so that no mail leaves"; exit 1; }
data=$root/var/lib/doorward
[ -S "$data/control.sock" ] && [ -z "$(find "$data" -not -user 65532)" ] ||
  { echo "the data is not there, or not the user's"; ls -lan "$data"; exit 1; }
echo "image: fine"
