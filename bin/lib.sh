# What bin/test, bin/demo and .ci/run share: finding a PostgreSQL, installing
# what is missing, building, and private clusters. Sourced by bash, not run.
# shellcheck shell=bash

# shellcheck disable=SC2034  # used by those who source this
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

# Nothing of the caller's connection or locale may reach the tests.
unset PGHOST PGHOSTADDR PGPORT PGDATABASE PGUSER PGDATA PGOPTIONS PGSERVICE PGAPPNAME
export LC_ALL=C
umask 022

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

is_root() { [ "$EUID" = 0 ]; }

# as_root COMMAND…: as root, through sudo where needed.
as_root() { if is_root; then "$@"; else sudo "$@"; fi; }

# as_server COMMAND…: as the user who may run a server, which root may not.
as_server() {
    if is_root; then
        runuser -u postgres -- env -u TMPDIR "$@"
    else
        "$@"
    fi
}

# ---------------------------------------------------------------- PostgreSQL

# A server with its headers, to build for and to run.
is_server() {
    local pgxs bindir
    pgxs=$("$1" --pgxs 2>/dev/null) && bindir=$("$1" --bindir) &&
        [ -e "$pgxs" ] && [ -x "$bindir/initdb" ] &&
        [ -e "$("$1" --includedir-server)/postgres.h" ]
}

# Sets PG_CONFIG (the caller's choice, else the one in PATH, else Debian's
# newest) and puts that server's programs first in PATH.
choose_server() {
    local candidate bindir
    local -a candidates=(pg_config)
    if [ -n "${PG_CONFIG:-}" ]; then
        candidates=("$PG_CONFIG")
    else
        mapfile -t -O 1 candidates < <(printf '%s\n' /usr/lib/postgresql/*/bin/pg_config | sort -rV)
    fi
    for candidate in "${candidates[@]}"; do
        if is_server "$candidate"; then
            PG_CONFIG=$(command -v "$candidate")
            export PG_CONFIG
            bindir=$("$PG_CONFIG" --bindir)
            [[ :$PATH: == *:$bindir:* ]] || PATH=$bindir:$PATH
            return 0
        fi
    done
    return 1
}

# ------------------------------------------------------------------ packages

# need_packages [PACKAGE…]: what building needs, and these Debian packages
# beside it. Installs on Debian and Ubuntu; elsewhere says what is missing.
need_packages() {
    if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
        install_packages gcc libc6-dev make protobuf-c-compiler libprotobuf-c-dev liblz4-dev "$@"
        choose_server || install_server
    fi
    choose_server || true
    local missing
    missing=$(missing_tools)
    [ -z "$missing" ] || die "please install: $missing
(Fedora's names: gcc make postgresql-server postgresql-server-devel protobuf-c-compiler
protobuf-c-devel lz4-devel perl-Test-Harness perl-IPC-Run python3 gzip clang compiler-rt)"
}

# A line for each thing that building still lacks.
missing_tools() {
    local header
    local -a missing=()
    command -v gcc >/dev/null || missing+=("gcc")
    command -v make >/dev/null || missing+=("make")
    command -v protoc-c >/dev/null || missing+=("protoc-c, the protobuf-c compiler")
    for header in protobuf-c/protobuf-c.h lz4.h; do
        printf '#include <%s>\n' "$header" | gcc -E - >/dev/null 2>&1 || missing+=("the header $header")
    done
    is_server "${PG_CONFIG:-pg_config}" ||
        missing+=("a PostgreSQL server with its development files (PG_CONFIG=${PG_CONFIG:-pg_config} is none)")
    [ ${#missing[@]} = 0 ] || printf '\n  %s' "${missing[@]}"
}

is_installed() {
    dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed
}

# install_packages PACKAGE…: those that are not there yet. apt is left alone
# when none is missing. A package that this release does not have is passed
# over: missing_tools tells whether it mattered.
install_packages() {
    local package
    local -a missing=() known=()
    for package in "$@"; do
        is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    is_root || command -v sudo >/dev/null ||
        die "please install these packages (neither root nor sudo here): ${missing[*]}"

    update_packages
    for package in "${missing[@]}"; do
        ! apt-cache show "$package" >/dev/null 2>&1 || known+=("$package")
    done
    [ ${#known[@]} -gt 0 ] || return 0
    printf 'installing %s\n' "${known[*]}"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${known[@]}" \
        >/dev/null || die "apt-get could not install: ${known[*]}"
}

# apt-get update, once a run.
update_packages() {
    [ -z "${packages_updated:-}" ] || return 0
    as_root apt-get update -qq || die "apt-get update failed"
    packages_updated=yes
}

# A server and its headers: the version that PG_CONFIG names, else the newest
# that is installed without its headers, else the distribution's own.
install_server() {
    local version
    version=$(sed -nE 's|^/usr/lib/postgresql/([0-9]+)/.*|\1|p' <<<"${PG_CONFIG:-}")
    [ -z "${PG_CONFIG:-}" ] || [ -n "$version" ] || return 0
    if [ -z "$version" ]; then
        version=$(printf '%s\n' /usr/lib/postgresql/[0-9]*/ | sort -rV | sed -nE '1s|.*/([0-9]+)/$|\1|p')
    fi
    if [ -z "$version" ]; then
        update_packages
        version=$(apt-cache depends postgresql | sed -nE 's/.*Depends: postgresql-([0-9]+)$/\1/p' | head -n 1)
    fi
    install_packages "postgresql-$version" "postgresql-server-dev-$version"
}

