#!/usr/bin/env bash
# nginx before the API processes, with its files in one folder and none of the system's.
#
#   nginx.sh install             from Debian
#   nginx.sh start FOLDER PORT   FOLDER/pratai.conf, made by pratai-nginx-conf, listens on PORT
#   nginx.sh reload FOLDER       takes over what FOLDER/pratai.conf says now
#   nginx.sh drain FOLDER        takes no more in, and ends by itself when all is answered
#   nginx.sh command FOLDER      prints how this nginx is run: [nginx] command
#   nginx.sh stop FOLDER
#
# shellcheck source=deploy/services/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

USAGE="usage: nginx.sh install | start FOLDER PORT | reload|drain|command|stop FOLDER"

install() { command -v nginx >/dev/null || install_packages nginx; }

command_words() { printf '%s\n' nginx -p "$1" -c nginx.conf -e error.log; }

# Root's workers drop to nobody, unless nobody can reach the folder (of a checkout in root's home).
directives() {
    printf 'daemon off;'
    [ "$(id -u)" -eq 0 ] || return 0
    if setpriv --reuid=nobody --regid=nogroup --clear-groups test -x "$1"; then
        printf ' user nobody nogroup;'
    else
        say "nginx's workers run as root: nobody cannot reach $1"
        printf ' user root;'
    fi
}

start() {
    local folder words
    folder=$(cd "$1" && pwd)
    if ! noted "$folder" nginx >/dev/null; then
        [ -e "$folder/pratai.conf" ] || die "there is no $folder/pratai.conf"
        port_is_free "$2" || die "port $2 is taken by another program"
        install
        cp "$ROOT/deploy/nginx/nginx.conf" "$folder/nginx.conf"
        mkdir -p "$folder/temp"
        chmod 755 "$folder/temp" # its workers go through it, whatever the umask
        umask 077 # its log of errors may name what only an administrator may see
        mapfile -t words < <(command_words "$folder")
        launch_in_background "$folder" nginx "${words[@]}" -g "$(directives "$folder")"
    fi
    await_http "$folder" nginx "http://127.0.0.1:$2/healthcheck" 30
    printf 'http://127.0.0.1:%s\n' "$2"
}

reload() {
    local words
    mapfile -t words < <(command_words "$(cd "$1" && pwd)")
    "${words[@]}" -t -q
    "${words[@]}" -s reload
}

drain() {
    local pid
    if pid=$(noted "$1" nginx); then kill -QUIT "$pid"; fi
}

case "${1:-} $#" in
    'install 1') install ;;
    'start 3') start "$2" "$3" ;;
    'reload 2') reload "$2" ;;
    'drain 2') drain "$2" ;;
    'command 2') command_words "$(cd "$2" && pwd)" | paste -sd ' ' ;;
    'stop 2') stop_noted "$2" nginx ;;
    *) die "$USAGE" ;;
esac
