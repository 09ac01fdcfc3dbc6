# Sourced by the scripts beside it: virtual environments with this project and one extra in them.
# POSIX sh. Needs Python 3.11 or later with its venv module, and a package index that pip reaches.

# Else every process, of hundreds, compiles all that it imports again.
unset PYTHONDONTWRITEBYTECODE

die() {
    printf '%s\n' "$@" >&2
    exit 2
}

# find_python NAME...: the first of these, or of `python3` and `python`, that is recent enough.
find_python() {
    for candidate in ${PYTHON:-} "$@" python3 python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    die "There is no Python 3.11 or later on PATH." \
        "Install one (macOS: brew install python; Debian: apt install python3 python3-venv)," \
        "or name it: PYTHON=/path/to/python $0"
}

# make_venv NAME...: an empty one in $venv, with the first of these Pythons that is there.
make_venv() {
    python=$(find_python "$@") || exit $?
    "$python" -c 'import ensurepip, venv' 2>/dev/null || die \
        "$python has no venv module." \
        "Install it (Debian, Ubuntu: apt install python3-venv) and start again."
    printf 'Making a virtual environment with %s in %s\n' "$("$python" --version)" "$venv" >&2
    "$python" -m venv --clear "$venv"
}

# fits WORDS: whether $venv is there and was made for these.
fits() {
    [ "$(cat "$venv/installed" 2>/dev/null)" = "$1" ] && "$venv/bin/python" -c '' 2>/dev/null
}

# install ARGUMENTS: with pip, into $venv.
install() {
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@" || die \
        "The packages could not be installed: pip's words are above." \
        "Check that pip reaches a package index (pip config list) and start again."
}

# install_project EXTRA: this checkout itself, for which all that it needs is there already.
install_project() {
    install --no-deps --no-build-isolation --editable "$root[$1]"
    "$venv/bin/python" -m pip check --disable-pip-version-check >&2 || die \
        "What is installed is not what pyproject.toml asks for." \
        "After a change of it the lock is made again: scripts/lock"
}

# use_venv FOLDER EXTRA: sets $venv, with exactly what the lock names, each file held against its
# hash. It is made anew when the lock or pyproject.toml has changed since.
use_venv() {
    venv=$1
    lock=$root/requirements-$2.txt
    wanted="$2 $(cat "$lock" "$root/pyproject.toml" | cksum) $root"
    if fits "$wanted"; then
        return
    fi
    make_venv python3.13 python3.12 python3.11 python3.14
    printf 'Installing langsmith-audit[%s] into it, by %s: some minutes the first time\n' \
        "$2" "$lock" >&2
    install --require-hashes --requirement "$lock"
    install_project "$2"
    printf '%s\n' "$wanted" >"$venv/installed"
}

# use_newest FOLDER: sets $venv, each time with the newest of everything that pyproject.toml allows.
use_newest() {
    venv=$1
    make_venv python3.14 python3.13 python3.12 python3.11
    printf 'Installing the newest of everything into it\n' >&2
    install --editable "$root[dev]"
}

# use_oldest FOLDER: sets $venv, with the oldest versions that pyproject.toml allows, as uv finds
# them on PyPI (or the index that UV_DEFAULT_INDEX names).
use_oldest() {
    venv=$1
    wanted="oldest $(cksum <"$root/pyproject.toml") $root"
    if fits "$wanted"; then
        return
    fi
    use_uv
    venv=$1
    make_venv python3.11 python3.12 python3.13 python3.14
    printf 'Installing the oldest versions that pyproject.toml allows into it\n' >&2
    (cd "$root" && "$uv" pip install --quiet --python "$venv/bin/python" --resolution lowest-direct \
        --requirement pyproject.toml --extra dev --group build) || die \
        "The packages could not be installed: uv's words are above."
    install_project dev
    printf '%s\n' "$wanted" >"$venv/installed"
}

# use_uv: sets $uv, the resolver that writes the lock and finds the oldest versions.
use_uv() {
    venv=$root/.venv-uv
    uv=$venv/bin/uv
    if ! fits uv; then
        make_venv python3.13 python3.12 python3.11 python3.14
        install 'uv>=0.9,<1'
        printf 'uv\n' >"$venv/installed"
    fi
}
