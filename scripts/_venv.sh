# Sourced by the scripts beside it: a virtual environment with this project and one extra in it.
# POSIX sh. Needs Python 3.11 or later with its venv module, and a package index that pip reaches.

die() {
    printf '%s\n' "$@" >&2
    exit 2
}

find_python() {
    for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3.14 python3 python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    die "There is no Python 3.11 or later on PATH." \
        "Install one (macOS: brew install python; Debian: apt install python3 python3-venv)," \
        "or name it: PYTHON=/path/to/python $0"
}

# use_venv FOLDER EXTRA: sets $venv; installs only when pyproject.toml has changed since.
use_venv() {
    venv=$1
    wanted="$2 $(cksum <"$root/pyproject.toml") $root"
    if [ "$(cat "$venv/installed" 2>/dev/null)" = "$wanted" ] && "$venv/bin/python" -c '' 2>/dev/null; then
        return
    fi
    if ! "$venv/bin/python" -c '' 2>/dev/null; then
        python=$(find_python) || exit $?
        "$python" -c 'import ensurepip, venv' 2>/dev/null || die \
            "$python has no venv module." \
            "Install it (Debian, Ubuntu: apt install python3-venv) and start again."
        printf 'Making a virtual environment with %s in %s\n' "$("$python" --version)" "$venv" >&2
        "$python" -m venv --clear "$venv"
    fi
    printf 'Installing langsmith-audit[%s] into it\n' "$2" >&2
    rm -f "$venv/installed"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable "$root[$2]" ||
        die "The packages could not be installed: pip's words are above." \
            "Check that pip reaches a package index (pip config list) and start again."
    printf '%s\n' "$wanted" >"$venv/installed"
}
