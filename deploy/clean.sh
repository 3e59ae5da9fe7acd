#!/usr/bin/env bash
# Takes the stack down and removes its state, the virtual environment, and Pratai's images.
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

remove_images() {
    local images
    mapfile -t images < <(docker images -q --filter label=pratai.installation=pratai | sort -u)
    [ "${#images[@]}" -eq 0 ] || docker rmi -f "${images[@]}" >&2
}

"$ROOT/deploy/$(cat "$RUN/stack" 2>/dev/null || echo embedded).sh" down
# The engine that holds the images may be one that "down" has just stopped.
if command -v docker >/dev/null && { engine_answers || [ -e "$RUN/dockerd.log" ]; }; then
    "$ROOT/deploy/engine.sh" start >/dev/null
    remove_images || say "some images are still in use"
    "$ROOT/deploy/engine.sh" stop
fi
rm -rf "$RUN" "$VENV"
