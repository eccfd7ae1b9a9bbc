# Makes the files of a release from target/package/root; for packaging/build.sh.

# tool NAME VERSION: installs a cargo subcommand in exactly this version, for another one may write
# other bytes.
tool() {
  cargo install --list | grep -x "$1 v$2:" >/dev/null || cargo install --locked --debug "$1@$2"
}

# What these tools are told stands in Cargo.toml, in [package.metadata.deb] and [….generate-rpm].
make_deb() {
  tool cargo-deb 3.8.0
  {
    echo "doorward ($version-1) stable; urgency=medium"
    echo
    echo "  * Release $version. changelog.gz lists its changes."
    echo
    echo " -- $maintainer  $(date -R -d "@$SOURCE_DATE_EPOCH")"
  } >target/package/debian-changelog
  cargo deb --quiet --no-build --no-strip --target "$triple" --deb-version "$version-1" \
    --maintainer "$maintainer" \
    --output "$out/doorward_$version-1_$1.deb"
}

make_rpm() {
  tool cargo-generate-rpm 0.21.1
  # A tilde sorts before the end of a version in rpm too.
  cargo generate-rpm --auto-req disabled --target "$triple" --payload-compress xz \
    --set-metadata "version = \"$version\"" --output "$out/doorward-$version-1.$machine.rpm"
}

# The same files in two levels of folders, and two scripts.
make_tarball() {
  local root=target/package/root folder=doorward-$version-linux-$machine
  local tree=target/package/$folder
  rm -rf "$tree" && mkdir -p "$tree"
  cp packaging/tarball/install.sh packaging/tarball/uninstall.sh LICENSE-MIT LICENSE-APACHE "$tree"
  cp "$root"/usr/bin/doorward "$root"/etc/doorward/config.toml "$tree"
  cp "$root"/usr/lib/systemd/system/doorward.* "$tree"
  mkdir "$tree/completions"
  cp -r "$root/usr/share/man" "$tree"
  cp -r "$root/usr/share/doc/doorward" "$tree/doc"
  cp "$root"/usr/share/bash-completion/completions/doorward "$tree/completions/doorward.bash"
  cp "$root"/usr/share/zsh/vendor-completions/_doorward "$tree/completions"
  cp "$root"/usr/share/fish/vendor_completions.d/doorward.fish "$tree/completions"
  pack "$folder" "$out/$folder.tar.gz"
}

# A directory with a Dockerfile and the root of the image: the program, and Debian's newest glibc.
make_docker() {
  local folder=doorward-$version-docker-$machine debian=target/package/debian-$1
  local tree=target/package/$folder file library
  rm -rf "$tree" "$debian"
  fetch_debian "$1" "$debian" libc6 libgcc-s1 gcc-12-base ca-certificates

  install -D -m 755 "target/package/$1/doorward" "$tree/root/usr/bin/doorward"
  # The program names its loader by its whole path; that finds the others in their own directory.
  library=$(readelf --program-headers "$tree/root/usr/bin/doorward" |
    sed -n 's|.*interpreter: /\(.*\)\]|\1|p')
  install -D -m 755 "$debian/lib/$machine-linux-gnu/${library##*/}" "$tree/root/$library"
  for library in libc.so.6 libm.so.6 libgcc_s.so.1; do
    library=lib/$machine-linux-gnu/$library
    install -D -m 755 "$debian/$library" "$tree/root/$library"
  done
  # Whom to believe the certificate of a mail server, where Debian has it too.
  mkdir -p "$tree/root/etc/ssl/certs"
  cat "$debian"/usr/share/ca-certificates/mozilla/*.crt \
    >"$tree/root/etc/ssl/certs/ca-certificates.crt"
  chmod 644 "$tree/root/etc/ssl/certs/ca-certificates.crt"
  for file in libc6 gcc-12-base ca-certificates; do
    install -D -m 644 "$debian/usr/share/doc/$file/copyright" \
      "$tree/root/usr/share/doc/$file/copyright"
  done
  cp -r target/package/root/usr/share/doc/doorward "$tree/root/usr/share/doc"
  install -D -m 644 packaging/docker/config.toml "$tree/root/etc/doorward/config.toml"
  install -D -m 644 -t "$tree/root/etc" packaging/docker/passwd packaging/docker/nsswitch.conf
  mkdir -p "$tree/root/var/lib" "$tree/state/doorward"
  chmod 700 "$tree/state/doorward"
  install -m 644 packaging/docker/Dockerfile "$tree"
  pack "$folder" "$out/$folder.tar.gz"
}

# pack FOLDER FILE: packs target/package/FOLDER so that only names and contents count.
pack() {
  tar --create --directory target/package --sort=name --format=gnu --owner=0 --group=0 \
    --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" "$1" | gzip -9n >"$2"
}

make_sbom() {
  local file=doorward-$version-$machine.cdx
  tool cargo-cyclonedx 0.5.9
  cargo cyclonedx --quiet --format json --spec-version 1.5 --target "$triple" --no-build-deps \
    --override-filename "$file"
  # The name of this directory does not belong into it.
  sed "s|path+file://$PWD|path+file:///doorward|g" "$file.json" >"$out/$file.json"
  rm "$file.json"
}
