# Packages of Debian, unpacked and not installed; for packaging/build.sh.

# fetch_debian ARCH FOLDER PACKAGE...: unpacks the newest versions of packages into FOLDER. They are
# found through lists of their own, so that dpkg knows nothing of a second architecture.
fetch_debian() (
  local lists=${XDG_CACHE_HOME:-$HOME/.cache}/doorward/apt-$1
  local options=(-q -o "APT::Architecture=$1" -o "APT::Architectures=$1"
    -o "Dir::State::Lists=$lists/lists" -o "Dir::State::status=$lists/status"
    -o "Dir::Cache=$lists/cache" -o APT::Sandbox::User=root)
  mkdir -p "$lists/lists/partial" "$lists/cache/archives/partial" "$2"
  touch "$lists/status"
  cd "$2"
  shift 2
  apt-get "${options[@]}" update
  apt-get "${options[@]}" download "$@"
  for package in *.deb; do dpkg -x "$package" .; done
  rm -- *.deb
) >&2
