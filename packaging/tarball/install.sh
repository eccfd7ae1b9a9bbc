#!/bin/sh
# Installs doorward from this directory: the program, its service, its manual. Run it as root.
# An upgrade is the same command from the directory of the new version. uninstall.sh undoes it.
set -eu
cd "$(dirname "$0")"

[ "$(id -u)" = 0 ] || { echo "run this as root: sudo $0" >&2; exit 1; }
[ ! -e /usr/bin/doorward ] || { echo "doorward is installed as a package: remove it first" >&2; exit 1; }

install -D -m 755 doorward /usr/local/bin/doorward.new
mv /usr/local/bin/doorward.new /usr/local/bin/doorward

# The configuration of an earlier version stays.
[ -e /etc/doorward/config.toml ] || install -D -m 644 config.toml /etc/doorward/config.toml

for unit in doorward.service doorward.socket; do
    sed 's|/usr/bin/doorward|/usr/local/bin/doorward|' "$unit" >"/etc/systemd/system/$unit"
    chmod 644 "/etc/systemd/system/$unit"
done

for page in man/man*/*.gz; do
    install -D -m 644 "$page" "/usr/local/share/$page"
done
install -D -m 644 completions/doorward.bash /usr/local/share/bash-completion/completions/doorward
install -D -m 644 completions/_doorward /usr/local/share/zsh/site-functions/_doorward
install -D -m 644 completions/doorward.fish /usr/local/share/fish/vendor_completions.d/doorward.fish

/usr/local/bin/doorward check-config
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl enable doorward.service
    systemctl restart doorward.service
    echo "doorward runs. Its first lines say what to do next: journalctl -u doorward"
else
    echo "systemd does not run here. Start doorward by hand: doorward serve"
fi
