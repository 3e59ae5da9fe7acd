# shellcheck shell=bash disable=SC2034
# Sourced, after lib.sh, by scripts that need a Docker Engine: one that this starts ends with the
# script, as does the folder $work. Standard input is none.
exec </dev/null
work=$(mktemp -d)
engine=
finish() {
    local code=$?
    trap - EXIT
    # Only the one that this run started: a stack of this checkout may be using it.
    [ "$engine" != started ] || "$ROOT/deploy/engine.sh" stop || code=1
    rm -rf "$work"
    exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM

# have_engine: an engine that answers, with the images of the runtimes.
have_engine() {
    engine=$("$ROOT/deploy/engine.sh" start)
    make_images "$work"
}
