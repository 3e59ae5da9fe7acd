#!/usr/bin/env bash
# The devstack plug-in: enable_plugin pratai URL [BRANCH] in local.conf. It stands at the root of the
# repository and not in deploy/, because devstack looks for devstack/plugin.sh there and nowhere else.
#
# Sourced by devstack, which has the functions that are not defined here, with the phase in $1 and
# $2. Xtrace is off while it is at work.
_PRATAI_XTRACE=$(set +o | grep xtrace)
set +o xtrace

PRATAI_DAEMONS=(pratai-collector pratai-scheduler pratai-driver pratai-api pratai-agent)

function pratai_install {
    # Nodes make the base of the runtimes with mmdebstrap where no registry gives it.
    install_package docker.io mmdebstrap
    add_user_to_group "$STACK_USER" docker
    setup_develop "$PRATAI_DIR"
    pip_install "$PRATAI_DIR/python_prataiclient"
}

function pratai_configure {
    sudo install -d -o "$STACK_USER" -m 0750 "$PRATAI_CONF_DIR" "$PRATAI_STATE_DIR"
    install -m 0640 "$PRATAI_DIR/etc/pratai.conf.sample" "$PRATAI_CONF"
    iniset "$PRATAI_CONF" DEFAULT state_path "$PRATAI_STATE_DIR"
    iniset "$PRATAI_CONF" DEFAULT debug "$ENABLE_DEBUG_LOG_LEVEL"
    iniset "$PRATAI_CONF" api host "$PRATAI_HOST"
    iniset "$PRATAI_CONF" api port "$PRATAI_PORT"
    iniset "$PRATAI_CONF" api auth_strategy keystone
    iniset "$PRATAI_CONF" sockets keys_path "$PRATAI_CONF_DIR/keys.d"
    iniset "$PRATAI_CONF" driver name "$PRATAI_NODE"
    iniset "$PRATAI_CONF" store driver "$PRATAI_STORE"
    iniset "$PRATAI_CONF" store hosts "$PRATAI_ELASTICSEARCH"
    configure_keystone_authtoken_middleware "$PRATAI_CONF" pratai
    iniset "$PRATAI_CONF" archives node_url "http://$PRATAI_HOST:$PRATAI_PORT"
    if is_service_enabled swift s-proxy; then
        iniset "$PRATAI_CONF" archives driver swift
        configure_keystone_authtoken_middleware "$PRATAI_CONF" pratai swift
    fi
}

function pratai_create_accounts {
    create_service_user pratai
    if is_service_enabled swift s-proxy; then
        get_or_add_user_project_role swiftoperator pratai "$SERVICE_PROJECT_NAME"
    fi
    get_or_create_service pratai function "Functions as a service"
    get_or_create_endpoint function "$REGION_NAME" "$SERVICE_PROTOCOL://$PRATAI_HOST:$PRATAI_PORT"
}

function pratai_init {
    "$PRATAI_BIN_DIR/pratai-db-init" --config-file "$PRATAI_CONF"
    "$PRATAI_BIN_DIR/pratai-keys" --config-file "$PRATAI_CONF" init
    "$PRATAI_BIN_DIR/pratai-keys" --config-file "$PRATAI_CONF" node "$PRATAI_NODE"
    # In here, so that stack.sh says what takes so long the first time. Membership in the group of
    # Docker's socket comes with the next login of $STACK_USER.
    sudo "$PRATAI_BIN_DIR/pratai-driver" --config-file "$PRATAI_CONF" --prepare
}

function pratai_start {
    local daemon
    for daemon in "${PRATAI_DAEMONS[@]}"; do
        local group=""
        [[ $daemon != pratai-driver ]] || group=docker
        run_process "$daemon" "$PRATAI_BIN_DIR/$daemon --config-file $PRATAI_CONF" $group
    done
    if ! wait_for_service 60 "$SERVICE_PROTOCOL://$PRATAI_HOST:$PRATAI_PORT/healthcheck"; then
        die $LINENO "pratai-api did not start"
    fi
}

function pratai_stop {
    local daemon
    for daemon in "${PRATAI_DAEMONS[@]}"; do
        stop_process "$daemon"
    done
}

function pratai_clean {
    sudo rm -rf "$PRATAI_STATE_DIR" "$PRATAI_CONF_DIR"
}

if is_service_enabled pratai-api; then
    PRATAI_BIN_DIR=$(get_python_exec_prefix)
    case "$1 ${2:-}" in
        'stack install') pratai_install ;;
        'stack post-config')
            pratai_configure
            pratai_create_accounts
            ;;
        'stack extra')
            pratai_init
            pratai_start
            ;;
        'unstack '*) pratai_stop ;;
        'clean '*) pratai_clean ;;
    esac
fi

$_PRATAI_XTRACE
