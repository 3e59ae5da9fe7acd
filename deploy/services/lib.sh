# shellcheck shell=bash disable=SC2034
# Sourced by the scripts of this folder: one a server that the platform works with, for development
# and tests. Each has the same face:
#
#   NAME.sh install             fetches it once, into the cache; repeating it changes nothing
#   NAME.sh start FOLDER PORT   starts it on loopback with its state in FOLDER; prints its address
#   NAME.sh stop FOLDER         stops what start started there; the state stays
#
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# For install: missing, install_packages; and CACHE, where what is fetched is kept.
# shellcheck source=deploy/packages.sh
. "$ROOT/deploy/packages.sh"

# own_folder FOLDER: makes it. One that somebody else made may hold what they want run.
own_folder() {
    mkdir -p "$1"
    [ -O "$1" ] && [ ! -L "$1" ] || die "$1 belongs to somebody else"
}

# launch_in_background FOLDER NAME COMMAND...: starts a server in a session of its own; its output
# goes to FOLDER/NAME.log and its process is noted in FOLDER/NAME.pid.
launch_in_background() {
    local folder=$1 name=$2
    shift 2
    setsid "$@" </dev/null >>"$folder/$name.log" 2>&1 9>&- &
    note_pid "$folder/$name.pid" "$!"
}

# noted FOLDER NAME: prints the pid of the server that was started there, if it lives.
noted() {
    local pid identity
    [ -s "$1/$2.pid" ] || return 1
    read -r pid identity <"$1/$2.pid"
    ! gone "$pid" && [ "$(process_id "$pid")" = "$identity" ] && printf '%s\n' "$pid"
}

# stop_noted FOLDER NAME [SIGNAL]: asks it to end, and kills it if it does not.
stop_noted() {
    local pid
    if pid=$(noted "$1" "$2"); then
        kill "-${3:-TERM}" "$pid"
        wait_until 60 gone "$pid" || kill -9 "$pid"
        wait_until 10 gone "$pid" || die "$2 (pid $pid) does not end"
    fi
    rm -f "$1/$2.pid"
}

# leave_root FOLDER...: for a server that refuses to be root, which root starts as nobody. Sets RUN to
# what stands before its command, and SEEN to where it finds these folders. Where nobody cannot enter
# one (of a checkout in root's home), it sees them elsewhere: in a view of the file system that it
# alone has, and that is gone when it ends.
leave_root() {
    local folder
    RUN=() SEEN=("$@")
    [ "$(id -u)" -eq 0 ] || return 0
    RUN=("${NOBODY[@]}")
    if reachable "$@"; then return 0; fi
    SEEN=("${@/#*\//\/mnt\/}")
    # shellcheck disable=SC2016 # the inner shell expands these
    RUN=(unshare --mount --propagation private bash -ec '
        mount -t tmpfs -o size=64k,mode=755 pratai /mnt
        while [ "$1" != -- ]; do
            mkdir "/mnt/${1##*/}"
            mount --bind "$1" "/mnt/${1##*/}"
            shift
        done
        shift
        cd /mnt
        exec "$@"' view "$@" -- "${NOBODY[@]}")
}

NOBODY=(setpriv --reuid=nobody --regid=nogroup --clear-groups --no-new-privs
    --inh-caps=-all --bounding-set=-all)

# reachable FOLDER...: whether user nobody can enter them.
reachable() {
    local folder
    for folder in "$@"; do "${NOBODY[@]}" test -x "$folder" || return 1; done
}

# await_http FOLDER NAME URL SECONDS: until it answers anything; hopeless when its process has ended.
await_http() {
    local folder=$1 name=$2 url=$3
    wait_until "$4" answers_or_ended "$folder" "$name" "$url" || true
    http_answers "$url" || { tail -n 20 "$folder/$name.log" >&2 && die "$name does not answer at $url"; }
}

answers_or_ended() { http_answers "$3" || ! noted "$1" "$2" >/dev/null; }

http_answers() { curl -s -o /dev/null --noproxy '*' --max-time 2 "$1"; }

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# service_venv NAME: makes CACHE/venv/NAME once, with the packages pinned in NAME.txt beside these
# scripts; whoever comes second waits. A changed list, or another python, makes it anew.
service_venv() {
    local venv="$CACHE/venv/$1" wanted="$ROOT/deploy/services/$1.txt" python
    python=$(usable_python) || die "no python3 (3.11 or later) with venv can be found"
    mkdir -p "$CACHE/venv"
    (
        flock 8
        cmp -s "$wanted" "$venv/made-of.txt" && "$venv/bin/python" -c '' 2>/dev/null && exit
        rm -rf "$venv"
        "$python" -m venv "$venv"
        timed "pip install $1" "$venv/bin/python" -m pip install -q --disable-pip-version-check \
            --cache-dir "$CACHE/pip" -r "$wanted" </dev/null >&2
        cp "$wanted" "$venv/made-of.txt"
    ) 8>"$CACHE/venv/$1.lock"
}
