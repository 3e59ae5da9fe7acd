#!/usr/bin/env bash
# make check: what needs no service. Runs every part, prints the time of each, fails if one did.
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../deploy/lib.sh"
cd "$ROOT"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# part WHAT COMMAND...: what failed is noted, and what comes after still runs.
part() { timed "$@" || printf '%s\n' "$1" >>"$work/failed"; }

# Every shell script of the project, whatever its name: those that say so in their first line.
shell_scripts() {
    find . \( -name .git -o -name .venv -o -name .run -o -name build \) -prune -o -type f -print0 |
        xargs -0 grep -lIE -m1 '^#!.*[/ ](ba|da)?sh( |$)' |
        while read -r path; do head -n 1 "$path" | grep -q '^#!' && printf '%s\n' "$path"; done
    printf '%s\n' deploy/lib.sh deploy/packages.sh deploy/stack-lib.sh deploy/services/lib.sh
}

code() {
    part "ruff" "$bin/ruff" check -q .
    part "ruff format" "$bin/ruff" format -q --check .
    part "mypy" "$bin/mypy"
    part "import contracts" env PYTHONPATH=pratai_dashboard "$bin/lint-imports" --no-logo
    part "shellcheck" "$bin/shellcheck" -x "${scripts[@]}"
    part "sample configuration" deploy/sample.sh --check
    part "documents" "$bin/sphinx-build" -W -q -b html doc/source doc/build/html
}

deploy/setup.sh test
bin="$VENV/bin"
mapfile -t scripts < <(shell_scripts)
# Beside the tests, on what processor is free; what it says comes when both are done.
code >"$work/code" 2>&1 &
beside=$!
part "pure tests" "$bin/python" -m pytest -q -n 2 --dist loadscope --durations=10 \
    tests/unit tests/architecture tests/simulation tests/fuzz \
    --junitxml "${PRATAI_JUNIT:-$RUN/junit}/check.xml"
wait "$beside" || printf 'what goes beside the tests\n' >>"$work/failed"
cat "$work/code" >&2
[ ! -e "$work/failed" ] || die "failed: $(paste -sd , "$work/failed")"
