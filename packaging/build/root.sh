# Fills target/package/root with the files of a package at their places; for packaging/build.sh.
# The formats take their files from there, so that they cannot differ.

# fill_root ARCH
fill_root() {
  local root=target/package/root doc=target/package/root/usr/share/doc/doorward
  rm -rf "$root" target/package/pages
  cargo run --quiet --locked --example manual -- target/package/pages

  put 755 "target/package/$1/doorward" usr/bin/doorward
  put 644 packaging/config.toml etc/doorward/config.toml
  put 644 packaging/systemd/doorward.service usr/lib/systemd/system/doorward.service
  put 644 packaging/systemd/doorward.socket usr/lib/systemd/system/doorward.socket

  local page share=usr/share
  for page in target/package/pages/man/*; do
    put 644 "$page" "$share/man/man${page##*.}/${page##*/}"
  done
  gzip -9n "$root/$share"/man/*/*
  local completions=target/package/pages/completions
  put 644 $completions/bash/doorward.bash $share/bash-completion/completions/doorward
  put 644 $completions/zsh/_doorward $share/zsh/vendor-completions/_doorward
  put 644 $completions/fish/doorward.fish $share/fish/vendor_completions.d/doorward.fish

  local file
  for file in README.md config.example.toml docs/*.md docs/*.svg packaging/proxy/* \
    packaging/grafana/* packaging/prometheus/*; do
    put 644 "$file" "$share/doc/doorward/$file"
  done
  for file in notify-reload.conf socket-only.conf; do
    put 644 "packaging/systemd/$file" "$share/doc/doorward/systemd/$file"
  done
  put 644 packaging/deb/copyright $share/doc/doorward/copyright
  put 644 CHANGELOG.md $share/doc/doorward/changelog
  gzip -9n "$doc/changelog"
  packaging/build/third_party.py "$triple" >"$doc/third-party-licenses.txt"
  gzip -9n "$doc/third-party-licenses.txt"
  find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
}

# put MODE FILE PLACE
put() {
  install -D -m "$1" "$2" "target/package/root/$3"
}
