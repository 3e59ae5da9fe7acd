#!/usr/bin/env bash
# openstack.sh up: the platform as an OpenStack operator runs it, in the background: Elasticsearch,
#   Keystone, Swift, Barbican, RabbitMQ, nginx before three API processes, scheduler, collector,
#   agent, two nodes.
# openstack.sh down: stops all that it started. State is kept, in .run/openstack.
# openstack.sh status: prints which components run; 0 if all do, 3 if the stack is not up.
#
# What runs elsewhere is used when its address is in the environment:
#   PRATAI_ELASTICSEARCH_URL   hosts of Elasticsearch, comma-separated
#   PRATAI_KEYSTONE_URL        Keystone's /v3; PRATAI_KEYSTONE_PASSWORD is that of its user admin,
#                              in the project admin of the domain default
#   PRATAI_SWIFT_URL           says that the catalogue of that Keystone has a Swift
#   PRATAI_BARBICAN_URL        says that it has a Barbican
#   PRATAI_RABBITMQ_URL        broker of notifications: amqp://USER:PASSWORD@HOST:PORT/VIRTUAL_HOST
#   PRATAI_POSTGRESQL_URL      any value: no PostgreSQL is started, as a source of events
# shellcheck source=deploy/stack-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/stack-lib.sh"

STACK=openstack
HOME_FOLDER="$RUN/openstack"
KEYSTONE="$HOME_FOLDER/keystone"
API_PORT=${PRATAI_API_PORT:-9096}
API_PORTS=("${PRATAI_API1_PORT:-9097}" "${PRATAI_API2_PORT:-9098}" "${PRATAI_API3_PORT:-9099}")
SCHEDULER_PORT=${PRATAI_SCHEDULER_PORT:-5557}
COLLECTOR_PORT=${PRATAI_COLLECTOR_PORT:-5556}
ELASTICSEARCH_PORT=${PRATAI_ELASTICSEARCH_PORT:-9200}
RABBITMQ_PORT=${PRATAI_RABBITMQ_PORT:-5672}
DRIVER_PORTS=("${PRATAI_DRIVER_PORT:-5558}" "${PRATAI_DRIVER2_PORT:-5559}")
# Each API process and each node has a port of its own for its metrics.
METRICS_PORT=${PRATAI_METRICS_PORT:-19100}
PORTS=("API $API_PORT" "API1 ${API_PORTS[0]}" "API2 ${API_PORTS[1]}" "API3 ${API_PORTS[2]}"
    "SCHEDULER $SCHEDULER_PORT" "COLLECTOR $COLLECTOR_PORT"
    "DRIVER ${DRIVER_PORTS[0]}" "DRIVER2 ${DRIVER_PORTS[1]}")
PROGRAMS=(pratai-collector pratai-scheduler pratai-driver@1 pratai-driver@2
    pratai-api@1 pratai-api@2 pratai-api@3)

service() { "$HERE/services/$1.sh" "${@:2}" 9>&-; }
register() { service keystone-register "$KEYSTONE" "$@"; }

# start_service NAME PORT: with its state in the folder of its name.
start_service() { timed "starting $1" service "$1" start "$HOME_FOLDER/$1" "$2" >/dev/null; }

# Elasticsearch and RabbitMQ take long and need nobody, so the others start meanwhile.
start_services() {
    local elasticsearch rabbitmq
    [ -n "${PRATAI_ELASTICSEARCH_URL:-}" ] || start_service elasticsearch "$ELASTICSEARCH_PORT" &
    elasticsearch=$!
    [ -n "${PRATAI_RABBITMQ_URL:-}" ] || start_service rabbitmq "$RABBITMQ_PORT" &
    rabbitmq=$!
    [ -n "${PRATAI_POSTGRESQL_URL:-}" ] ||
        start_service postgresql "${PRATAI_POSTGRESQL_PORT:-5432}"
    start_keystone
    [ -n "${PRATAI_SWIFT_URL:-}" ] ||
        KEYSTONE_FOLDER=$KEYSTONE start_service swift "${PRATAI_SWIFT_PORT:-8080}"
    [ -n "${PRATAI_BARBICAN_URL:-}" ] ||
        KEYSTONE_FOLDER=$KEYSTONE start_service barbican "${PRATAI_BARBICAN_PORT:-9311}"
    register_users
    wait "$rabbitmq" || die "RabbitMQ did not start"
    wait "$elasticsearch" || die "Elasticsearch did not start"
}

start_keystone() {
    if [ -n "${PRATAI_KEYSTONE_URL:-}" ]; then
        note_keystone
    else
        start_service keystone "${PRATAI_KEYSTONE_PORT:-5000}"
    fi
}

register_users() {
    say "registering users and the service"
    register <<END
user pratai service service member
user demo demo member
user other other member
service pratai function http://127.0.0.1:$API_PORT
END
}

