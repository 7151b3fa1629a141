#!/bin/sh
# From a bare machine to `just demo` or `just test`: ./bootstrap.sh demo|test
# Installs what is missing and nothing else: a C compiler with linker (system packages), Rust (rustup), just (cargo).
set -eu

recipe=${1:-}
case $recipe in
demo | test) shift ;;
*)
    echo "usage: ./bootstrap.sh demo|test" >&2
    exit 2
    ;;
esac
cd "$(dirname "$0")"

have() { command -v "$1" >/dev/null 2>&1; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif have sudo; then
        sudo "$@"
    else
        echo "bootstrap: needs root or sudo for: $*" >&2
        exit 4
    fi
}

install_packages() {
    echo "bootstrap: installing $* with the system's package manager"
    if have apt-get; then
        as_root apt-get update -qq
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
    elif have dnf; then
        as_root dnf install -y "$@"
    elif have pacman; then
        as_root pacman -Sy --noconfirm "$@"
    elif have apk; then
        as_root apk add "$@"
    else
        echo "bootstrap: no known package manager; install $* and run this again" >&2
        exit 4
    fi
}

have cc || install_packages gcc "$(have apk && echo musl-dev || have apt-get && echo libc6-dev || echo gcc)"

PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
export PATH
if ! have cargo; then
    have curl || install_packages curl ca-certificates
    echo "bootstrap: installing Rust with rustup from https://sh.rustup.rs (into ${CARGO_HOME:-$HOME/.cargo})"
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal --default-toolchain none
fi
if ! have just; then
    echo "bootstrap: installing just with cargo"
    cargo install just --locked --quiet
fi

exec just "$recipe" "$@"
