#!/usr/bin/env bash
# Registers services and users with the Keystone that keystone.sh started in FOLDER, and says how
# they log in. Repeating it changes nothing.
#
#   keystone-register.sh FOLDER service NAME TYPE URL
#   keystone-register.sh FOLDER user NAME PROJECT ROLE...   its password: FOLDER/passwords/NAME
#   keystone-register.sh FOLDER openrc USER PROJECT         prints the OS_* variables of a user
#   keystone-register.sh FOLDER authtoken USER              prints [keystone_authtoken] of a service
#   keystone-register.sh FOLDER <<< "a command a line"      several at once, which is faster
#
# What openrc and authtoken print holds a password: let it be read by its owner alone.
# shellcheck source=deploy/services/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

service_venv keystone
umask 077
no_proxy='*' exec "$CACHE/venv/keystone/bin/python" "$ROOT/deploy/services/keystone_register.py" "$@"
