#!/usr/bin/env bash
# Prints the [build] section for builds that use this machine's own settings of pip and npm: nothing
# but the heading where it has none.
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# setting VARIABLE PIP_NAME: what pip uses here, from the environment or its configuration. A
# list comes in lines, and pip takes it with spaces just as well.
setting() {
    if [ -n "${!1:-}" ]; then
        printf '%s' "${!1}"
    elif [ -x "$VENV/bin/pip" ]; then
        "$VENV/bin/pip" config get "global.$2" 2>/dev/null || true
    fi | tr -s '\n' ' ' | sed 's/^ *//; s/ *$//'
}

# npm's registry, from the environment or its configuration.
registry() {
    printf '%s' "${npm_config_registry:-${NPM_CONFIG_REGISTRY:-$(npm config get registry 2>/dev/null)}}"
}

# option NAME VALUE: oslo.config would take a $ for a reference to another option.
option() { [ -z "$2" ] || printf '%s = %s\n' "$1" "${2//\$/\$\$}"; }

ca=$(setting PIP_CERT cert)
ca=${ca:-${SSL_CERT_FILE:-${REQUESTS_CA_BUNDLE:-}}}
[ -f "$ca" ] || ca=
echo '[build]'
option ca_bundle "$ca"
option pip_index_url "$(setting PIP_INDEX_URL index-url)"
option pip_extra_index_url "$(setting PIP_EXTRA_INDEX_URL extra-index-url)"
option pip_find_links "$(setting PIP_FIND_LINKS find-links)"
option npm_registry "$(registry)"
