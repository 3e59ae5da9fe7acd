#!/usr/bin/env bash
# RabbitMQ, a broker of messages: one node, with an Erlang port mapper of its own.
#
#   rabbitmq.sh install             from Debian
#   rabbitmq.sh start FOLDER PORT   prints its address; its user is pratai, whose password, made at
#                                   random, is in FOLDER/password
#   rabbitmq.sh stop FOLDER
#
# PRATAI_RABBITMQ_TLS_PORT   where it listens by TLS, too, with the certificate FOLDER/tls.pem, whose
#                            key is FOLDER/tls.key
#
# FOLDER/rabbitmq.pid names the server itself, which may be killed; the next start goes on with its
# data. It listens on loopback only.
# shellcheck source=deploy/services/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

USAGE="usage: rabbitmq.sh install | start FOLDER PORT | stop FOLDER"
# Not those of /usr/sbin, which become the user rabbitmq and forget the environment.
BIN=/usr/lib/rabbitmq/bin
START_SECONDS=120

install() { [ -x "$BIN/rabbitmq-server" ] || install_packages rabbitmq-server; }

# password FOLDER: makes it once. It is the server's first user's, so it lasts as long as its data.
password() {
    [ -s "$1/password" ] || head -c 24 /dev/urandom | base64 | tr '+/' '-_' >"$1/password"
    cat "$1/password"
}

write_conf() {
    printf '[].\n' >"$1/enabled_plugins"
    : >"$1/env.conf"
    cat >"$1/rabbitmq.conf" <<END
listeners.tcp.default = 127.0.0.1:$2
default_user = pratai
default_pass = $(password "$1")
log.console = false
# How full this machine's disk is says nothing of the server.
disk_free_limit.absolute = 50MB
END
    [ -z "${PRATAI_RABBITMQ_TLS_PORT:-}" ] || cat >>"$1/rabbitmq.conf" <<END
listeners.ssl.default = 127.0.0.1:$PRATAI_RABBITMQ_TLS_PORT
ssl_options.certfile = $1/tls.pem
ssl_options.keyfile = $1/tls.key
END
}

# free_port BESIDE: prints one that is free, below those that the kernel gives to connections, those
# from 20000 on, which the tests give, and those that RabbitMQ and its tools take by themselves.
free_port() {
    local port
    while port=$((10000 + RANDOM % 5000)); do
        [ "$port" = "$1" ] || ! port_is_free "$port" || break
    done
    printf '%s\n' "$port"
}

# The server's way to find its own name: Erlang's mapper, which would serve the whole machine. That
# of a server that was killed lives on.
launch_mapper() {
    stop_noted "$1" epmd
    launch_in_background "$1" epmd epmd -address 127.0.0.1 -port "$2"
    wait_until 10 mapper_answers "$2" || die "epmd does not answer at port $2"
}

mapper_answers() { epmd -port "$1" -names >/dev/null 2>&1; }

# launch FOLDER PORT
launch() {
    local mapper node
    mapper=$(free_port "$2")
    node=$(free_port "$mapper")
    write_conf "$1" "$2"
    rm -f "$1/server.pid"
    launch_mapper "$1" "$mapper"
    # On a machine of few processors its threads would be busy with waiting for something to do.
    launch_in_background "$1" rabbitmq env "HOME=$1" ERL_EPMD_ADDRESS=127.0.0.1 \
        "ERL_EPMD_PORT=$mapper" "RABBITMQ_DIST_PORT=$node" RABBITMQ_NODENAME=pratai@localhost \
        "RABBITMQ_MNESIA_BASE=$1/data" "RABBITMQ_LOG_BASE=$1/log" "RABBITMQ_PID_FILE=$1/server.pid" \
        "RABBITMQ_CONFIG_FILE=$1/rabbitmq.conf" "RABBITMQ_CONF_ENV_FILE=$1/env.conf" \
        "RABBITMQ_ENABLED_PLUGINS_FILE=$1/enabled_plugins" \
        'RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none' \
        "$BIN/rabbitmq-server"
}

# note_server FOLDER: once the server has written its pid, it is the process that is noted: not the
# shell script around it. The file may be old, so that process must have the folder's data.
note_server() {
    local pid
    pid=$(cat "$1/server.pid" 2>/dev/null) && [[ $pid =~ ^[0-9]+$ ]] || return 1
    [[ "$(tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null)" == *"RABBITMQ_PID_FILE=$1/server.pid"* ]] ||
        return 1
    note_pid "$1/rabbitmq.pid" "$pid"
}

# It listens when all else is done; a server that speaks AMQP answers its header.
answers() {
    (
        exec 3<>"/dev/tcp/127.0.0.1/$1"
        printf 'AMQP\0\0\x09\x01' >&3
        IFS= read -r -d '' -n 1 -t 5 <&3
    ) 2>/dev/null
}

usable_or_ended() { { note_server "$1" && answers "$2"; } || ! noted "$1" rabbitmq >/dev/null; }

start() {
    local folder
    umask 077 # its data and its log are nobody else's
    own_folder "$1"
    folder=$(cd "$1" && pwd -P)
    if ! noted "$folder" rabbitmq >/dev/null; then
        # One that was killed a moment ago may still be ending.
        wait_until 10 port_is_free "$2" || die "port $2 is taken by another program"
        install
        launch "$folder" "$2"
    fi
    if ! wait_until "$START_SECONDS" usable_or_ended "$folder" "$2" || ! note_server "$folder"; then
        tail -n 20 "$folder/rabbitmq.log" "$folder"/log/*.log >&2
        die "RabbitMQ does not answer at port $2"
    fi
    printf 'amqp://127.0.0.1:%s\n' "$2"
}

# A start that was cut off may have noted the script alone.
stop() {
    local folder
    folder=$(cd "$1" && pwd -P)
    note_server "$folder" || true
    stop_noted "$folder" rabbitmq
    stop_noted "$folder" epmd
}

case "${1:-} $#" in
    'install 1') install ;;
    'start 3') start "$2" "$3" ;;
    'stop 2') stop "$2" ;;
    *) die "$USAGE" ;;
esac
