#!/usr/bin/env bash
# Takes the stack down and removes its state, the virtual environment, and Pratai's images.
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

"$ROOT/deploy/embedded.sh" down
if docker version >/dev/null 2>&1; then
    mapfile -t images < <(docker images -q --filter label=pratai.installation=pratai | sort -u)
    [ "${#images[@]}" -eq 0 ] || docker rmi -f "${images[@]}" >/dev/null
fi
rm -rf "$RUN" "$VENV"
