#!/usr/bin/env bash
# make test: everything, with the real services. Prints the time of each part, the slowest tests,
# and as its last line how many passed. run.sh all (make test-all) adds what takes longer.
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../deploy/lib.sh"
cd "$ROOT"
exec </dev/null

work=$(mktemp -d)
export PRATAI_JUNIT="$work/junit"
engine=
times=()
failed=0

finish() {
    local code=$?
    trap - EXIT
    # Only the one that this run started: a stack of this checkout may be using it.
    [ "$engine" != started ] || deploy/engine.sh stop || code=1
    say "time per part:"
    printf '%s\n' "${times[@]}" >&2
    shopt -s nullglob
    [ "$code" -eq 0 ] || failed=$((failed + 1))
    "$VENV/bin/python" tests/summary.py "$failed" "$work"/junit/*.xml || code=1
    rm -rf "$work"
    exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM

# part WHAT COMMAND...: a failure is counted, and what comes after still runs.
part() {
    local what=$1 began=$SECONDS outcome=
    shift
    say "== $what"
    "$@" || outcome=FAILED
    times+=("$(printf '%6d s  %s %s' "$((SECONDS - began))" "$what" "$outcome")")
    [ -z "$outcome" ] || { failed=$((failed + 1)) && return 1; }
}

# On ports of its own; and not where somebody uses a stack of this checkout, which it would stop.
demo() {
    local code=0
    deploy/embedded.sh status >/dev/null 2>&1 || code=$?
    if [ "$code" -ne 3 ]; then
        say "left out: a stack of this checkout is up"
        return 0
    fi
    local api scheduler collector driver
    read -r api scheduler collector driver < <("$VENV/bin/python" -m tests.ports 4)
    PRATAI_API_PORT=$api PRATAI_SCHEDULER_PORT=$scheduler PRATAI_COLLECTOR_PORT=$collector \
        PRATAI_DRIVER_PORT=$driver deploy/demo.sh
}

# On a server that wants a newer Java than Debian has: where there is one.
newer_elasticsearch() {
    "$VENV/bin/python" -m pytest -q tests/contract/store -k elasticsearch \
        --junitxml "$PRATAI_JUNIT/newer-elasticsearch.xml"
}

mkdir -p "$PRATAI_JUNIT"
part "set-up" deploy/setup.sh test || exit 1
# How many histories of the simulated platform are gone through, and for how long a broker or a
# database that was killed stays away.
histories=1000 away=0
[ "${1:-}" != all ] || histories=10000 away=60
export PRATAI_AWAY_SECONDS=$away
part "make check" env PRATAI_HISTORIES="$histories" tests/check.sh || true
engine=$(deploy/engine.sh start)
part "the runtimes' images" make_images "$work" python3,nodejs || exit 1
services=(tests/contract tests/functional tests/integration tests/faults)
# Two processes: much of what one does is to wait. tests/sharing.py says what goes to which.
part "tests with services" "$VENV/bin/python" -m pytest -q --durations=15 \
    -n 2 --dist loadscope --no-loadscope-reorder -m "not alone" "${services[@]}" \
    --junitxml "$PRATAI_JUNIT/services.xml" || true
# Shows what became of all that was accepted while each fault befell an installation.
part "tests of the whole machine" "$VENV/bin/python" -m pytest -q -rP -m alone "${services[@]}" \
    --junitxml "$PRATAI_JUNIT/alone.xml" || true
part "make demo" demo || true
if [ "${1:-}" = all ]; then
    export PRATAI_ELASTICSEARCH_VERSION=9.4.3
    if deploy/services/elasticsearch.sh java >/dev/null; then
        part "the store on Elasticsearch $PRATAI_ELASTICSEARCH_VERSION" newer_elasticsearch || true
    else
        say "left out: no Java for Elasticsearch $PRATAI_ELASTICSEARCH_VERSION is here"
    fi
fi
