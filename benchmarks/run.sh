#!/usr/bin/env bash
# make bench: the figures, with raw times and the commit. With names: only those.
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../deploy/lib.sh"
cd "$ROOT"
# shellcheck source=deploy/with-engine.sh
. deploy/with-engine.sh

deploy/setup.sh test
case " ${*:-elasticsearch} " in *elasticsearch*) deploy/services/elasticsearch.sh install ;; esac
have_engine
"$VENV/bin/python" -m benchmarks "$@"
