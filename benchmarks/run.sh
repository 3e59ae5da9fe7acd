#!/usr/bin/env bash
# make bench: the figures, with raw times and the commit. With names: only those.
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../deploy/lib.sh"
cd "$ROOT"

"$ROOT/deploy/setup.sh" test
work=$(mktemp -d)
engine=
finish() {
    local code=$?
    trap - EXIT
    [ "$engine" != started ] || deploy/engine.sh stop || code=1
    rm -rf "$work"
    exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM
engine=$(deploy/engine.sh start)
case " ${*:-elasticsearch} " in *elasticsearch*) deploy/services/elasticsearch.sh install ;; esac
(umask 077 && deploy/build-settings.sh >"$work/build.conf")
printf '[DEFAULT]\nstate_path = %s/prepare\n' "$work" >"$work/prepare.conf"
"$VENV/bin/pratai-driver" \
    --config-file "$work/prepare.conf" --config-file "$work/build.conf" --prepare
"$VENV/bin/python" -m benchmarks "$@"
