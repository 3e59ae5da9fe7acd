#!/usr/bin/env bash
# Swift, OpenStack's object store: one device, one replica; Keystone says who may, and temporary URLs
# need no token.
#
#   swift.sh install             makes its virtual environment, in the cache
#   swift.sh start FOLDER PORT   prints its address; KEYSTONE_FOLDER is where keystone.sh keeps its own
#   swift.sh stop FOLDER
#
# Objects have extended attributes, so FOLDER must be on a file system that has those (a tmpfs of
# Linux before 6.6 has not). Each storage server has the same PORT at a loopback address of its own.
# shellcheck source=deploy/services/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

HERE="$ROOT/deploy/services"
BIN="$CACHE/venv/swift/bin"
USAGE="usage: swift.sh install | KEYSTONE_FOLDER=... start FOLDER PORT | stop FOLDER"
declare -A STORAGE=([account]=127.0.0.2 [container]=127.0.0.3 [object]=127.0.0.4)

install() { service_venv swift; }

common_conf() {
    cat <<END
[DEFAULT]
bind_ip = $3
bind_port = $2
workers = 0
user = $(id -un)
swift_dir = $1/etc
devices = $1/devices
mount_check = false
log_level = WARNING
END
}

write_storage_conf() {
    {
        common_conf "$1" "$2" "${STORAGE[$3]}"
        printf '[pipeline:main]\npipeline = %s-server\n[app:%s-server]\nuse = egg:swift#%s\n' \
            "$3" "$3" "$3"
    } >"$1/etc/$3-server.conf"
}

write_proxy_conf() {
    local words="catch_errors healthcheck tempurl authtoken keystoneauth proxy-server" name
    {
        common_conf "$1" "$2" 127.0.0.1
        printf '[pipeline:main]\npipeline = %s\n' "$words"
        for name in catch_errors healthcheck tempurl; do
            printf '[filter:%s]\nuse = egg:swift#%s\n' "$name" "$name"
        done
        printf '[filter:keystoneauth]\nuse = egg:swift#keystoneauth\noperator_roles = admin, member\n'
        printf '[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n'
        "$HERE/keystone-register.sh" "$KEYSTONE_FOLDER" authtoken swift |
            sed 's/^\[keystone_authtoken\]$/[filter:authtoken]/'
        printf '%s\n' 'paste.filter_factory = keystonemiddleware.auth_token:filter_factory' \
            'delay_auth_decision = true' 'service_type = object-store'
    } >"$1/etc/proxy-server.conf"
}

# A ring names the addresses of its servers, so another port needs others.
write_ring() {
    local builder="$1/etc/$3.builder"
    rm -f "$1/etc/$3".*
    {
        "$BIN/swift-ring-builder" "$builder" create 4 1 0
        "$BIN/swift-ring-builder" "$builder" add "r1z1-${STORAGE[$3]}:$2/d1" 1
        "$BIN/swift-ring-builder" "$builder" rebalance
    } >>"$1/rings.log" 2>&1 || { tail -n 20 "$1/rings.log" >&2; die "the $3 ring cannot be made"; }
}

register() {
    "$HERE/keystone-register.sh" "$KEYSTONE_FOLDER" <<END
user swift service admin service
service swift object-store http://127.0.0.1:$1/v1/AUTH_%(tenant_id)s
END
}

# What an earlier start has done is not done again, unless it was at another address.
prepare() {
    local kind
    mkdir -p "$1/etc" "$1/devices/d1"
    "$BIN/python" -c 'import os, sys; os.setxattr(sys.argv[1], "user.pratai", b"")' "$1/devices/d1" ||
        die "the file system of $1 has no extended attributes"
    printf '[swift-hash]\nswift_hash_path_suffix = pratai\n[storage-policy:0]\nname = one\ndefault = yes\n' \
        >"$1/etc/swift.conf"
    for kind in "${!STORAGE[@]}"; do
        write_storage_conf "$1" "$2" "$kind"
        [ "$(cat "$1/port" 2>/dev/null)" = "$2" ] || write_ring "$1" "$2" "$kind"
    done
    register "$2"
    write_proxy_conf "$1" "$2"
    printf '%s\n' "$2" >"$1/port"
}

serve() {
    launch_in_background "$1" "$2" "$BIN/python" "$HERE/swift_run.py" "$1/etc" "$BIN/swift-$3-server" \
        "$1/etc/$3-server.conf"
}

start() {
    local folder kind
    own_folder "$1"
    folder=$(cd "$1" && pwd)
    if ! noted "$folder" swift >/dev/null; then
        [ -n "${KEYSTONE_FOLDER:-}" ] || die "$USAGE"
        port_is_free "$2" || die "port $2 is taken by another program"
        install
        (umask 077 && prepare "$folder" "$2")
        for kind in "${!STORAGE[@]}"; do
            noted "$folder" "swift-$kind" >/dev/null || serve "$folder" "swift-$kind" "$kind"
        done
        serve "$folder" swift proxy
    fi
    for kind in "${!STORAGE[@]}"; do
        await_http "$folder" "swift-$kind" "http://${STORAGE[$kind]}:$2/healthcheck" 60
    done
    await_http "$folder" swift "http://127.0.0.1:$2/healthcheck" 60
    printf 'http://127.0.0.1:%s\n' "$2"
}

stop() {
    local kind
    stop_noted "$1" swift
    for kind in "${!STORAGE[@]}"; do stop_noted "$1" "swift-$kind"; done
}

case "${1:-} $#" in
    'install 1') install ;;
    'start 3') start "$2" "$3" ;;
    'stop 2') stop "$2" ;;
    *) die "$USAGE" ;;
esac
