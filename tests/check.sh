#!/usr/bin/env bash
# make check: what needs no service. Prints the time of each part.
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../deploy/lib.sh"
cd "$ROOT"

deploy/setup.sh test
bin="$VENV/bin"
mapfile -t scripts < <(git ls-files '*.sh' .ci/run pratai_drivers/netrules/netrules pratai_runtimes/python3/install)
timed "ruff" "$bin/ruff" check -q .
timed "ruff format" "$bin/ruff" format -q --check .
timed "mypy" "$bin/mypy"
timed "import contracts" "$bin/lint-imports" --no-logo
timed "shellcheck" "$bin/shellcheck" -x "${scripts[@]}"
timed "sample configuration" deploy/sample.sh --check
timed "pure tests" "$bin/python" -m pytest -q tests/unit tests/architecture \
    --junitxml "${PRATAI_JUNIT:-$RUN/junit}/check.xml"
