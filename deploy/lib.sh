# shellcheck shell=bash disable=SC2034
# Sourced by the scripts of this folder and by the tests' scripts, which use what stands here.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
RUN="$ROOT/.run"
VENV="$ROOT/.venv"

say() { printf '%s %s\n' "$(date +%T)" "$*" >&2; }
die() { say "$*"; exit 1; }

# timed WHAT COMMAND...: runs it and says how long it took.
timed() {
    local what=$1 began=$SECONDS
    shift
    say "$what"
    "$@"
    say "$what: done in $((SECONDS - began)) s"
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# The cache of downloads, at the first place that can be written.
cache_folder() {
    local folder=${PRATAI_CACHE:-/var/cache/pratai}
    if ! mkdir -p "$folder" 2>/dev/null || [ ! -w "$folder" ]; then
        folder="${HOME:-/tmp}/.cache/pratai"
        mkdir -p "$folder"
    fi
    printf '%s\n' "$folder"
}

# The Docker API over its socket by curl: the docker command may not be there.
engine_answers() {
    local socket=/var/run/docker.sock
    case ${DOCKER_HOST:-} in
        unix://*) socket=${DOCKER_HOST#unix://} ;;
        tcp://*) curl -sf --max-time 5 "http://${DOCKER_HOST#tcp://}/_ping" >/dev/null 2>&1; return ;;
    esac
    command -v curl >/dev/null && [ -S "$socket" ] &&
        curl -sf --max-time 5 --unix-socket "$socket" http://localhost/_ping >/dev/null 2>&1
}

# wait_until SECONDS COMMAND...: 0 as soon as the command succeeds, 1 if it never does.
wait_until() {
    local ends=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$ends" ] || return 1
        sleep 0.1
    done
}

# A pid file of ours holds a pid and the time that process started, so that a later process that
# happens to have the same pid is never ended.
started_at() { awk '{sub(/.*\) /, ""); print $20}' "/proc/$1/stat" 2>/dev/null; }

note_pid() { printf '%s %s\n' "$2" "$(started_at "$2")" >"$1"; }

noted_pid() {
    local pid began
    [ -s "$1" ] || return 1
    read -r pid began <"$1"
    [ -n "$began" ] && [ "$(started_at "$pid")" = "$began" ] && printf '%s\n' "$pid"
}

gone() { [ ! -e "/proc/$1" ] || [ "$(awk '{print $3}' "/proc/$1/stat" 2>/dev/null)" = Z ]; }
