#!/usr/bin/env bash
# Barbican, OpenStack's key manager: SQLite, values encrypted with a key of its own, one gunicorn
# process; Keystone says who may.
#
#   barbican.sh install             makes its virtual environment, in the cache
#   barbican.sh start FOLDER PORT   prints its address; KEYSTONE_FOLDER is where keystone.sh keeps its own
#   barbican.sh stop FOLDER
# shellcheck source=deploy/services/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

HERE="$ROOT/deploy/services"
BIN="$CACHE/venv/barbican/bin"
USAGE="usage: barbican.sh install | KEYSTONE_FOLDER=... start FOLDER PORT | stop FOLDER"

# The plug-ins read the configuration again, and by themselves: of all places only one below HOME can
# be another for each installation. The paste file comes with the program.
write_conf() {
    mkdir -p "$1/.barbican"
    {
        cat <<END
[DEFAULT]
log_file = $1/barbican-service.log
host_href = http://127.0.0.1:$2
db_auto_create = true
transport_url = fake://
[database]
connection = sqlite:///$1/barbican.db
[secretstore]
enabled_secretstore_plugins = store_crypto
[crypto]
enabled_crypto_plugins = simple_crypto
[simple_crypto_plugin]
kek = $(cat "$1/kek")
[queue]
enable = false
END
        "$HERE/keystone-register.sh" "$KEYSTONE_FOLDER" authtoken barbican
        printf '%s\n' 'service_token_roles_required = true' 'service_type = key-manager'
    } >"$1/.barbican/barbican.conf"
    cat >"$1/barbican_wsgi.py" <<END
from paste import deploy
application = deploy.loadapp("config:$CACHE/venv/barbican/etc/barbican/barbican-api-paste.ini")
END
    # One thread: several would find SQLite locked, which Barbican answers with 500. A connection that
    # is kept for another request is one that its end waits for.
    cat >"$1/gunicorn.conf.py" <<END
wsgi_app = "barbican_wsgi:application"
chdir = "$1"
bind = "127.0.0.1:$2"
workers = 1
threads = 1
graceful_timeout = 2
keepalive = 0
control_socket_disable = True
END
}

register() {
    "$HERE/keystone-register.sh" "$KEYSTONE_FOLDER" <<END
user barbican service service
service barbican key-manager http://127.0.0.1:$1
END
}

prepare() {
    [ -s "$1/kek" ] || head -c 32 /dev/urandom | base64 >"$1/kek"
    register "$2"
    write_conf "$1" "$2"
}

start() {
    local folder
    own_folder "$1"
    folder=$(cd "$1" && pwd)
    if ! noted "$folder" barbican >/dev/null; then
        [ -n "${KEYSTONE_FOLDER:-}" ] || die "$USAGE"
        port_is_free "$2" || die "port $2 is taken by another program"
        service_venv barbican
        umask 077
        prepare "$folder" "$2"
        HOME=$folder GUNICORN_CMD_ARGS="--config $folder/gunicorn.conf.py" \
            launch_in_background "$folder" barbican "$BIN/gunicorn"
    fi
    await_http "$folder" barbican "http://127.0.0.1:$2/" 60
    printf 'http://127.0.0.1:%s\n' "$2"
}

case "${1:-} $#" in
    'install 1') service_venv barbican ;;
    'start 3') start "$2" "$3" ;;
    'stop 2') stop_noted "$2" barbican ;;
    *) die "$USAGE" ;;
esac
