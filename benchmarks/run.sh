#!/usr/bin/env bash
# make bench: the figures, in one interleaved run, with raw times and the commit.
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../deploy/lib.sh"
cd "$ROOT"

"$ROOT/deploy/setup.sh" test
engine=$(deploy/engine.sh start)
finish() {
    local code=$?
    trap - EXIT
    [ "$engine" != started ] || deploy/engine.sh stop || code=1
    exit "$code"
}
trap finish EXIT
work=$(mktemp -d)
printf '[DEFAULT]\nstate_path = %s\n' "$work" >"$work/prepare.conf"
"$VENV/bin/pratai-driver" --config-file "$work/prepare.conf" --prepare
rm -rf "$work"
"$VENV/bin/python" -m benchmarks.figures "$@"
