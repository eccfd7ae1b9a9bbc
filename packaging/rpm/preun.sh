# The first argument is the number of versions that stay.
if [ "$1" -eq 0 ]; then
    systemctl --no-reload disable --now doorward.socket doorward.service || :
fi
