#!/usr/bin/env bash
# The first run: a function with a dependency, an event, its stored result. Nothing but make up,
# curl and pratai, as a user has them.
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

work=$(mktemp -d)
finish() {
    local code=$?
    [ "$code" -eq 0 ] || { say "the demo failed"; tail -n 20 .run/log/*.stderr .run/log/*.log >&2 || true; }
    make --no-print-directory down
    rm -rf "$work"
    exit "$code"
}
trap finish EXIT

make --no-print-directory up
. .run/clientrc
(cd examples/hello && python3 -m zipfile -c "$work/hello.zip" new_module.py requirements.txt)

say "uploading a function"
name="demo-$(date +%s)"
id=$(pratai function-create "$name" --zip "$work/hello.zip" --wait -f value -c function_id)
pratai function-build-log "$id"

say "sending it an event"
request=$(curl -sf --noproxy '*' "$OS_PRATAI_URL/v1/functions/$id" -H 'Content-Type: application/json' \
    -d '{"payload": {"name": "Ada", "noun": "event"}}' |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["request_id"])')

ended() {
    case $(pratai request-show "$request" -f value -c status) in
        success | error | timeout | cancelled) return 0 ;;
        *) return 1 ;;
    esac
}
wait_until 120 ended || die "the request did not end"

say "stopping and starting the stack: what was stored is still there"
make --no-print-directory down
make --no-print-directory up
pratai request-show "$request"
say "its logs"
pratai request-logs "$request"
[ "$(pratai request-show "$request" -f value -c status)" = success ] || die "the request failed"
pratai function-delete "$id"
