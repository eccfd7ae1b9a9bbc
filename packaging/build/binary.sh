# Builds the program for one architecture; for packaging/build.sh.

# rustc-web, Debian's newest compiler, and its standard library for arm64 are unpacked into this
# directory. They are not installed, for they conflict with rustup's and Debian's other compilers.
rust_web=${XDG_CACHE_HOME:-$HOME/.cache}/doorward/rust-web

# build_binary_of ARCH: builds target/package/ARCH/doorward. The paths of this machine are replaced
# in it, so that two directories give the same bytes.
build_binary_of() {
  local target_dir=${CARGO_TARGET_DIR:-$PWD/target} registry=${CARGO_HOME:-$HOME/.cargo}/registry/src
  local rust="--remap-path-prefix=$PWD=doorward" c="-ffile-prefix-map=$PWD=doorward" index
  cargo fetch --locked --quiet
  for index in "$registry"/*; do
    rust+=$'\x1f'--remap-path-prefix=$index=crates
    c+=" -ffile-prefix-map=$index=crates"
  done
  (
    export CARGO_ENCODED_RUSTFLAGS=$rust "CFLAGS_${triple//-/_}=$c"
    if [ "$1" = "$(dpkg --print-architecture)" ]; then
      # Without --target, where `cargo build --release` puts it too.
      cargo build --release --locked
    else
      use_cross_compiler
      cargo build --release --locked --target "$triple"
      target_dir+=/$triple
    fi
    install -D -m 755 "$target_dir/release/doorward" "target/package/$1/doorward"
  )
  check_symbols "target/package/$1/doorward"
}

# The packages say that they need glibc 2.34: the program must not use symbols of a later one.
check_symbols() {
  local newest
  newest=$(LC_ALL=C objdump -T "$1" | grep -o 'GLIBC_[0-9.]*' | sort -V | tail -n 1)
  [ "$(printf '%s\n' "$newest" GLIBC_2.34 | sort -V | tail -n 1)" = GLIBC_2.34 ] || {
    echo "$1 needs $newest: raise glibc's version in Cargo.toml" >&2
    exit 1
  }
}

# Sets what cargo needs to build for arm64 on amd64.
use_cross_compiler() {
  [ "$triple" = aarch64-unknown-linux-gnu ] || {
    echo "only arm64 is cross-compiled, and only on amd64" >&2
    exit 1
  }
  install_cross_compiler
  export RUSTC=$rust_web/rustc
  export CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc
  export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
}

# Installs the C compiler and linker from Debian, and unpacks the Rust compiler.
install_cross_compiler() {
  local packages=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross libedit2 libxml2 libz3-4)
  dpkg-query -W "${packages[@]}" >/dev/null 2>&1 ||
    { apt-get update -q && apt-get install -q -y --no-install-recommends "${packages[@]}"; } >&2
  [ -x "$rust_web/rustc" ] || unpack_rust_web
}

# The compiler with its standard libraries for amd64, which build scripts need, and for arm64.
unpack_rust_web() {
  local std llvm
  std=$(apt-cache depends libstd-rust-web-dev | grep -o 'libstd-rust-web-[0-9].*')
  llvm=$(apt-cache depends "$std" | grep -o 'libllvm[0-9].*')
  rm -rf "$rust_web"
  fetch_debian amd64 "$rust_web" rustc-web libstd-rust-web-dev "$std" "$llvm"
  fetch_debian arm64 "$rust_web" libstd-rust-web-dev
  printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' \
    "$rust_web/usr/lib/x86_64-linux-gnu" "$rust_web/usr/bin/rustc" >"$rust_web/rustc.new"
  chmod 755 "$rust_web/rustc.new"
  mv "$rust_web/rustc.new" "$rust_web/rustc"
}
