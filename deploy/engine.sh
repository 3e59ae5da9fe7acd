#!/usr/bin/env bash
# engine.sh start: uses the Docker Engine that answers, else starts one (and prints "started").
# engine.sh stop: stops the one that this checkout started, and no other.
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PID_FILE="$RUN/dockerd.pid"
CONTAINERD_PID_FILE="$RUN/containerd.pid"
LOG="$RUN/dockerd.log"
MOUNTED="$RUN/engine-mounted" # what was mounted here, oldest first
BEFORE="$RUN/engine-before"   # how the machine was before this engine started
OUR_BRIDGES='^(docker0|docker_gwbridge|br-[0-9a-f]{12}|pt[0-9a-f]{10})$'

start() {
    if engine_answers; then
        say "a Docker Engine answers; using it"
        return 0
    fi
    case ${DOCKER_HOST:-} in
        '' | "unix://$DOCKER_SOCKET" | unix:///run/docker.sock) ;;
        *) die "the Docker Engine at DOCKER_HOST ($DOCKER_HOST) does not answer" ;;
    esac
    if [ "$(id -u)" -ne 0 ] && [ -S "$DOCKER_SOCKET" ] && [ ! -w "$DOCKER_SOCKET" ]; then
        ! pgrep -x dockerd >/dev/null || die "a Docker Engine runs, but this user may not use it: join the group docker"
    fi
    if noted_pid "$PID_FILE" dockerd >/dev/null; then
        die "the Docker Engine that was started here does not answer; see $LOG"
    fi
    mkdir -p "$RUN"
    mount_missing
    # Docker unpacks images, and runc starts containers, in a root of their own made from this one.
    awk '$5 == "/" {found = 1} END {exit !found}' /proc/self/mountinfo ||
        die "/ is no mount point (a plain chroot), so Docker cannot work: bind-mount the chroot's folder on itself"
    note_machine
    remove_stale_pid_files
    local began=$SECONDS
    say "starting a Docker Engine (log: $LOG)"
    launch
    say "the Docker Engine answers after $((SECONDS - began)) s"
    echo started
}

launch() {
    local arguments=(--host "unix://$DOCKER_SOCKET")
    [ -z "${PRATAI_DOCKER_ROOT:-}" ] || arguments+=(--data-root "$PRATAI_DOCKER_ROOT")
    # Started through sudo, the socket must still be the user's.
    [ "$(id -u)" -eq 0 ] || arguments+=(--group "$(id -gn)")
    # Its own session: neither a terminal's signals nor the end of this script reach it.
    rm -f "$PID_FILE.new"
    # shellcheck disable=SC2016 # the inner shell expands these
    as_root env PATH="$PATH" setsid --fork bash -c \
        'echo $$ >"$1"; shift; exec dockerd "$@"' dockerd "$PID_FILE.new" "${arguments[@]}" \
        </dev/null >"$LOG" 2>&1
    wait_until 10 test -s "$PID_FILE.new" || die "dockerd was not started"
    local pid
    pid=$(cat "$PID_FILE.new")
    note_pid "$PID_FILE" "$pid"
    as_root rm -f "$PID_FILE.new"
    if ! wait_until 90 answers_or_gone "$pid" || ! engine_answers; then
        tail -n 20 "$LOG" >&2
        stop
        die "the Docker Engine did not start"
    fi
    note_containerd "$pid"
}

# Ready, or hopeless.
answers_or_gone() { engine_answers || gone "$1"; }

