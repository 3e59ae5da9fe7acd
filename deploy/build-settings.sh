#!/usr/bin/env bash
# Prints the [build] section for builds that use this machine's own pip settings.
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# setting VARIABLE PIP_NAME: what pip uses here, from the environment or its configuration.
setting() {
    if [ -n "${!1:-}" ]; then
        printf '%s' "${!1}"
    else
        "$VENV/bin/pip" config get "global.$2" 2>/dev/null || true
    fi
}

option() { [ -z "$2" ] || printf '%s = %s\n' "$1" "${2//\$/\$\$}"; }

ca=$(setting PIP_CERT cert)
[ -n "$ca" ] || ca=${SSL_CERT_FILE:-${REQUESTS_CA_BUNDLE:-}}
echo '[build]'
option ca_bundle "$ca"
option pip_index_url "$(setting PIP_INDEX_URL index-url)"
option pip_extra_index_url "$(setting PIP_EXTRA_INDEX_URL extra-index-url)"
option pip_find_links "$(setting PIP_FIND_LINKS find-links)"
