# shellcheck shell=bash disable=SC2034
# Sourced by the scripts of this folder and by the tests' scripts, which use what stands here.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# What a stack keeps; PRATAI_RUN is for tests, which leave that of the checkout alone.
RUN=${PRATAI_RUN:-$ROOT/.run}
VENV="$ROOT/.venv"
DOCKER_SOCKET=/var/run/docker.sock
# An ordinary user's PATH has no sbin; dockerd, ip and iptables are there.
PATH="$PATH:/usr/sbin:/sbin"

say() { printf '%s %s\n' "$(date +%T)" "$*" >&2; }
die() { say "$*"; exit 1; }

# timed WHAT COMMAND...: runs it, says how long it took, and returns its exit code.
timed() {
    local what=$1 began=$SECONDS code=0
    shift
    say "$what"
    "$@" || code=$?
    if [ "$code" -eq 0 ]; then
        say "$what: done in $((SECONDS - began)) s"
    else
        say "$what: failed after $((SECONDS - began)) s"
    fi
    return "$code"
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# The cache of downloads; an ordinary user who was given no other place has it at home.
cache_folder() {
    local folder=${PRATAI_CACHE:-/var/cache/pratai}
    if ! mkdir -p "$folder" 2>/dev/null || [ ! -w "$folder" ]; then
        [ -z "${PRATAI_CACHE:-}" ] || die "PRATAI_CACHE ($folder) cannot be written"
        folder="${HOME:-/tmp}/.cache/pratai"
        mkdir -p "$folder"
    fi
    printf '%s\n' "$folder"
}

# Prints a python3 of at least 3.11 that can make a virtual environment with pip in it. The first
# one on PATH may be a build of its own without some of the modules, so each is tried.
usable_python() {
    local python
    for python in "$(command -v python3 || true)" /usr/bin/python3; do
        if [ -x "$python" ] && "$python" -c \
            'import sys, venv, ensurepip, sqlite3, ssl; sys.exit(sys.version_info < (3, 11))' \
            2>/dev/null; then
            printf '%s\n' "$python"
            return 0
        fi
    done
    return 1
}

# Asks over the socket by perl, which every Debian has: before set-up there may be neither curl
# nor python3, and a machine may have an engine without the docker command.
socket_answers() {
    [ -S "$1" ] && perl -MIO::Socket::UNIX -e '
        alarm 10;
        my $socket = IO::Socket::UNIX->new(Peer => $ARGV[0]) or exit 1;
        print $socket "GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n";
        exit(<$socket> =~ m{^HTTP/1\.\d 200 } ? 0 : 1);' "$1" 2>/dev/null
}

engine_answers() {
    case ${DOCKER_HOST:-} in
        '') socket_answers "$DOCKER_SOCKET" ;;
        unix://*) socket_answers "${DOCKER_HOST#unix://}" ;;
        *) # tcp, perhaps with certificates, or ssh: the docker command knows how
            if command -v docker >/dev/null; then
                timeout 20 docker version >/dev/null 2>&1
            else
                curl -sf --max-time 10 "http://${DOCKER_HOST#*://}/_ping" >/dev/null 2>&1
            fi ;;
    esac
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

# A pid file of ours holds a pid, when that process started, and the boot it started in: a later
# process that happens to get the same pid is never taken for it.
# The name in a stat line may hold anything, so what comes after its last bracket is read.
process_field() {
    awk -v field="$2" '{sub(/.*\) /, ""); print $field}' "/proc/$1/stat" 2>/dev/null || true
}
process_id() { printf '%s %s' "$(process_field "$1" 20)" "$(cat /proc/sys/kernel/random/boot_id)"; }

note_pid() { printf '%s %s\n' "$2" "$(process_id "$2")" >"$1"; }

# noted_pid FILE WORD: prints the pid noted there if that very process lives, and its command line
# still has WORD in it.
noted_pid() {
    local pid identity
    [ -s "$1" ] || return 1
    read -r pid identity <"$1"
    ! gone "$pid" && [ "$(process_id "$pid")" = "$identity" ] &&
        command_line "$pid" | grep -qF -- "$2" && printf '%s\n' "$pid"
}

command_line() { tr '\0' ' ' <"/proc/$1/cmdline"; } 2>/dev/null

# A process that ended but was not waited for yet is gone too.
gone() { [ ! -e "/proc/$1" ] || [ "$(process_field "$1" 1)" = Z ] || [ -z "$(process_field "$1" 1)" ]; }

# make_images FOLDER [RUNTIMES]: the images of built-in runtimes, where they are not there yet.
make_images() {
    (umask 077 && "$ROOT/deploy/build-settings.sh" >"$1/build.conf") &&
        printf '[DEFAULT]\nstate_path = %s/prepare\nruntimes = %s\n' "$1" "${2:-python3}" >"$1/prepare.conf" &&
        "$VENV/bin/pratai-driver" \
            --config-file "$1/prepare.conf" --config-file "$1/build.conf" --prepare
}
