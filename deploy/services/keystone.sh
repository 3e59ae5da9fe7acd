#!/usr/bin/env bash
# Keystone, OpenStack's identity service: SQLite, fernet tokens, one gunicorn process.
#
#   keystone.sh install             makes its virtual environment, in the cache
#   keystone.sh start FOLDER PORT   prints its address (OS_AUTH_URL)
#   keystone.sh stop FOLDER
#
# KEYSTONE_TOKEN_SECONDS: how long tokens are valid (3600). Services, projects and users are
# registered by keystone-register.sh, to which FOLDER/url and FOLDER/passwords/ say who it is.
# shellcheck source=deploy/services/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

BIN="$CACHE/venv/keystone/bin"
USAGE="usage: keystone.sh install | start FOLDER PORT | stop FOLDER"

# The number of bcrypt rounds is the smallest: all passwords are random and of 192 bits. Without its
# cache each authenticated request costs some 300 queries; one kept in the process serves one process.
# Users are not cached: who is read while he is disabled would be cached as he was, for ten minutes.
write_conf() {
    cat >"$1/keystone.conf" <<END
[DEFAULT]
log_file = $1/keystone-service.log
[database]
connection = sqlite:///$1/keystone.db
[token]
provider = fernet
expiration = ${KEYSTONE_TOKEN_SECONDS:-3600}
[fernet_tokens]
key_repository = $1/fernet-keys
[fernet_receipts]
key_repository = $1/fernet-keys
[credential]
key_repository = $1/credential-keys
[identity]
password_hash_rounds = 4
caching = false
[cache]
enabled = true
backend = oslo_cache.dict
END
    # A connection that is kept for another request is one that its end waits for.
    cat >"$1/gunicorn.conf.py" <<END
wsgi_app = "keystone.wsgi.api:application"
bind = "127.0.0.1:$2"
workers = 1
threads = 8
graceful_timeout = 2
keepalive = 0
control_socket_disable = True
END
}

manage() {
    "$BIN/keystone-manage" --config-file "$1/keystone.conf" "${@:2}" >>"$1/manage.log" 2>&1 ||
        { tail -n 20 "$1/manage.log" >&2; die "keystone-manage $2 failed"; }
}

# A password of its own for each installation, readable by its owner alone; the program gets it by
# its environment, for command lines can be read by anybody.
bootstrap() {
    local folder=$1 url=$2 password="$1/passwords/admin"
    mkdir -p "$folder/passwords"
    [ -s "$password" ] || head -c 24 /dev/urandom | base64 | tr '+/' '-_' >"$password"
    OS_BOOTSTRAP_PASSWORD=$(cat "$password") manage "$folder" bootstrap \
        --bootstrap-username admin --bootstrap-region-id RegionOne --bootstrap-service-name keystone \
        --bootstrap-public-url "$url" --bootstrap-internal-url "$url" --bootstrap-admin-url "$url"
    printf '%s\n' "$url" >"$folder/url"
}

# What an earlier start has done is not done again, unless it was at another address.
prepare() {
    local folder=$1 url=$2
    [ "$(cat "$folder/url" 2>/dev/null)" != "$url" ] || return 0
    [ -e "$folder/url" ] || make_empty "$folder"
    bootstrap "$folder" "$url"
}

# keystone-manage takes seconds to start, each time. An empty database is the same everywhere: it is
# kept beside the programs that made it. Keys are each installation's own, 32 random bytes each: the
# one that is next, 0, and the one in use.
make_empty() {
    local folder=$1 kept="$CACHE/venv/keystone/empty.db" keys
    if ! cp "$kept" "$folder/keystone.db" 2>/dev/null; then
        manage "$folder" db_sync
        cp "$folder/keystone.db" "$kept.$$" && mv "$kept.$$" "$kept"
    fi
    for keys in fernet-keys credential-keys; do
        mkdir -p "$folder/$keys"
        make_key >"$folder/$keys/0"
        make_key >"$folder/$keys/1"
    done
}

make_key() { head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n'; }

# Keystone reads the command line of the program that it runs in, so gunicorn's has nothing on it.
start() {
    local folder url="http://127.0.0.1:$2/v3"
    own_folder "$1"
    folder=$(cd "$1" && pwd)
    if ! noted "$folder" keystone >/dev/null; then
        port_is_free "$2" || die "port $2 is taken by another program"
        service_venv keystone
        umask 077
        write_conf "$folder" "$2"
        prepare "$folder" "$url"
        GUNICORN_CMD_ARGS="--config $folder/gunicorn.conf.py" \
            OS_KEYSTONE_CONFIG_FILES="$folder/keystone.conf" \
            launch_in_background "$folder" keystone "$BIN/gunicorn"
    fi
    await_http "$folder" keystone "$url" 60
    cat "$folder/url"
}

case "${1:-} $#" in
    'install 1') service_venv keystone ;;
    'start 3') start "$2" "$3" ;;
    'stop 2') stop_noted "$2" keystone ;;
    *) die "$USAGE" ;;
esac
