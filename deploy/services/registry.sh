#!/usr/bin/env bash
# The registry of container images, with its images in one folder.
#
#   registry.sh install             from Debian: docker-registry
#   registry.sh start FOLDER PORT   prints its address
#   registry.sh stop FOLDER
#
# PRATAI_REGISTRY_USER, PRATAI_REGISTRY_PASSWORD   who alone may use it; without them everybody may
#
# It listens on loopback only, by plain HTTP.
# shellcheck source=deploy/services/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

USAGE="usage: registry.sh install | start FOLDER PORT | stop FOLDER"
BIN=/usr/bin/docker-registry

install() { [ -x "$BIN" ] || install_packages docker-registry; }

# The file of passwords is in the format of htpasswd, with bcrypt alone.
auth() {
    [ -n "${PRATAI_REGISTRY_USER:-}" ] || return 0
    "$VENV/bin/python" - "$PRATAI_REGISTRY_USER" >"$1/htpasswd" <<'END'
import os, sys
import bcrypt

password = os.environ["PRATAI_REGISTRY_PASSWORD"].encode()
print(f"{sys.argv[1]}:{bcrypt.hashpw(password, bcrypt.gensalt(4)).decode()}")
END
    printf 'auth:\n  htpasswd:\n    realm: pratai\n    path: %s/htpasswd\n' "$1"
}

write_conf() {
    cat <<END
version: 0.1
log: {level: warn}
storage:
  filesystem: {rootdirectory: $1/data}
http: {addr: 127.0.0.1:$2}
END
    auth "$1"
}

start() {
    local folder
    umask 077
    own_folder "$1"
    folder=$(cd "$1" && pwd)
    if ! noted "$folder" registry >/dev/null; then
        port_is_free "$2" || die "port $2 is taken by another program"
        install
        write_conf "$folder" "$2" >"$folder/registry.yml"
        launch_in_background "$folder" registry "$BIN" serve "$folder/registry.yml"
    fi
    await_http "$folder" registry "http://127.0.0.1:$2/v2/" 30
    printf 'http://127.0.0.1:%s\n' "$2"
}

case "${1:-} $#" in
    'install 1') install ;;
    'start 3') start "$2" "$3" ;;
    'stop 2') stop_noted "$2" registry ;;
    *) die "$USAGE" ;;
esac
