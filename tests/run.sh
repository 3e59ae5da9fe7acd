#!/usr/bin/env bash
# make test: everything, with the real services. Prints the time of each part, the slowest tests,
# and as its last line how many passed.
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../deploy/lib.sh"
cd "$ROOT"

work=$(mktemp -d)
export PRATAI_JUNIT="$work/junit"
finish() {
    local code=$?
    deploy/engine.sh stop || code=1
    rm -rf "$work"
    exit "$code"
}
trap finish EXIT

mkdir -p "$work/junit"
timed "set-up" deploy/setup.sh test
timed "make check" tests/check.sh
deploy/engine.sh start
deploy/build-settings.sh >"$work/build.conf"
printf '[DEFAULT]\nstate_path = %s/prepare\n' "$work" >"$work/prepare.conf"
timed "the runtimes' images" "$VENV/bin/pratai-driver" \
    --config-file "$work/prepare.conf" --config-file "$work/build.conf" --prepare
timed "tests with services" "$VENV/bin/python" -m pytest -q --durations=15 \
    tests/contract tests/functional tests/faults --junitxml "$work/junit/services.xml"
timed "make demo" deploy/demo.sh
"$VENV/bin/python" tests/summary.py "$work"/junit/*.xml
