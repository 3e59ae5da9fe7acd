#!/usr/bin/env bash
# embedded.sh up: the embedded stack in the background, ready when this returns.
# embedded.sh down: stops it, and the Docker Engine if this checkout started it. State is kept.
# embedded.sh status: prints which components run; 0 if all do, 3 if the stack is not up.
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

HERE="$ROOT/deploy"
CONF="$RUN/pratai.conf"
PID_FILE="$RUN/launcher.pid"
API_PORT=${PRATAI_API_PORT:-9096}
SCHEDULER_PORT=${PRATAI_SCHEDULER_PORT:-5557}
COLLECTOR_PORT=${PRATAI_COLLECTOR_PORT:-5556}
DRIVER_PORT=${PRATAI_DRIVER_PORT:-5558}
COMPONENTS=(api agent scheduler collector driver)
# The launcher lets five programs end one after the other, each within twice its grace time.
DOWN_SECONDS=400

# A node removes what carries its name, so each checkout's has one of its own.
node_name() { printf 'embedded-%s' "$(printf '%s' "$ROOT" | sha256sum | head -c 8)"; }

conf() {
    cat <<END
[DEFAULT]
state_path = $RUN/state
log_dir = $RUN/log
[api]
port = $API_PORT
[sockets]
scheduler = tcp://127.0.0.1:$SCHEDULER_PORT
collector = tcp://127.0.0.1:$COLLECTOR_PORT
[driver]
name = $(node_name)
bind = tcp://127.0.0.1:$DRIVER_PORT
END
    "$HERE/build-settings.sh"
}

# An index's address may hold a password, so no other user reads it.
write_conf() {
    local wanted
    wanted=$(conf)
    if [ "$(cat "$CONF" 2>/dev/null)" != "$wanted" ]; then
        (umask 077 && rm -f "$CONF" && printf '%s\n' "$wanted" >"$CONF")
    fi
}

write_clientrc() {
    {
        printf 'export OS_PRATAI_URL=http://127.0.0.1:%s\n' "$API_PORT"
        # shellcheck disable=SC2016 # expanded where it is sourced
        printf 'export PATH=%q:"$PATH"\n' "$VENV/bin"
    } >"$RUN/clientrc"
}

# The port that the stack which is up really has, whatever the environment says now.
use_noted_port() {
    local port
    port=$(sed -n '/^\[api\]/,/^\[/s/^port = //p' "$CONF" 2>/dev/null) || true
    API_PORT=${port:-$API_PORT}
}

components() { curl -sf --noproxy '*' --max-time 5 "http://127.0.0.1:$API_PORT/v1/status"; }

all_running() {
    local answer name
    answer=$(components | tr -d ' \n') || return 1
    for name in "${COMPONENTS[@]}"; do
        [[ $answer == *"\"$name\":\"running\""* ]] || return 1
    done
}

# Ready, or hopeless: the launcher has ended.
ready_or_gone() { all_running || gone "$1"; }

launcher_pid() { noted_pid "$PID_FILE" "$ROOT/"; }

check_ports() {
    local port
    local bad=0
    for port in "API $API_PORT" "SCHEDULER $SCHEDULER_PORT" "COLLECTOR $COLLECTOR_PORT" "DRIVER $DRIVER_PORT"; do
        if ! [[ ${port#* } =~ ^[0-9]+$ ]]; then
            say "PRATAI_${port% *}_PORT (${port#* }) is no number"
            bad=1
        elif (exec 3<>"/dev/tcp/127.0.0.1/${port#* }") 2>/dev/null; then
            say "port ${port#* } is taken by another program; set PRATAI_${port% *}_PORT to use another"
            bad=1
        fi
    done
    [ "$bad" = 0 ] || die "the stack cannot start"
}

up() {
    local pid
    mkdir -p "$RUN"
    lock
    if pid=$(launcher_pid); then
        use_noted_port
        say "the stack is up already"
        await "$pid"
        return 0
    fi
    end_session # of a launcher that was killed: its daemons hold the ports
    check_ports
    trap up_failed EXIT
    # What is started here must not hold the lock when this has ended.
    "$HERE/setup.sh" 9>&-
    "$HERE/engine.sh" start 9>&- >/dev/null
    write_conf
    rm -f "$RUN"/log/*.stderr # what a former start said would only mislead
    say "making the store"
    "$VENV/bin/pratai-db-init" --config-file "$CONF" >&2
    timed "the runtimes' images" "$VENV/bin/pratai-driver" --config-file "$CONF" --prepare >&2
    check_ports # again: set-up took its time, and somebody else may have come
    say "starting the daemons (logs: $RUN/log)"
    setsid "$VENV/bin/pratai-launcher" --config-file "$CONF" </dev/null >"$RUN/launcher.log" 2>&1 9>&- &
    pid=$!
    note_pid "$PID_FILE" "$pid"
    await "$pid"
    trap - EXIT
}

await() {
    timed "waiting for every component" wait_until 120 ready_or_gone "$1" || true
    all_running || die "the stack did not start: $(components || echo 'the API does not answer')"
    write_clientrc
    say "up: . .run/clientrc, then pratai --help"
}

up_failed() {
    find "$RUN/launcher.log" "$RUN/log" -type f -size +0 -newer "$RUN/pratai.conf" \
        -exec tail -n 20 {} + >&2 2>/dev/null || true
    say "make up failed; taking down what it started"
    take_down
    exit 1
}

# One up or down of a checkout at a time.
lock() {
    exec 9>"$RUN/lock"
    flock --nonblock 9 || { say "another up or down is at work; waiting for it" && flock 9; }
}

down() {
    mkdir -p "$RUN"
    lock
    launcher_pid >/dev/null || say "the stack is not up"
    take_down
}

take_down() {
    local pid
    if pid=$(launcher_pid); then
        say "stopping the daemons"
        kill "$pid"
        wait_until "$DOWN_SECONDS" gone "$pid" || die "the launcher (pid $pid) does not end"
    fi
    end_session
    rm -f "$PID_FILE"
    "$HERE/engine.sh" stop 9>&-
}

# The launcher leads a session that its daemons are in: those that outlived it (it was killed).
session_members() {
    local sid boot folder
    [ -s "$PID_FILE" ] || return 0
    read -r sid _ boot <"$PID_FILE"
    [ "$boot" = "$(cat /proc/sys/kernel/random/boot_id)" ] || return 0
    for folder in /proc/[0-9]*; do
        if [ "$(process_field "${folder#/proc/}" 4)" = "$sid" ] && ! gone "${folder#/proc/}" &&
            command_line "${folder#/proc/}" | grep -qF -- "$ROOT/"; then
            printf '%s\n' "${folder#/proc/}"
        fi
    done
}

session_ended() { [ -z "$(session_members)" ]; }

end_session() {
    session_ended && return 0 # said in full: in a trap a bare return means what failed before
    say "stopping daemons that outlived their launcher"
    signal_session TERM
    if ! wait_until 120 session_ended; then
        say "killing: $(session_members | tr '\n' ' ')"
        signal_session KILL
        wait_until 10 session_ended || die "daemons are left: $(session_members | tr '\n' ' ')"
    fi
}

signal_session() {
    local pid
    for pid in $(session_members); do kill "-$1" "$pid" 2>/dev/null || true; done
}

status() {
    use_noted_port
    if ! launcher_pid >/dev/null; then
        say "the stack is not up"
        exit 3
    fi
    components || say "the API does not answer"
    echo
    all_running
}

case ${1:-} in
    up) up ;;
    down) down ;;
    status) status ;;
    *) die "usage: embedded.sh up|down|status" ;;
esac
