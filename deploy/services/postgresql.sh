#!/usr/bin/env bash
# PostgreSQL, as a database whose changes are events: with logical replication, and wal2json.
#
#   postgresql.sh install             from Debian, without the cluster that Debian would make
#   postgresql.sh start FOLDER PORT   prints its address
#   postgresql.sh stop FOLDER
#
# PRATAI_POSTGRESQL_FSYNC   on (default); off is faster, and loses data where the machine itself fails
#
# FOLDER/password is that of its superuser, postgres. FOLDER/postgresql.pid names the server's first
# process, which may be killed; the next start goes on with its data. It listens on loopback only.
# shellcheck source=deploy/services/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

USAGE="usage: postgresql.sh install | start FOLDER PORT | stop FOLDER"
BIN=/usr/lib/postgresql/15/bin
PLUGIN=/usr/lib/postgresql/15/lib/wal2json.so
FSYNC=${PRATAI_POSTGRESQL_FSYNC:-on}
NO_CLUSTER=/etc/postgresql-common/createcluster.d/pratai.conf

install() {
    local packages
    exec 9>"$CACHE/postgresql.lock"
    flock 9
    mapfile -t packages < <(missing_packages)
    if [ "${#packages[@]}" -gt 0 ]; then
        as_root mkdir -p "$(dirname "$NO_CLUSTER")"
        echo 'create_main_cluster = false' | as_root tee "$NO_CLUSTER" >/dev/null
        install_packages "${packages[@]}"
        as_root rm -f "$NO_CLUSTER"
    fi
    exec 9>&-
}

missing_packages() {
    [ -x "$BIN/postgres" ] || echo postgresql-15
    [ -e "$PLUGIN" ] || echo postgresql-15-wal2json
    missing setpriv util-linux
}

# make_cluster FOLDER: with its data in FOLDER/state/data, and a password of its own.
make_cluster() {
    local folder=$1 password="$1/state/password" sync=()
    [ "$FSYNC" = on ] || sync=(--no-sync)
    [ -s "$folder/password" ] ||
        (umask 077 && head -c 24 /dev/urandom | base64 | tr '+/' '-_' >"$folder/password")
    rm -rf "$folder/state/data.new"
    mkdir -m 700 "$folder/state/data.new"
    (umask 077 && cp "$folder/password" "$password")
    [ "${#RUN[@]}" -eq 0 ] || chown nobody:nogroup "$password" "$folder/state/data.new"
    "${RUN[@]}" "$BIN/initdb" -D "${SEEN[0]}/data.new" -U postgres --pwfile="${SEEN[0]}/password" \
        --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --no-instructions "${sync[@]}" \
        >>"$folder/postgresql.log" 2>&1 ||
        { tail -n 20 "$folder/postgresql.log" >&2; die "initdb failed"; }
    rm "$password"
    mv "$folder/state/data.new" "$folder/state/data"
}

launch() {
    launch_in_background "$1" postgresql "${RUN[@]}" "$BIN/postgres" -D "${SEEN[0]}/data" \
        -c listen_addresses=127.0.0.1 -c "port=$2" -c unix_socket_directories= \
        -c wal_level=logical -c max_replication_slots=50 -c max_wal_senders=50 \
        -c "fsync=$FSYNC"
}

ready() { "$BIN/pg_isready" -q -h 127.0.0.1 -p "$1"; }

ready_or_ended() { ready "$2" || ! noted "$1" postgresql >/dev/null; }

# launched FOLDER PORT: whether it serves now. What is left of a server that was killed a moment ago
# keeps the next one from its data.
launched() {
    noted "$1" postgresql >/dev/null || launch "$1" "$2"
    wait_until 60 ready_or_ended "$1" "$2"
    ready "$2"
}

start() {
    local folder
    umask 022
    own_folder "$1"
    folder=$(cd "$1" && pwd -P)
    noted "$folder" postgresql >/dev/null || wait_until 10 port_is_free "$2" ||
        die "port $2 is taken by another program"
    install
    mkdir -p "$folder/state"
    leave_root "$folder/state"
    [ -d "$folder/state/data" ] || make_cluster "$folder"
    wait_until 30 launched "$folder" "$2" ||
        { tail -n 20 "$folder/postgresql.log" >&2; die "PostgreSQL does not serve at port $2"; }
    printf 'postgresql://postgres@127.0.0.1:%s/postgres\n' "$2"
}

case "${1:-} $#" in
    'install 1') install ;;
    'start 3') start "$2" "$3" ;;
    # Asked by SIGTERM, it would wait for its clients to leave.
    'stop 2') stop_noted "$2" postgresql INT ;;
    *) die "$USAGE" ;;
esac