# Where keystone-register.sh looks for one that runs elsewhere.
note_keystone() {
    mkdir -p "$KEYSTONE/passwords"
    chmod 700 "$KEYSTONE/passwords"
    printf '%s\n' "$PRATAI_KEYSTONE_URL" >"$KEYSTONE/url"
    write_private "$KEYSTONE/passwords/admin" <<<"${PRATAI_KEYSTONE_PASSWORD:?of the user admin}"
}

# The API processes and the nodes differ in what stands in the files of their own: instances.
conf() {
    local number authtoken
    for number in 1 2 3; do
        printf '[DEFAULT]\nlog_file = pratai-api@%s.log\n[api]\nport = %s\n[metrics]\napi_port = %s\n' \
            "$number" "${API_PORTS[number - 1]}" "$((METRICS_PORT + number))" \
            >"$HOME_FOLDER/pratai-api@$number.conf"
    done
    for number in 1 2; do
        {
            printf '[DEFAULT]\nlog_file = pratai-driver@%s.log\n[driver]\nname = %s\nbind = %s\n' \
                "$number" "$(node_name)-$number" "tcp://127.0.0.1:${DRIVER_PORTS[number - 1]}"
            printf '[metrics]\ndriver_port = %s\n' "$((METRICS_PORT + 10 + number))"
        } >"$HOME_FOLDER/pratai-driver@$number.conf"
    done
    cat <<END
[DEFAULT]
state_path = $HOME_FOLDER/state
log_dir = $HOME_FOLDER/log
[agent]
# The servers that events may come from are on loopback here.
deny_networks =
[launcher]
programs = $(printf '%s,' "${PROGRAMS[@]}")pratai-agent
[api]
auth_strategy = keystone
trust_proxy_ids = true
[nginx]
listen = 127.0.0.1:$API_PORT
apis = $(printf '127.0.0.1:%s,' "${API_PORTS[@]}" | sed 's/,$//')
access_log = $HOME_FOLDER/nginx/access.log
site_path = $HOME_FOLDER/nginx/pratai.conf
command = $(service nginx command "$HOME_FOLDER/nginx")
[sockets]
keys_path = $HOME_FOLDER/keys.d
scheduler = tcp://127.0.0.1:$SCHEDULER_PORT
collector = tcp://127.0.0.1:$COLLECTOR_PORT
[store]
driver = elasticsearch
hosts = ${PRATAI_ELASTICSEARCH_URL:-http://127.0.0.1:$ELASTICSEARCH_PORT}
[metrics]
scheduler_port = $((METRICS_PORT + 20))
collector_port = $((METRICS_PORT + 21))
agent_port = $((METRICS_PORT + 22))
[secrets]
driver = barbican
[archives]
driver = swift
node_url = http://127.0.0.1:$API_PORT
END
    notifications
    authtoken=$(register authtoken pratai)
    printf '%s\n' "$authtoken"
    printf '%s\n' "$authtoken" | sed 's/^\[keystone_authtoken\]$/[swift]/; /^www_authenticate_uri/d'
    "$HERE/build-settings.sh"
}

notifications() {
    local url=${PRATAI_RABBITMQ_URL:-}
    [ -n "$url" ] ||
        url="amqp://pratai:$(cat "$HOME_FOLDER/rabbitmq/password")@127.0.0.1:$RABBITMQ_PORT"
    "$VENV/bin/python" "$HERE/broker_settings.py" <<<"$url"
}

# Of the control plane and of both nodes, each once: those that are there stay.
make_keys() {
    local number
    "$VENV/bin/pratai-keys" --config-file "$1" init >&2
    for number in 1 2; do
        "$VENV/bin/pratai-keys" --config-file "$1" node "$(node_name)-$number" >&2
    done
}

start_front() {
    local site="$HOME_FOLDER/nginx/pratai.conf"
    "$VENV/bin/pratai-nginx-conf" --config-file "$HOME_FOLDER/pratai.conf" >"$site"
    start_service nginx "$API_PORT"
}

# It keeps connections to the API processes, each of which would wait two seconds for them.
drain_front() { service nginx drain "$HOME_FOLDER/nginx"; }

# The project's ordinary user, the administrator, and a user of another project.
write_files() {
    write_rc clientrc demo demo
    write_rc adminrc admin admin
    write_rc otherrc other other
}

write_rc() {
    {
        echo unset OS_PRATAI_URL # of an embedded stack: here the catalogue says where it is
        register openrc "$2" "$3"
        print_path
    } | write_private "$RUN/$1"
}

# Each takes its time to end, and none waits for another.
stop_services() {
    local name stop stops=()
    wait # for a start that is still at work, when another has failed
    for name in nginx swift barbican keystone postgresql rabbitmq elasticsearch; do
        [ -d "$HOME_FOLDER/$name" ] || continue
        service "$name" stop "$HOME_FOLDER/$name" &
        stops+=("$!")
    done
    for stop in "${stops[@]}"; do wait "$stop" || die "a service was not stopped"; done
    rm -f "$RUN"/{clientrc,adminrc,otherrc}
}

mkdir -p "$HOME_FOLDER/nginx"
run_command "$@"
