#!/usr/bin/env bash
# Refreshes constraints.txt: the newest versions that our requirements allow, as pip resolves them.
# Run the tests before committing what it wrote.
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

python=$(usable_python) || die "no python3 (3.11 or later) with venv can be found; run deploy/setup.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m venv "$work/venv"
timed "resolving" "$work/venv/bin/pip" install -q --disable-pip-version-check \
    --cache-dir "$(cache_folder)/pip" \
    -r "$ROOT/requirements.txt" -r "$ROOT/test-requirements.txt" "$ROOT/python_prataiclient" >&2
{
    echo "# The exact versions that the tests ran with; refreshed by: make constraints"
    "$work/venv/bin/pip" freeze --exclude python-prataiclient --exclude pratai | LC_ALL=C sort -f
} >"$work/constraints.txt"
cp "$work/constraints.txt" "$ROOT/constraints.txt"
