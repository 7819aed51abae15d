#!/usr/bin/env bash
# Installs what the tests need and is not there yet: packages from Debian, two programs out of another one, and two
# test programs from crates.io. Does nothing on a machine that has all. As root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# package:a program it brings
packages=(user-mode-linux:linux.uml nfs-common:mount.nfs rpcbind:rpcbind iproute2:ip
  busybox-static:busybox sqlite3:sqlite3 git:git rsync:rsync gcc:cc haproxy:haproxy keepalived:keepalived)
missing=()
for entry in "${packages[@]}"; do
  PATH=$PATH:/usr/sbin:/sbin command -v "${entry#*:}" >/dev/null || missing+=("${entry%%:*}")
done
# pjdfstest links the ACL library.
[[ -e /usr/include/sys/acl.h ]] || missing+=(libacl1-dev)
# Some of the packages bring services: none is to start now on a machine that only runs tests (they are enabled for the
# next boot, as Debian has it). In a subshell, so that the policy goes when the installation ends; one that is killed
# leaves it to the next.
install_packages() (
  policy=/usr/sbin/policy-rc.d
  # By this line one is known that was left behind by a setup that was killed.
  ours="# Made by Sluice's tests/setup.sh for as long as it installs packages."
  if [[ ! -e $policy && ! -L $policy ]] || grep -qsxF "$ours" "$policy"; then
    trap 'rm -f "$policy"' EXIT
    printf '%s\n' '#!/bin/sh' "$ours" 'exit 101' | install -m 755 /dev/stdin "$policy"
  fi
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null
)
if ((${#missing[@]})); then
  echo "setup: installing ${missing[*]}"
  install_packages "${missing[@]}"
fi

tools=${CARGO_TARGET_DIR:-target}/test-tools
# Installed, Prometheus would be a service that starts now and with the machine: only its programs are taken.
if [[ ! -x $tools/bin/prometheus || ! -x $tools/bin/promtool ]]; then
  echo "setup: unpacking prometheus"
  unpacked=$(mktemp -d)
  trap 'rm -rf "$unpacked"' EXIT
  apt-get -qq update
  (cd "$unpacked" && apt-get -qq -o APT::Sandbox::User=root download prometheus)
  dpkg-deb --extract "$unpacked"/prometheus_*.deb "$unpacked"
  install -D -t "$tools/bin" "$unpacked"/usr/bin/{prometheus,promtool}
fi
tool() { # tool NAME VERSION: builds it unless that version is there
  if ! grep -qs "\"$1 $2 " "$tools/.crates.toml"; then
    echo "setup: building $1 $2"
    cargo install --quiet --locked --root "$tools" "$1" --version "$2"
  fi
}
tool pjdfstest 0.2.2
tool fsx 0.3.2
