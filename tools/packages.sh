# The Debian packages that Belay needs, in one place; sourced by the tools, never run. install_packages GROUP… installs what is
# missing of the named groups and says nothing when nothing is. Fails with the list where it cannot install.

packages_build="g++ meson ninja-build pkg-config ccache libevent-dev libssl-dev libc-ares-dev libsimdjson-dev libyaml-cpp-dev
  liblmdb-dev libre2-dev libxxhash-dev libexpat1-dev zlib1g-dev libfmt-dev libspdlog-dev libcli11-dev doctest-dev node-llhttp"
packages_clang="clang libclang-rt-dev"
packages_format="clang-format"
packages_test="$packages_clang curl fish nginx-light openssl procps python3 strace util-linux zsh"
packages_faults="e2fsprogs faketime libnbd-bin nbdkit xfsprogs"  # optional: without them tests of tests/faults are skipped
packages_interop="nodejs npm"  # where there is no npm yet: other packagings of node conflict with these
packages_origins="apache2-bin lighttpd haproxy gunicorn python3-waitress slowhttptest"

install_packages() {
  local group package missing=()
  for group in "$@"; do
    local names="packages_$group"
    for package in ${!names}; do
      dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing+=("$package")
    done
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  local root=()
  if [ "$(id -u)" -ne 0 ]; then root=(sudo); fi
  if ! command -v apt-get >/dev/null || { [ ${#root[@]} -gt 0 ] && ! command -v sudo >/dev/null; }; then
    echo "Missing packages: ${missing[*]}; install them (as root, with apt-get on Debian 12) and run this again." >&2
    return 1
  fi
  echo "installing ${missing[*]}" >&2
  (  # Servers among them are for tests: none is started as a service.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ] && [ ! -L $policy ]; then
      trap '"${root[@]}" rm -f $policy' EXIT
      printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee $policy >/dev/null
      "${root[@]}" chmod 755 $policy
    fi
    "${root[@]}" apt-get update -qq &&
      "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  )
}
