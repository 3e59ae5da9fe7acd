#!/usr/bin/env bash
# make check: what needs no service. Runs every part, prints the time of each, fails if one did.
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../deploy/lib.sh"
cd "$ROOT"

failed=()
part() {
    timed "$@" || failed+=("$1")
}

# Every shell script of the project, whatever its name: those that say so in their first line.
shell_scripts() {
    find . \( -name .git -o -name .venv -o -name .run -o -name build \) -prune -o -type f -print0 |
        xargs -0 grep -lIE -m1 '^#!.*[/ ](ba|da)?sh( |$)' |
        while read -r path; do head -n 1 "$path" | grep -q '^#!' && printf '%s\n' "$path"; done
    printf '%s\n' deploy/lib.sh deploy/packages.sh deploy/stack-lib.sh deploy/services/lib.sh
}

deploy/setup.sh test
bin="$VENV/bin"
mapfile -t scripts < <(shell_scripts)
part "ruff" "$bin/ruff" check -q .
part "ruff format" "$bin/ruff" format -q --check .
part "mypy" "$bin/mypy"
part "import contracts" "$bin/lint-imports" --no-logo
part "shellcheck" "$bin/shellcheck" -x "${scripts[@]}"
part "sample configuration" deploy/sample.sh --check
part "documents" "$bin/sphinx-build" -W -q -b html doc/source doc/build/html
part "pure tests" "$bin/python" -m pytest -q tests/unit tests/architecture \
    --junitxml "${PRATAI_JUNIT:-$RUN/junit}/check.xml"
[ "${#failed[@]}" -eq 0 ] || die "failed: ${failed[*]}"
