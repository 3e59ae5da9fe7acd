#!/usr/bin/env bash
# The first run: a function with a dependency, an event, its stored result. Nothing but make up,
# curl and pratai, as a user has them.
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$ROOT"

# The demo stops the stack half-way, so it must not be one that somebody is using.
code=0
deploy/embedded.sh status >/dev/null 2>&1 || code=$?
[ "$code" -eq 3 ] || die "the stack is up, and the demo would stop it: make down first"

work=$(mktemp -d)
finish() {
    local code=$?
    trap - EXIT
    if [ "$code" -ne 0 ]; then
        say "the demo failed; the ends of the logs:"
        tail -n 20 .run/launcher.log .run/log/* >&2 2>/dev/null || true
    fi
    make --no-print-directory down || code=1
    rm -rf "$work"
    [ "$code" -ne 0 ] || say "the demo is complete"
    exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM

final() {
    case $(pratai request-show "$1" -f value -c status) in
        success | error | timeout | cancelled) return 0 ;;
        *) return 1 ;;
    esac
}

make --no-print-directory up
# shellcheck source=/dev/null
. .run/clientrc
python3 -m zipfile -c "$work/hello.zip" examples/hello/new_module.py examples/hello/requirements.txt

say "uploading a function"
id=$(pratai function-create "demo-$(date +%s)-$$" --zip "$work/hello.zip" --wait -f value -c function_id)

say "sending it an event"
answer=$(curl -sS --fail-with-body --noproxy '*' "$OS_PRATAI_URL/v1/functions/$id" \
    -H 'Content-Type: application/json' -d '{"payload": {"name": "Ada", "noun": "event"}}') || die "refused: $answer"
request=$(sed -n 's/.*"request_id": *"\([^"]*\)".*/\1/p' <<<"$answer")
[ -n "$request" ] || die "the answer has no request_id: $answer"
timed "waiting for its result" wait_until 120 final "$request" || die "the request did not end"
result=$(pratai request-show "$request" -f value -c status -c result)

say "stopping and starting the stack: what was stored is still there"
make --no-print-directory down
make --no-print-directory up
pratai request-show "$request"
say "its logs"
pratai request-logs "$request"
[ "$(pratai request-show "$request" -f value -c status)" = success ] || die "the function failed"
[ "$(pratai request-show "$request" -f value -c status -c result)" = "$result" ] ||
    die "the result is not what it was before the restart"
pratai function-delete "$id"
