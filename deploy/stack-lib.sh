# shellcheck shell=bash disable=SC2034
# Sourced by the scripts that take a stack up and down, each of which says what is its own:
#
#   STACK, HOME_FOLDER, PORTS        its name, where its state is, "NAME PORT" of what it listens on
#   conf                             prints its configuration
#   start_services, stop_services    what the daemons need, and what stands before them
#   make_keys CONF                   makes the keys of its daemons, if they are to have any
#   start_front, drain_front
#   write_files                      what its users source, written last
#
# A checkout has one stack up at a time; .run/stack says which.
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

HERE="$ROOT/deploy"
PID_FILE="$RUN/launcher.pid"
COMPONENTS=(api agent scheduler collector driver)
# The launcher lets its programs end one after the other, each within twice its grace time.
DOWN_SECONDS=600

# A node removes what carries its name, so each checkout's has one of its own.
node_name() { printf '%s-%s' "$STACK" "$(printf '%s' "$RUN" | sha256sum | head -c 8)"; }

# write_private FILE: standard input, which no other user reads, unless it is there already.
write_private() {
    local wanted
    wanted=$(cat)
    if [ "$(cat "$1" 2>/dev/null)" != "$wanted" ]; then
        (umask 077 && rm -f "$1" && printf '%s\n' "$wanted" >"$1")
    fi
}

print_path() {
    # shellcheck disable=SC2016 # expanded where it is sourced
    printf 'export PATH=%q:"$PATH"\n' "$VENV/bin"
}

# The port that the stack which is up really has, whatever the environment says now.
use_noted_port() {
    local port
    port=$(cat "$HOME_FOLDER/port" 2>/dev/null) || true
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

launcher_pid() { noted_pid "$PID_FILE" "$RUN/"; }

# check_ports "NAME PORT"...: each is a number, and free.
check_ports() {
    local port
    local bad=0
    for port in "$@"; do
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
    local pid conf="$HOME_FOLDER/pratai.conf"
    mkdir -p "$RUN" "$HOME_FOLDER"
    lock
    forbid_another
    if pid=$(launcher_pid); then
        use_noted_port
        say "the stack is up already"
        await "$pid"
        return 0
    fi
    end_session # of a launcher that was killed: its daemons hold the ports
    check_ports "${PORTS[@]}"
    trap up_failed EXIT
    printf '%s\n' "$STACK" >"$RUN/stack"
    # What is started here must not hold the lock when this has ended.
    "$HERE/setup.sh" 9>&-
    "$HERE/engine.sh" start 9>&- >/dev/null
    start_services
    conf | write_private "$conf"
    printf '%s\n' "$API_PORT" >"$HOME_FOLDER/port"
    rm -f "$HOME_FOLDER"/log/*.stderr # what a former start said would only mislead
    say "making the store"
    "$VENV/bin/pratai-db-init" --config-file "$conf" >&2
    make_keys "$conf"
    timed "the runtimes' images" "$VENV/bin/pratai-driver" --config-file "$conf" --prepare >&2
    check_ports "${PORTS[@]}" # again: set-up took its time, and somebody else may have come
    say "starting the daemons (logs: $HOME_FOLDER/log)"
    setsid "$VENV/bin/pratai-launcher" --config-file "$conf" </dev/null >"$RUN/launcher.log" 2>&1 9>&- &
    pid=$!
    note_pid "$PID_FILE" "$pid"
    start_front
    await "$pid"
    trap - EXIT
}

forbid_another() {
    local other
    other=$(cat "$RUN/stack" 2>/dev/null) || return 0
    [ "$other" = "$STACK" ] || die "the $other stack is up here: make down first"
}

await() {
    timed "waiting for every component" wait_until 120 ready_or_gone "$1" || true
    all_running || die "the stack did not start: $(components || echo 'the API does not answer')"
    write_files
    say "up: . $RUN/clientrc, then pratai --help"
}

up_failed() {
    find "$RUN/launcher.log" "$HOME_FOLDER/log" -type f -size +0 -newer "$HOME_FOLDER/pratai.conf" \
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
        drain_front
        kill "$pid"
        wait_until "$DOWN_SECONDS" gone "$pid" || die "the launcher (pid $pid) does not end"
    fi
    end_session
    rm -f "$PID_FILE"
    stop_services
    "$HERE/engine.sh" stop 9>&-
    rm -f "$RUN/stack"
}

# The launcher leads a session that its daemons are in: those that outlived it (it was killed).
session_members() {
    local sid boot folder
    [ -s "$PID_FILE" ] || return 0
    read -r sid _ boot <"$PID_FILE"
    [ "$boot" = "$(cat /proc/sys/kernel/random/boot_id)" ] || return 0
    for folder in /proc/[0-9]*; do
        if [ "$(process_field "${folder#/proc/}" 4)" = "$sid" ] && ! gone "${folder#/proc/}" &&
            command_line "${folder#/proc/}" | grep -qF -- "$RUN/"; then
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

run_command() {
    case ${1:-} in
        up) up ;;
        down) down ;;
        status) status ;;
        *) die "usage: $(basename "$0") up|down|status" ;;
    esac
}
