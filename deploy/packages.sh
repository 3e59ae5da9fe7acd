# shellcheck shell=bash
# Sourced, after lib.sh, by the scripts that install Debian packages.
CACHE=$(cache_folder)
POLICY=/usr/sbin/policy-rc.d
POLICY_MARK='# written by deploy/packages.sh for the time of an installation'

# missing COMMAND PACKAGE: names the package if there is no such command.
missing() { command -v "$1" >/dev/null || echo "$2"; }

may_install() { [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null; }

# Packages must not start their services: what runs here is started by these scripts. One that a
# killed set-up left behind carries our mark and is taken over; somebody else's stays as it is.
forbid_starts() {
    if [ -e "$POLICY" ] && ! grep -qxF "$POLICY_MARK" "$POLICY"; then return 0; fi
    trap allow_starts EXIT
    printf '#!/bin/sh\n%s\nexit 101\n' "$POLICY_MARK" | as_root tee "$POLICY" >/dev/null
    as_root chmod 755 "$POLICY"
}

allow_starts() {
    as_root rm -f "$POLICY"
    trap - EXIT
}

# install_packages NAME...: one installation at a time, because they share the policy above.
install_packages() {
    exec 8>"$CACHE/apt.lock"
    flock 8
    forbid_starts
    as_root mkdir -p "$CACHE/apt/partial"
    update_apt
    # The cache's files stay: what empties apt's own folder after an installation leaves this alone.
    timed "installing $*" as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends -o "Dir::Cache::archives=$CACHE/apt" \
        -o Dpkg::Use-Pty=0 "$@" </dev/null >/dev/null 8>&-
    if [ -n "$(trap -p EXIT)" ]; then allow_starts; fi
    exec 8>&-
}

update_apt() { timed "apt-get update" as_root apt-get update -qq >&2; }
