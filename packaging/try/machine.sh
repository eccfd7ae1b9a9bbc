# Virtual machines; for packaging/try.sh.

# make_payload SCRIPT FILE...: makes the second disk, which brings the script and files.
make_payload() {
  rm -rf "$work/payload" && mkdir "$work/payload"
  cp packaging/try/guest/lib.sh "$work/payload"
  cp "packaging/try/guest/$1" "$work/payload/main.sh"
  shift
  cp "$@" "$work/payload"
  rm -f "$work/payload.img" && truncate -s 64M "$work/payload.img"
  mke2fs -q -t ext4 -d "$work/payload" "$work/payload.img"
}

# The processor is emulated: /dev/kvm may be there and hang, in a machine that is itself virtual.
#
# boot ARCH DISK CONSOLE: starts a machine with one disk and the payload. The file CONSOLE gets what
# its console prints.
boot() {
  local command serial kernel="quiet loglevel=3 systemd.show_status=no"
  case $1 in
    amd64)
      need qemu-system-x86_64 qemu-system-x86
      command=(qemu-system-x86_64 -accel tcg -cpu max -smp 2)
      serial=ttyS0 ;;
    arm64)
      need qemu-system-aarch64 qemu-system-arm
      # The processor of a Raspberry Pi 4.
      command=(qemu-system-aarch64 -machine virt -cpu cortex-a72 -smp 2)
      serial=ttyAMA0 ;;
  esac
  # The console is for the script alone: no login.
  kernel+=" console=$serial systemd.mask=serial-getty@$serial.service"
  console=$3
  : >"$console"
  rm -f "$work/monitor"
  mkfifo "$work/monitor"
  exec {monitor}<>"$work/monitor"
  nice -n 10 "${command[@]}" -m 1024 -nodefaults -no-reboot -display none -monitor stdio \
    -serial "file:$console" -kernel "$cache/$1.kernel" -initrd "$cache/$1.initrd" -append "$kernel" \
    -drive "file=$2,format=raw,if=virtio" \
    -drive "file=$work/payload.img,format=raw,if=virtio,readonly=on" \
    <&"$monitor" >"$work/qemu.txt" 2>&1 &
  machine=$!
}

# run_to_end SECONDS: waits until the machine has switched itself off. Its script must have
# succeeded.
run_to_end() {
  local deadline=$((SECONDS + $1))
  while kill -0 "$machine" 2>/dev/null; do
    [ $SECONDS -lt $deadline ] || give_up "the machine did not end in $1 seconds"
    sleep 0.5
  done
  machine=
  grep -q '^try: fine' "$console" || give_up "the script in the machine failed"
}

# await SECONDS COUNT PATTERN: waits until that many lines of the console match.
await() {
  local deadline=$((SECONDS + $1))
  until [ "$(grep -c "$3" "$console")" -ge "$2" ]; do
    kill -0 "$machine" 2>/dev/null || give_up "the machine ended before $2 times: $3"
    [ $SECONDS -lt $deadline ] || give_up "not in $1 seconds $2 times: $3"
    sleep 0.2
  done
}

# Cuts the machine's power: nothing in it is told.
cut_off() {
  echo quit >&"$monitor"
  wait "$machine" || true
  machine=
}

give_up() {
  echo "$1; the last lines of $console:"
  tail -n 40 "$console"
  cat "$work/qemu.txt"
  exit 1
}

# Ends a machine that is left; for the end of the script.
end_machine() {
  [ -z "$machine" ] || kill -9 "$machine" 2>/dev/null || true
}

# The lines of the transcript that the run is about.
show() { tr -d '\r' <"$console" | grep "$1" || true; }
