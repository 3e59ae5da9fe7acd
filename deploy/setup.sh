#!/usr/bin/env bash
# Installs what is missing: Debian packages, a Docker Engine where none answers, a virtual
# environment. setup.sh test adds what the tests need. Repeating it changes nothing.
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PURPOSE=${1:-run}
POLICY=/usr/sbin/policy-rc.d
CACHE=$(cache_folder)

# Prints the Debian packages that are missing, as seen by what they are for.
missing_packages() {
    command -v curl >/dev/null || echo curl
    command -v ip >/dev/null || echo iproute2
    command -v ps >/dev/null || echo procps
    [ -e /etc/ssl/certs/ca-certificates.crt ] || echo ca-certificates
    usable_python >/dev/null || echo python3-venv
    if ! engine_answers; then
        command -v dockerd >/dev/null || [ -x /usr/sbin/dockerd ] || echo docker.io
        command -v iptables >/dev/null || [ -x /usr/sbin/iptables ] || echo iptables
        seed_is_here || command -v mmdebstrap >/dev/null || echo mmdebstrap
    elif ! seed_is_here; then
        command -v mmdebstrap >/dev/null || echo mmdebstrap
    fi
}

# Whether the base of the runtimes is in the Docker Engine already.
seed_is_here() {
    command -v docker >/dev/null && [ -n "$(docker images -q pratai/seed 2>/dev/null)" ]
}

# Prints a python3 of at least 3.11 that can make a virtual environment with pip in it.
usable_python() {
    local python
    for python in "$(command -v python3 || true)" /usr/bin/python3; do
        if [ -x "$python" ] && "$python" -c \
            'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$python"
            return 0
        fi
    done
    return 1
}

install_packages() {
    # Packages must not start their services: what runs here is started by these scripts.
    if [ ! -e "$POLICY" ]; then
        trap 'as_root rm -f "$POLICY"' EXIT
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$POLICY" >/dev/null
        as_root chmod 755 "$POLICY"
    fi
    as_root mkdir -p "$CACHE/apt/partial"
    timed "apt-get update" as_root apt-get update -qq
    timed "installing $*" as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends -o "Dir::Cache::archives=$CACHE/apt" \
        -o Binary::apt::APT::Keep-Downloaded-Packages=true "$@" </dev/null >/dev/null
    if [ "$(id -u)" -ne 0 ]; then as_root rm -f "$POLICY"; fi
}

# apt must know its sources: the node makes the runtimes' base from them.
ensure_apt_lists() {
    seed_is_here && return
    if [ -z "$(apt-get indextargets 'Created-By: Packages' 2>/dev/null | head -n 1)" ] ||
        [ -z "$(find /var/lib/apt/lists -name '*_Packages*' 2>/dev/null | head -n 1)" ]; then
        timed "apt-get update" as_root apt-get update -qq
    fi
}

wanted_stamp() {
    (
        cd "$ROOT"
        cat setup.cfg requirements.txt test-requirements.txt constraints.txt \
            python_prataiclient/pyproject.toml
        printf '%s %s\n' "$ROOT" "$(usable_python)"
    ) | sha256sum
}

# installed PURPOSE: whether the virtual environment has what that needs, as it stands now.
installed() { [ -e "$VENV/pratai-$1.stamp" ] && [ "$(cat "$VENV/pratai-$1.stamp")" = "$(wanted_stamp)" ]; }

make_venv() {
    local python
    if installed "$PURPOSE" || installed test; then return; fi
    python=$(usable_python) || die "no python3 (3.11 or later) with venv can be found"
    [ -x "$VENV/bin/pip" ] || "$python" -m venv "$VENV"
    local wanted=(-e "$ROOT" -e "$ROOT/python_prataiclient")
    [ "$PURPOSE" != test ] || wanted+=(-r "$ROOT/test-requirements.txt")
    # pbr asks git for the version, which refuses in a folder of another user.
    GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0="$ROOT" \
        "$VENV/bin/pip" install -q --disable-pip-version-check --cache-dir "$CACHE/pip" \
        -c "$ROOT/constraints.txt" "${wanted[@]}" </dev/null
    wanted_stamp >"$VENV/pratai-$PURPOSE.stamp"
}

mapfile -t packages < <(missing_packages)
[ "${#packages[@]}" -eq 0 ] || install_packages "${packages[@]}"
ensure_apt_lists
timed "virtual environment" make_venv