# --------------------------------------------------------------------- build

# build_and_install [MAKE ARGUMENT…]: in the current folder. Objects of
# another server or of other arguments are thrown away first.
build_and_install() {
    local made
    local -a sudo=()
    made="$("$PG_CONFIG" --version), $PG_CONFIG $*"
    if [ "$(cat build/pg_config 2>/dev/null)" != "$made" ]; then
        make -s clean PG_CONFIG="$PG_CONFIG" >/dev/null
        mkdir -p build
        printf '%s\n' "$made" >build/pg_config
    fi
    make -s -j2 PG_CONFIG="$PG_CONFIG" "$@"

    if [ ! -w "$("$PG_CONFIG" --pkglibdir)" ] || [ ! -w "$("$PG_CONFIG" --sharedir)/extension" ]; then
        command -v sudo >/dev/null || die "installing into $("$PG_CONFIG" --pkglibdir) needs root, or sudo"
        sudo=(sudo)
    fi
    "${sudo[@]}" make -s install PG_CONFIG="$PG_CONFIG" "$@"
}

# ------------------------------------------------------------------ clusters

# start_cluster DIR [NAME=VALUE…]: a private PostgreSQL, made if it is not
# there, reached through a socket in DIR alone. The variables are for the
# server's environment. Root's servers run as user postgres, in a folder of
# that user's to which DIR becomes a symlink; likewise where DIR's name is too
# long for a socket. The folder is closed to other users, hence `trust`.
# Its data are disposable, hence no fsync.
start_cluster() {
    local dir=$1 home
    shift
    if [ ! -e "$dir/data" ]; then
        if is_root || [ ${#dir} -gt 80 ]; then
            home=$(mktemp -d /var/tmp/llmtrace-XXXXXX)
            ! is_root || chown postgres: "$home"
            ln -sfn "$home" "$dir"
        else
            mkdir -p "$dir"
            chmod 700 "$dir"
        fi
    fi
    home=$(cluster_home "$dir")
    (
        cd "$home" || exit
        if [ ! -e data ]; then
            as_server "$(server_program initdb)" -D data -U "$(id -un)" -E UTF8 --locale=C -A trust --no-sync >initdb.log ||
                die "initdb failed, see $home/initdb.log"
            cat >>data/postgresql.conf <<-CONF
				listen_addresses = ''
				port = 5432
				unix_socket_directories = '"$home"'
				fsync = off
				full_page_writes = off
				max_wal_size = 4GB
				shared_buffers = 256MB
			CONF
        fi
        local version
        version=$(cat data/PG_VERSION)
        [[ "$("$PG_CONFIG" --version)" == "PostgreSQL $version"[!0-9]* ]] ||
            die "$dir is of PostgreSQL $version, not of $("$PG_CONFIG" --version): stop and remove it first"
        as_server "$(server_program pg_ctl)" -D data status >/dev/null ||
            as_server timeout 120 env "$@" "$(server_program pg_ctl)" -D data -l log -s -w start </dev/null ||
            die "the server did not start, see $home/log"
    )
}

stop_cluster() {
    local home
    home=$(cluster_home "$1")
    [ ! -e "$home/data/postmaster.pid" ] ||
        (cd "$home" && as_server "$(server_program pg_ctl)" -D data -s -w -m fast stop)
}

remove_cluster() {
    local home
    home=$(cluster_home "$1")
    [ -n "$home" ] || return 0
    stop_cluster "$1" || true
    rm -rf "$home" "$1"
}

# The folder of a cluster, which is also its socket's.
cluster_home() { readlink -f "$1"; }

server_program() { printf '%s/%s' "$("$PG_CONFIG" --bindir)" "$1"; }

# use_cluster DIR: psql and its like go there from now on.
use_cluster() {
    PGHOST=$(cluster_home "$1")
    PGPORT=5432
    PGDATABASE=postgres
    export PGHOST PGPORT PGDATABASE
}

# fresh_database NAME: an empty one with the extension.
fresh_database() {
    PGOPTIONS='-c client_min_messages=warning' psql -Xqd postgres -v ON_ERROR_STOP=1 \
        -c "drop database if exists $1 with (force)" -c "create database $1"
    psql -Xqd "$1" -v ON_ERROR_STOP=1 -c 'create extension llmtrace'
}
