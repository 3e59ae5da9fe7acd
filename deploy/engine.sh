#!/usr/bin/env bash
# engine.sh start: uses the Docker Engine that answers, else starts one.
# engine.sh stop: stops the one that this checkout started, and no other.
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PID_FILE="$RUN/dockerd.pid"
MOUNTS_FILE="$RUN/cgroup-mounts"
SOCKET=/var/run/docker.sock

start() {
    if engine_answers; then
        say "a Docker Engine answers; using it"
        return
    fi
    mkdir -p "$RUN"
    mount_cgroups
    local arguments=(--host "unix://$SOCKET")
    [ -z "${PRATAI_DOCKER_ROOT:-}" ] || arguments+=(--data-root "$PRATAI_DOCKER_ROOT")
    say "starting a Docker Engine (log: $RUN/dockerd.log)"
    # Its own session: neither a terminal's signals nor the end of this script reach it.
    # shellcheck disable=SC2016 # the inner shell expands these
    as_root env PATH="$PATH:/usr/sbin:/sbin" setsid --fork bash -c \
        'echo $$ >"$1"; shift; exec dockerd "$@"' dockerd "$PID_FILE.new" "${arguments[@]}" \
        </dev/null >"$RUN/dockerd.log" 2>&1
    wait_until 10 test -s "$PID_FILE.new" || die "dockerd was not started"
    note_pid "$PID_FILE" "$(cat "$PID_FILE.new")"
    rm -f "$PID_FILE.new"
    wait_until 60 engine_answers || { tail -n 20 "$RUN/dockerd.log" >&2; die "the Docker Engine does not answer"; }
}

stop() {
    local pid
    if pid=$(noted_pid "$PID_FILE"); then
        say "stopping the Docker Engine that was started here"
        as_root kill "$pid"
        wait_until 60 gone "$pid" || die "dockerd (pid $pid) does not end"
        as_root ip link delete docker0 2>/dev/null || true
    fi
    rm -f "$PID_FILE"
    unmount_cgroups
}

# In a bare chroot nothing has mounted the control groups. What is mounted here is noted, so that
# exactly that is unmounted.
mount_cgroups() {
    [ -z "$(ls -A /sys/fs/cgroup 2>/dev/null)" ] || return 0
    if [ ! -d /sys/fs/cgroup ]; then
        say "there is no /sys/fs/cgroup: Docker will not start"
        return 0
    fi
    if grep -qE '^memory\s' /proc/cgroups && [ "$(awk '$1 == "memory" {print $2}' /proc/cgroups)" != 0 ]; then
        as_root mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
        echo /sys/fs/cgroup >>"$MOUNTS_FILE"
        local name
        for name in cpu cpuacct cpuset memory devices freezer blkio pids; do
            as_root mkdir -p "/sys/fs/cgroup/$name"
            if as_root mount -t cgroup -o "$name" cgroup "/sys/fs/cgroup/$name" 2>/dev/null; then
                echo "/sys/fs/cgroup/$name" >>"$MOUNTS_FILE"
            fi
        done
    else
        as_root mount -t cgroup2 cgroup2 /sys/fs/cgroup
        echo /sys/fs/cgroup >>"$MOUNTS_FILE"
    fi
}

unmount_cgroups() {
    [ -e "$MOUNTS_FILE" ] || return 0
    local mount
    while read -r mount; do as_root umount "$mount"; done < <(tac "$MOUNTS_FILE")
    rm -f "$MOUNTS_FILE"
}

case ${1:-} in
    start) start ;;
    stop) stop ;;
    *) die "usage: engine.sh start|stop" ;;
esac
