#!/usr/bin/env bash
# Chromium, the browser that tests of the dashboard drive.
#
#   chromium.sh install   from Debian; prints where it is
# shellcheck source=deploy/services/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[ "${1:-} $#" = 'install 1' ] || die "usage: chromium.sh install"
command -v chromium >/dev/null || install_packages chromium
command -v chromium
