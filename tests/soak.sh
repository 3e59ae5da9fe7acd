#!/usr/bin/env bash
# make soak MINUTES=60 [SEED=7]: histories of the simulated platform, then faults of the real one, half
# of the time each. The seed gives both their order; both print it. Fails if anything was lost or doubled.
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../deploy/lib.sh"
cd "$ROOT"
# shellcheck source=deploy/with-engine.sh
. deploy/with-engine.sh

[[ ${MINUTES:-} =~ ^[1-9][0-9]*$ ]] || die "usage: make soak MINUTES=60 [SEED=7]"
seed=${SEED:-$(date +%s)}
[[ $seed =~ ^[0-9]+$ ]] || die "SEED is a number, not $seed"
half=$(((MINUTES + 1) / 2))

deploy/setup.sh test
"$VENV/bin/python" -m tests.simulation.soak --minutes "$half" --seed "$seed"
have_engine
"$VENV/bin/python" -m tests.faults.soak --minutes "$half" --seed "$seed"
