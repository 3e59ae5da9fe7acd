#!/usr/bin/env bash
# make proof [HISTORIES=1000] [ROUNDS=3]: the figures that the documents keep of what is lost and doubled
# (nothing), and of recovery. Histories of the simulated platform, then each fault of the real one so
# often, with the leases of an ordinary installation. Fails if anything was lost or doubled.
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../deploy/lib.sh"
cd "$ROOT"
# shellcheck source=deploy/with-engine.sh
. deploy/with-engine.sh

histories=${HISTORIES:-1000}
rounds=${ROUNDS:-3}
[[ $histories =~ ^[1-9][0-9]*$ ]] || die "HISTORIES is a number, not $histories"
[[ $rounds =~ ^[1-9][0-9]*$ ]] || die "ROUNDS is a number, not $rounds"

deploy/setup.sh test
"$VENV/bin/python" -m tests.simulation.soak --histories "$histories" --seed 0
have_engine
"$VENV/bin/python" -m tests.faults.report --rounds "$rounds"
