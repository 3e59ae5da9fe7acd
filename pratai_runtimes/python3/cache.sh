# shellcheck shell=sh disable=SC2154
# Sourced: what earlier builds have left is found in /tmp/cache as links to files that nobody can
# write. So what is a file there, when the build ends, is new, and goes to later builds.

open_cache() {
    mkdir /tmp/cache
    for each in shared cache; do
        [ ! -d "$settings/$each" ] || cp -rsf "$settings/$each/." /tmp/cache
    done
    # pip writes to these, and not in place of them.
    find /tmp/cache -name origin.json -delete
    touch /tmp/opened
}

# Says what was used, too: the node removes what was not for longest.
close_cache() {
    [ -p "$settings/new" ] && [ -e /tmp/opened ] || return 0
    (
        cd /tmp/cache || exit
        find . -type l -anewer /tmp/opened -printf '- %P\n'
        find . -type f -printf '%s %P\n' | while IFS= read -r line; do
            printf '%s\n' "$line"
            cat "./${line#* }"
        done
    ) >"$settings/new"
}
