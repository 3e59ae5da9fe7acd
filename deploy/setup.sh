#!/usr/bin/env bash
# Installs what is missing: Debian packages, a Docker Engine where none answers, a virtual
# environment. setup.sh test adds what the tests need. Repeating it changes nothing.
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=deploy/packages.sh
. "$ROOT/deploy/packages.sh"

PURPOSE=${1:-run}
[ "$PURPOSE" = run ] || [ "$PURPOSE" = test ] || die "usage: setup.sh [run|test]"

# Prints the Debian packages that are missing, as seen by what they are for.
missing_packages() {
    missing curl curl
    missing ps procps
    # A python without them (pyenv's, a minimal one) is no use, whatever its version.
    usable_python >/dev/null || printf '%s\n' python3 python3-venv
    if ! engine_answers; then
        missing dockerd docker.io
        missing iptables iptables
        missing ip iproute2
        missing mount mount
    fi
    if [ "$PURPOSE" = test ]; then
        # They check the files for operators; nothing of them is started.
        missing systemd-analyze systemd
        missing logrotate logrotate
        missing promtool prometheus
    fi
    # A user without root gets the base from a registry, or not at all.
    seed_is_here || ! may_install || missing mmdebstrap mmdebstrap
}

# Whether the base of the runtimes is in the Docker Engine already.
seed_is_here() {
    command -v docker >/dev/null && [ -n "$(docker images -q pratai/seed 2>/dev/null)" ]
}

# The node makes the runtimes' base from apt's own sources, so apt must have read them once.
ensure_apt_lists() {
    if seed_is_here || ! may_install; then return 0; fi
    [ -n "$(find /var/lib/apt/lists -name '*_Packages*' -print -quit 2>/dev/null)" ] || update_apt
}

wanted_stamp() {
    (
        cd "$ROOT"
        cat setup.cfg setup.py pyproject.toml requirements.txt test-requirements.txt \
            constraints.txt python_prataiclient/pyproject.toml
        "$VENV/bin/python" -VV
    ) | sha256sum
}

# installed PURPOSE: whether the virtual environment has what that needs, as it stands now.
installed() { [ -e "$VENV/pratai-$1.stamp" ] && [ "$(cat "$VENV/pratai-$1.stamp")" = "$(wanted_stamp)" ]; }

# A virtual environment knows its place: one of a checkout that was moved or copied, or whose
# python was removed since, is made anew.
venv_works() {
    [ "$(cat "$VENV/made-in" 2>/dev/null)" = "$ROOT" ] && "$VENV/bin/python" -m pip --version >/dev/null 2>&1
}

make_venv() {
    local python
    python=$(usable_python) || die "no python3 (3.11 or later) with venv can be found"
    say "making .venv with $python"
    rm -rf "$VENV"
    "$python" -m venv "$VENV"
    printf '%s\n' "$ROOT" >"$VENV/made-in"
}

# pbr asks git for the version, and git refuses in a folder of another user unless told. Where
# there is no history at all (an unpacked archive) a version is given.
describe_version_to_pbr() {
    local count=${GIT_CONFIG_COUNT:-0}
    export "GIT_CONFIG_KEY_$count=safe.directory" "GIT_CONFIG_VALUE_$count=$ROOT"
    export GIT_CONFIG_COUNT=$((count + 1))
    if [ "$(git -C "$ROOT" rev-parse --show-toplevel 2>/dev/null)" != "$ROOT" ] ||
        ! git -C "$ROOT" rev-parse -q --verify HEAD >/dev/null; then
        export PBR_VERSION=${PBR_VERSION:-0.0.0}
    fi
}

# As pip does with what it copies. Where PYTHONDONTWRITEBYTECODE is set, whoever starts would do it
# again. Not what goes into images, nor what users get.
compile_modules() {
    (
        cd "$ROOT"
        "$VENV/bin/python" -m compileall -q -x /starters/ pratai_{agent,api,common,drivers,launcher,scheduler} \
            python_prataiclient/prataiclient
    )
}

install_distributions() {
    if installed test || { [ "$PURPOSE" = run ] && installed run; }; then return 0; fi
    local wanted=(-e "$ROOT" -e "$ROOT/python_prataiclient")
    [ "$PURPOSE" = run ] || wanted+=(-r "$ROOT/test-requirements.txt")
    describe_version_to_pbr
    rm -f "$VENV"/pratai-*.stamp
    timed "pip install" "$VENV/bin/python" -m pip install -q --disable-pip-version-check \
        --cache-dir "$CACHE/pip" -c "$ROOT/constraints.txt" "${wanted[@]}" </dev/null >&2
    compile_modules
    wanted_stamp >"$VENV/pratai-$PURPOSE.stamp"
}

mapfile -t packages < <(missing_packages)
[ "${#packages[@]}" -eq 0 ] || install_packages "${packages[@]}"
ensure_apt_lists
venv_works || make_venv
install_distributions
say "set-up: complete"
