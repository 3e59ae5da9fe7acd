#!/usr/bin/env bash
# Refreshes constraints.txt: the newest versions that our requirements allow, as pip resolves them.
# Run the tests before committing what it wrote.
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
timed "resolving" "$work/venv/bin/pip" install -q --cache-dir "$(cache_folder)/pip" \
    -r "$ROOT/requirements.txt" -r "$ROOT/test-requirements.txt" "$ROOT/python_prataiclient"
"$work/venv/bin/pip" freeze --exclude python-prataiclient |
    LC_ALL=C sort -f >"$work/constraints.txt"
{
    echo "# The exact versions that the tests ran with; refreshed by: make constraints"
    cat "$work/constraints.txt"
} >"$ROOT/constraints.txt"