# dockerd starts a containerd of its own unless the machine has one running.
note_containerd() {
    local folder
    for folder in /proc/[0-9]*; do
        if [ "$(process_field "${folder#/proc/}" 2)" = "$1" ] &&
            command_line "${folder#/proc/}" | grep -q '^[^ ]*containerd '; then
            note_pid "$CONTAINERD_PID_FILE" "${folder#/proc/}"
        fi
    done
}

# Where /run outlives the machine, dockerd takes any process that has the noted pid for itself.
remove_stale_pid_files() {
    local name file pid
    for name in dockerd:/var/run/docker.pid containerd:/var/run/docker/containerd/containerd.pid; do
        file=${name#*:}
        pid=$(as_root cat "$file" 2>/dev/null) || continue
        [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "${name%%:*}" ] || as_root rm -f "$file"
    done
}

stop() {
    local pid was=no
    if pid=$(noted_pid "$PID_FILE" dockerd); then
        was=yes
        say "stopping the Docker Engine that was started here"
        as_root kill "$pid"
        wait_until 60 gone "$pid" || die "dockerd (pid $pid) does not end; see $LOG"
    fi
    # It normally ends with its dockerd; not if that one was killed.
    if pid=$(noted_pid "$CONTAINERD_PID_FILE" containerd); then
        wait_until 5 gone "$pid" || as_root kill "$pid"
        wait_until 30 gone "$pid" || die "containerd (pid $pid) does not end"
    fi
    rm -f "$PID_FILE" "$CONTAINERD_PID_FILE"
    if [ -d "$BEFORE" ]; then
        tidy_machine
        say_what_remains
        rm -rf "$BEFORE"
    fi
    unmount_ours
    [ "$was" = no ] || say "the Docker Engine is stopped"
}

# dockerd leaves its bridges, packet filter rules and a mount behind. What the machine had before
# is noted, so that only what came since is taken away.
note_machine() {
    rm -rf "$BEFORE"
    mkdir -p "$BEFORE"
    printf '%s\n' "${PRATAI_DOCKER_ROOT:-/var/lib/docker}" >"$BEFORE/data-root"
    mount_points >"$BEFORE/mounts"
    bridges >"$BEFORE/bridges"
    cat /proc/sys/net/ipv4/ip_forward >"$BEFORE/ip_forward"
    local tool
    for tool in iptables ip6tables; do
        as_root "$tool-save" >"$BEFORE/$tool" 2>/dev/null || rm -f "$BEFORE/$tool"
    done
}

mount_points() { awk '{print $2}' /proc/mounts; }
bridges() { ip -o link show type bridge 2>/dev/null | awk -F': ' '{print $2}'; }
# Lines of stdin that a noted file does not have.
new_since() { grep -vxFf "$BEFORE/$1" || true; }
our_new_mounts() { mount_points | new_since mounts | grep -E "^($(cat "$BEFORE/data-root")|(/var)?/run/docker)(/|$)" || true; }
our_new_bridges() { bridges | new_since bridges | grep -E "$OUR_BRIDGES" || true; }

tidy_machine() {
    local name names=DOCKER
    while read -r name; do as_root umount "$name" || true; done < <(our_new_mounts | tac)
    while read -r name; do
        names+="|$name"
        as_root ip link delete "$name" || true
    done < <(our_new_bridges)
    # With a Docker Engine's rules there before, one cannot tell which are whose.
    for name in iptables ip6tables; do
        if [ -e "$BEFORE/$name" ] && ! grep -q DOCKER "$BEFORE/$name"; then
            restore_filter "$name" "$names" || say "Docker's $name rules could not be taken away"
        fi
    done
    if [ "$(cat "$BEFORE/ip_forward")" = 0 ]; then echo 0 | as_root tee /proc/sys/net/ipv4/ip_forward >/dev/null; fi
}

# Everybody else's rules of now stay; a chain's default action is what it was. (A table that is
# all Docker's is left, empty.)
restore_filter() {
    local rules
    rules=$(as_root "$1-save" | grep -vE "$2|PRATAI-") || return 0 # none at all
    local forward
    forward=$(sed -n '/^\*filter/,/^COMMIT/s/^:FORWARD \([A-Z]*\) .*/\1/p' "$BEFORE/$1")
    printf '%s\n' "$rules" |
        sed "/^\*filter/,/^COMMIT/s/^:FORWARD [A-Z]*/:FORWARD ${forward:-ACCEPT}/" | as_root "$1-restore"
}

say_what_remains() {
    local remains
    remains=$(
        our_new_mounts | sed 's/^/mount /'
        our_new_bridges | sed 's/^/bridge /'
        pgrep -af 'containerd-shim.* -address /(var/)?run/docker/' | sed 's/^/process /' || true
    )
    [ -z "$remains" ] || say "still there of the Docker Engine: $remains"
}

# In a bare chroot nothing has mounted the kernel's file systems.
mount_missing() {
    [ -e /proc/self/stat ] || mount_noted /proc -t proc proc
    [ -d /sys/kernel ] || mount_noted /sys -t sysfs sysfs
    if ! grep -qE '^[^ ]+ /sys/fs/cgroup(/[^ ]*)? ' /proc/mounts; then mount_cgroups; fi
}

mount_noted() {
    local point=$1
    shift
    as_root mount "$@" "$point" && echo "$point" >>"$MOUNTED"
}

# The machine decides for the whole kernel: hierarchies that exist are mounted as they are grouped
# (version 1); where memory belongs to none of them, version 2 has it.
mount_cgroups() {
    say "mounting the control groups"
    if [ "$(awk '$1 == "memory" {print $2}' /proc/cgroups 2>/dev/null || true)" = 0 ] ||
        ! grep -q '^[1-9][0-9]*:.*memory' /proc/self/cgroup; then
        mount_noted /sys/fs/cgroup -t cgroup2 cgroup2
        return 0
    fi
    mount_noted /sys/fs/cgroup -t tmpfs -o mode=755 cgroup
    local controllers
    while read -r controllers; do
        as_root mkdir -p "/sys/fs/cgroup/$controllers"
        mount_noted "/sys/fs/cgroup/$controllers" -t cgroup -o "$controllers" cgroup ||
            say "the control group hierarchy $controllers cannot be mounted"
    done < <(sed -n 's/^[1-9][0-9]*:\([a-z_,]\{1,\}\):.*/\1/p' /proc/self/cgroup)
}

unmount_ours() {
    [ -e "$MOUNTED" ] || return 0
    local point
    while read -r point; do
        as_root umount "$point" || say "$point is in use and stays mounted"
    done < <(tac "$MOUNTED")
    rm -f "$MOUNTED"
}

case ${1:-} in
    start) start ;;
    stop) stop ;;
    *) die "usage: engine.sh start|stop" ;;
esac
