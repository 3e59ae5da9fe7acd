#!/usr/bin/env bash
# embedded.sh up: the embedded stack in the background, ready when this returns.
# embedded.sh down: stops it, and the Docker Engine if this checkout started it. State is kept.
# embedded.sh status: prints which components run; 0 if all do, 3 if the stack is not up.
# shellcheck source=deploy/stack-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/stack-lib.sh"

STACK=embedded
HOME_FOLDER=$RUN
API_PORT=${PRATAI_API_PORT:-9096}
SCHEDULER_PORT=${PRATAI_SCHEDULER_PORT:-5557}
COLLECTOR_PORT=${PRATAI_COLLECTOR_PORT:-5556}
DRIVER_PORT=${PRATAI_DRIVER_PORT:-5558}
METRICS_PORT=${PRATAI_METRICS_PORT:-19096} # and the four that follow
PORTS=("API $API_PORT" "SCHEDULER $SCHEDULER_PORT" "COLLECTOR $COLLECTOR_PORT" "DRIVER $DRIVER_PORT")

# A package index's address may hold a password, so no other user reads it.
conf() {
    cat <<END
[DEFAULT]
state_path = $RUN/state
log_dir = $RUN/log
[api]
port = $API_PORT
[sockets]
# All of it is on loopback; keys are for what is not.
security = plain
scheduler = tcp://127.0.0.1:$SCHEDULER_PORT
collector = tcp://127.0.0.1:$COLLECTOR_PORT
[driver]
name = $(node_name)
bind = tcp://127.0.0.1:$DRIVER_PORT
[metrics]
api_port = $METRICS_PORT
agent_port = $((METRICS_PORT + 1))
scheduler_port = $((METRICS_PORT + 2))
collector_port = $((METRICS_PORT + 3))
driver_port = $((METRICS_PORT + 4))
[agent]
# Whoever reaches this API reaches all of this machine: brokers and databases on it may be named.
deny_networks =
END
    "$HERE/build-settings.sh"
}

write_files() {
    {
        echo unset OS_AUTH_URL # of an openstack stack: here nobody is asked who they are
        printf 'export OS_PRATAI_URL=http://127.0.0.1:%s\n' "$API_PORT"
        print_path
    } >"$RUN/clientrc"
}

start_services() { :; }
make_keys() { :; }
start_front() { :; }
drain_front() { :; }
stop_services() { :; }

run_command "$@"
