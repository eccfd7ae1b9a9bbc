# The first argument is the number of versions that are installed after this step.
# The service is enabled by the presets of the distribution, and an upgrade restarts it.
systemctl daemon-reload || :
if [ "$1" -eq 1 ]; then
    systemctl --no-reload preset doorward.service || :
else
    systemctl try-restart doorward.service || :
fi
