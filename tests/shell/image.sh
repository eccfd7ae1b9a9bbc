#!/usr/bin/env bash
# Builds the image of packaging/docker with buildah, and runs it with a configuration of its own:
# the server answers, its user is not root, the health check of the image passes, and the data is in
# the volume. buildah needs no daemon; its chroot isolation runs in any container, as root.
#
#   tests/shell/image.sh [DIR]     the directory with the packages (dist)
set -euo pipefail
out=$(realpath "${1:-dist}")
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$(dirname "$0")/../../Cargo.toml" | head -n 1)
[ "$(id -u)" = 0 ] || { echo "SKIPPED: the image needs root"; exit 0; }
command -v buildah >/dev/null ||
  { apt-get update -q && apt-get install -q -y --no-install-recommends buildah; }

work=$(mktemp -d)
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs
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

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
sed "s/^listen = .*/listen = \"127.0.0.1:$port\"/" \
  "$work"/doorward-*-docker-*/root/etc/doorward/config.toml >"$work/config.toml"
chmod 644 "$work/config.toml"
install -d -m 700 -o 65532 -g 65532 "$work/data"
chmod 755 "$work"
container=$(buildah "${storage[@]}" from doorward)
in_image() {
  exec buildah "${storage[@]}" run --volume "$work/config.toml:/etc/doorward/config.toml:ro" \
    --volume "$work/data:/var/lib/doorward" "$container" -- "$@"
}

(in_image /usr/bin/doorward serve) >"$work/log.txt" 2>&1 &
server=$!
for _ in $(seq 200); do
  curl --silent --fail --output /dev/null "http://127.0.0.1:$port/healthz" && break
  kill -0 "$server" 2>/dev/null || break
  sleep 0.1
done
curl --silent --show-error --fail "http://127.0.0.1:$port/healthz" || { cat "$work/log.txt"; exit 1; }
echo
(in_image /usr/bin/doorward health) || { echo "the health check fails"; cat "$work/log.txt"; exit 1; }
[ -n "$(ls "$work/data")" ] || { echo "no data is in the volume"; exit 1; }
[ -z "$(find "$work/data" -not -user 65532)" ] || { echo "not all data is the user's"; exit 1; }
echo "image: fine"
