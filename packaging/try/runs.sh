# What packaging/try.sh tries.

# Shared by the runs in a machine: transcript ARCH SCRIPT SECONDS FILE...
run_in_machine() {
  local arch=$1 script=$2 seconds=$3
  shift 3
  make_kernel "$arch"
  make_disk "$arch" "$work/disk.img"
  make_payload "$script" "$@"
  boot "$arch" "$work/disk.img" "$target/${script%.sh}.txt"
  run_to_end "$seconds"
  show '^try:'
}

# In namespaces of its own: network, processes and mounts end with the script.
try_chroot() {
  local arch root=$work/root
  arch=$(dpkg --print-architecture)
  package "$arch"
  older_package "$arch"
  make_system "$arch"
  mkdir "$root"
  tar -xf "$cache/$arch.tar" -C "$root" --numeric-owner --xattrs
  cp "$deb" "$root/try/doorward.deb"
  cp "$older" packaging/try/guest/chroot.sh "$root/try"
  need ip iproute2
  # shellcheck disable=SC2016
  unshare --mount --net --pid --fork --kill-child sh -c \
    'ip link set lo up && exec chroot "$1" /bin/bash /try/chroot.sh' sh "$root" 2>&1 |
    tee "$target/chroot.txt"
}

try_amd64() {
  package amd64
  older_package amd64
  ln -f "$deb" "$work/doorward.deb"
  run_in_machine amd64 service.sh 900 "$work/doorward.deb" "$older"
}

try_readme() {
  package amd64
  readme_steps >"$work/steps.sh"
  run_in_machine amd64 readme.sh 900 "$deb" "$work/steps.sh"
}

# Prints the commands of the README's sections "Debian" and "First steps", in their order. A block
# of the configuration becomes a call that puts it into the file in place of its section.
readme_steps() {
  awk '
    /^##/ { here = /^### Debian/ || /^## First steps/ }
    !here { next }
    /^ *```sh$/ { inside = 1; next }
    /^ *```toml$/ { inside = 1; toml = 1; print "replace_section <<\"TOML\""; next }
    /^ *```$/ { if (toml) print "TOML"; inside = toml = 0; next }
    inside { sub(/^   /, ""); print }' README.md
}

try_arm64() {
  package arm64
  local disk=$work/disk.img
  make_kernel arm64
  make_disk arm64 "$disk"
  ln -f "$deb" "$work/doorward.deb"

  make_payload raspberry.sh "$work/doorward.deb"
  boot arm64 "$disk" "$target/raspberry-1.txt"
  await 2400 30 '^try: acknowledged event-'
  cut_off
  show '^try:' | grep -v 'acknowledged event'
  acknowledged "$console" >"$work/acknowledged"
  echo "cut off after $(wc -l <"$work/acknowledged") acknowledged changes"

  sed -n 's/^login //p' "$work/acknowledged" >"$work/session"
  make_payload raspberry.sh "$work/session"
  boot arm64 "$disk" "$target/raspberry-2.txt"
  run_to_end 2400
  show '^try:' | grep -v 'found event'
  show '^try: found' | sed 's/^try: found //' | sort >"$work/found"
  local lost
  lost=$(comm -23 "$work/acknowledged" "$work/found")
  [ -z "$lost" ] || { echo "acknowledged and lost:"; echo "$lost"; exit 1; }
  echo "found all of them, and $(comm -13 "$work/acknowledged" "$work/found" | wc -l) not acknowledged"
}

# What the machine was told to be stored, from whole lines only.
acknowledged() {
  tr -d '\r' <"$1" |
    sed -nE 's/^try: acknowledged ((signup|login) [^ ]+|event-[0-9]+) stored$/\1/p' | sort
}
