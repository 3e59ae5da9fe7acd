#!/usr/bin/env bash
# Horizon, OpenStack's dashboard, with the plug-in of this checkout: one gunicorn process, sessions
# in files, static files by Django.
#
#   horizon.sh install             makes its virtual environment, in the cache
#   horizon.sh start FOLDER PORT   prints its address; KEYSTONE_FOLDER is where keystone.sh keeps its own
#   horizon.sh stop FOLDER
# shellcheck source=deploy/services/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

BIN="$CACHE/venv/horizon/bin"
PLUGIN="$ROOT/pratai_dashboard"
USAGE="usage: horizon.sh install | KEYSTONE_FOLDER=... start FOLDER PORT | stop FOLDER"
START_SECONDS=120

# The package "local" of FOLDER comes before Horizon's own, so nothing is written among its programs.
# Horizon takes all names from it that begin with no underscore.
# There is no compute service, whose panel a login would lead to.
write_settings() {
    mkdir -p "$1/local" "$1/enabled" "$1/sessions"
    [ -s "$1/secret" ] || head -c 32 /dev/urandom | base64 >"$1/secret"
    cp "$PLUGIN"/pratai_dashboard/enabled/_*_pratai_*.py "$1/enabled/"
    printf '%s\n' 'PANEL = "pratai_overview"' 'PANEL_DASHBOARD = "project"' \
        'DEFAULT_PANEL = "pratai_overview"' >"$1/enabled/_3900_default_panel.py"
    : >"$1/local/__init__.py"
    cat >"$1/local/local_settings.py" <<END
import os as _os
from pathlib import Path as _Path
from openstack_dashboard.local import enabled as _enabled
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
WEBROOT = "/"
LOCAL_PATH = "$1/local"
SECRET_KEY = _Path("$1/secret").read_text().strip()
STATIC_ROOT = _os.environ["HORIZON_STATIC"]
COMPRESS_OFFLINE = True
SESSION_ENGINE = "django.contrib.sessions.backends.file"
SESSION_FILE_PATH = "$1/sessions"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
OPENSTACK_HOST = "127.0.0.1"
OPENSTACK_KEYSTONE_URL = "$2"
OPENSTACK_KEYSTONE_DEFAULT_ROLE = "member"
OPENSTACK_KEYSTONE_DEFAULT_DOMAIN = "Default"
OPENSTACK_KEYSTONE_MULTIDOMAIN_SUPPORT = False
TIME_ZONE = "UTC"
if "$1/enabled" not in _enabled.__path__:
    _enabled.__path__.append("$1/enabled")
END
    # With DEBUG off Django serves no static files by itself.
    cat >"$1/pratai_horizon.py" <<END
from django.contrib.staticfiles.handlers import StaticFilesHandler
from openstack_dashboard.wsgi import application as dashboard
application = StaticFilesHandler(dashboard)
END
    cat >"$1/gunicorn.conf.py" <<END
wsgi_app = "pratai_horizon:application"
bind = "127.0.0.1:$3"
workers = 1
threads = 8
timeout = 120
graceful_timeout = 2
control_socket_disable = True
END
}

# What static files are made of: they are the same everywhere until that changes.
static_key() {
    {
        cat "$CACHE/venv/horizon/made-of.txt"
        find "$PLUGIN/pratai_dashboard/static" "$PLUGIN/pratai_dashboard/enabled" -type f \
            -not -name '*.pyc' -exec cksum {} + | sed "s|$PLUGIN||" | sort
    } | sha256sum | head -c 16
}

# make_static TARGET: collects and compresses them once, beside Horizon's programs.
make_static() {
    (
        flock 8
        [ ! -e "$1/made" ] || exit 0
        rm -rf "$1"
        HORIZON_STATIC=$1 timed "collecting static files" django collectstatic --noinput
        HORIZON_STATIC=$1 timed "compressing them" django compress --force
        touch "$1/made"
    ) 8>"$CACHE/venv/horizon.static.lock"
}

django() {
    "$BIN/python" -W ignore -m django "$@" </dev/null >"$FOLDER/django.log" 2>&1 ||
        { tail -n 20 "$FOLDER/django.log" >&2; die "django $1 failed"; }
}

start() {
    own_folder "$1"
    FOLDER=$(cd "$1" && pwd)
    if ! noted "$FOLDER" horizon >/dev/null; then
        [ -n "${KEYSTONE_FOLDER:-}" ] || die "$USAGE"
        port_is_free "$2" || die "port $2 is taken by another program"
        service_venv horizon
        umask 077
        write_settings "$FOLDER" "$(cat "$KEYSTONE_FOLDER/url")" "$2"
        export PYTHONPATH="$FOLDER:$ROOT/python_prataiclient:$PLUGIN" PYTHONWARNINGS=ignore
        export DJANGO_SETTINGS_MODULE=openstack_dashboard.settings PYTHONDONTWRITEBYTECODE=1
        HORIZON_STATIC="$CACHE/venv/horizon/static/$(static_key)"
        export HORIZON_STATIC
        make_static "$HORIZON_STATIC"
        (cd "$FOLDER" && GUNICORN_CMD_ARGS="--config $FOLDER/gunicorn.conf.py" \
            launch_in_background "$FOLDER" horizon "$BIN/gunicorn")
    fi
    await_http "$FOLDER" horizon "http://127.0.0.1:$2/auth/login/" "$START_SECONDS"
    printf 'http://127.0.0.1:%s\n' "$2"
}

case "${1:-} $#" in
    'install 1') service_venv horizon ;;
    'start 3') start "$2" "$3" ;;
    'stop 2') stop_noted "$2" horizon ;;
    *) die "$USAGE" ;;
esac
