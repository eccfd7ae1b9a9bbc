#!/bin/sh
# Removes what install.sh installed. Configuration and data stay; with --purge they are removed too.
set -eu

[ "$(id -u)" = 0 ] || { echo "run this as root: sudo $0" >&2; exit 1; }

if [ -d /run/systemd/system ]; then
    systemctl disable --now doorward.socket doorward.service || true
fi
rm -f /etc/systemd/system/doorward.service /etc/systemd/system/doorward.socket
[ ! -d /run/systemd/system ] || systemctl daemon-reload

rm -f /usr/local/bin/doorward
rm -f /usr/local/share/man/man1/doorward.1.gz /usr/local/share/man/man1/doorward-*.1.gz
rm -f /usr/local/share/man/man5/doorward-config.5.gz
rm -f /usr/local/share/bash-completion/completions/doorward
rm -f /usr/local/share/zsh/site-functions/_doorward
rm -f /usr/local/share/fish/vendor_completions.d/doorward.fish

if [ "${1:-}" = --purge ]; then
    # The first of the data directories is a link to the second (systemd's DynamicUser).
    rm -rf /etc/doorward /var/lib/doorward /var/lib/private/doorward
else
    echo "Kept: /etc/doorward and /var/lib/doorward. \"$0 --purge\" removes them too."
fi
