#!/usr/bin/env bash
# Registers services and users with the Keystone that keystone.sh started in FOLDER, and says how
# they log in. Repeating it changes nothing.
#
#   keystone-register.sh FOLDER service NAME TYPE URL
#   keystone-register.sh FOLDER user NAME PROJECT ROLE...   its password: FOLDER/passwords/NAME
#   keystone-register.sh FOLDER openrc USER PROJECT         prints the OS_* variables of a user
#   keystone-register.sh FOLDER authtoken USER              prints [keystone_authtoken] of a service
#   keystone-register.sh FOLDER <<< "a command a line"      services and users, several at once
#
# What openrc and authtoken print holds a password: let it be read by its owner alone.
# shellcheck source=deploy/services/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# What is in files is said without Python and its libraries, which take most of a second.
openrc() {
    local url password
    url=$(cat "$1/url")
    password=$(cat "$1/passwords/$2")
    printf 'export %s=%q\n' OS_AUTH_URL "$url" OS_IDENTITY_API_VERSION 3 OS_USERNAME "$2" \
        OS_PASSWORD "$password" OS_PROJECT_NAME "$3" \
        OS_USER_DOMAIN_ID default OS_PROJECT_DOMAIN_ID default OS_REGION_NAME RegionOne
}

authtoken() {
    local url password
    url=$(cat "$1/url")
    password=$(cat "$1/passwords/$2")
    printf '[keystone_authtoken]\n'
    printf '%s = %s\n' auth_type password auth_url "$url" www_authenticate_uri "$url" \
        username "$2" password "$password" project_name service user_domain_id default \
        project_domain_id default region_name RegionOne
}

case "${2:-} $#" in
    'openrc 4') openrc "$1" "$3" "$4"; exit ;;
    'authtoken 3') authtoken "$1" "$3"; exit ;;
esac
service_venv keystone
umask 077
no_proxy='*' exec "$CACHE/venv/keystone/bin/python" "$ROOT/deploy/services/keystone_register.py" "$@"
