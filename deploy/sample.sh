#!/usr/bin/env bash
# Writes etc/pratai.conf.sample from the options in the code; --check fails if it is out of date.
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

sample="$ROOT/etc/pratai.conf.sample"
made=$(mktemp)
trap 'rm -f "$made"' EXIT
"$VENV/bin/oslo-config-generator" --namespace pratai --namespace pratai.api \
    --namespace pratai.swift --namespace oslo.log --namespace oslo.limit \
    --output-file "$made" --wrap-width 90
if [ "${1:-}" = --check ]; then
    diff -u "$sample" "$made" >&2 || die "run deploy/sample.sh: the sample is out of date"
else
    mkdir -p "$ROOT/etc"
    cp "$made" "$sample"
    chmod 644 "$sample"
fi
