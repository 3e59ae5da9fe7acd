#!/usr/bin/env bash
# embedded.sh up: the embedded stack in the background, ready when this returns.
# embedded.sh down: stops it, and the Docker Engine if this checkout started it. State is kept.
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

HERE="$ROOT/deploy"
CONF="$RUN/pratai.conf"
PID_FILE="$RUN/launcher.pid"
API_PORT=${PRATAI_API_PORT:-9096}
API="http://127.0.0.1:$API_PORT"

write_conf() {
    (
        umask 077
        cat >"$CONF" <<END
[DEFAULT]
state_path = $RUN/state
log_dir = $RUN/log
[api]
port = $API_PORT
[sockets]
scheduler = tcp://127.0.0.1:${PRATAI_SCHEDULER_PORT:-5557}
collector = tcp://127.0.0.1:${PRATAI_COLLECTOR_PORT:-5556}
[driver]
name = ${PRATAI_NODE:-embedded}
bind = tcp://127.0.0.1:${PRATAI_DRIVER_PORT:-5558}
END
        "$HERE/build-settings.sh" >>"$CONF"
    )
}

write_clientrc() {
    cat >"$RUN/clientrc" <<END
export OS_PRATAI_URL=$API
export PATH="$VENV/bin:\$PATH"
END
}

all_running() {
    local answer
    answer=$(curl -sf --noproxy '*' --max-time 2 "$API/v1/status") || return 1
    case $answer in
        *'"not running"'*) return 1 ;;
        *'"driver":"running"'*) return 0 ;;
        *) return 1 ;;
    esac
}

# Ready, or hopeless: the launcher has ended.
ready_or_gone() { all_running || gone "$1"; }

up() {
    if noted_pid "$PID_FILE" >/dev/null; then
        say "the stack is up already"
        return
    fi
    "$HERE/setup.sh"
    "$HERE/engine.sh" start
    mkdir -p "$RUN"
    write_conf
    if curl -s --noproxy '*' --max-time 2 -o /dev/null "$API/"; then
        die "port $API_PORT is taken by another program; set PRATAI_API_PORT to use another"
    fi
    say "making the store"
    "$VENV/bin/pratai-db-init" --config-file "$CONF"
    timed "the runtimes' images" "$VENV/bin/pratai-driver" --config-file "$CONF" --prepare
    say "starting the daemons (logs: $RUN/log)"
    setsid "$VENV/bin/pratai-launcher" --config-file "$CONF" </dev/null >"$RUN/launcher.log" 2>&1 &
    local pid=$!
    note_pid "$PID_FILE" "$pid"
    if ! wait_until 90 ready_or_gone "$pid" || ! all_running; then
        tail -n 20 "$RUN/launcher.log" "$RUN"/log/*.stderr >&2 || true
        down
        die "the stack did not start"
    fi
    write_clientrc
    say "up: . .run/clientrc, then pratai --help"
}

down() {
    local pid
    if pid=$(noted_pid "$PID_FILE"); then
        say "stopping the daemons"
        kill "$pid"
        wait_until 180 gone "$pid" || die "the launcher (pid $pid) does not end"
    fi
    rm -f "$PID_FILE"
    "$HERE/engine.sh" stop
}

case ${1:-} in
    up) up ;;
    down) down ;;
    *) die "usage: embedded.sh up|down" ;;
esac
