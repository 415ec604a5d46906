# Sourced by ./run, ./test and .ci/run, with the current folder at the root of the project.
# `bootstrap FILE` leaves a `.venv` that holds what FILE names; `$VENV_PYTHON` is its Python.
# Every failure is one sentence on stderr that says how to mend it, and exit code 1.

VENV_PYTHON=.venv/bin/python

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

refuse_windows() {
    case "$(uname -s)" in
    MINGW* | MSYS* | CYGWIN*)
        fail "Windows itself cannot run the embedded servers: install WSL with 'wsl --install' and start this again in its terminal."
        ;;
    esac
}

runs() { # whether the Python named $1 can run the code $2
    "$1" -c "$2" >/dev/null 2>&1
}

find_python() { # sets $PYTHON_FOUND to a Python 3.11 or later that can make a virtual environment
    old='' bare='' PYTHON_FOUND=''
    for candidate in ${PYTHON:+"$PYTHON"} python3.13 python3.12 python3.11 python3 python; do
        if ! runs "$candidate" ''; then
            continue
        elif ! runs "$candidate" 'import sys; sys.exit(sys.version_info < (3, 11))'; then
            old=${old:-$candidate}
        elif ! runs "$candidate" 'import ensurepip, fcntl, venv'; then
            bare=${bare:-$candidate}
        else
            PYTHON_FOUND=$candidate
            return
        fi
    done
    if [ -n "$bare" ]; then
        named=$("$bare" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
        fail "$bare has no venv module: install it (on Debian and Ubuntu: sudo apt install $named-venv) and start this again."
    elif [ -n "$old" ]; then
        found=$("$old" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        fail "Python 3.11 or later is needed and only $found was found ($old): install a newer one, or name it, like PYTHON=/path/to/python3.11 $0"
    fi
    fail "Python 3.11 or later is needed and none was found: install it, or name it, like PYTHON=/path/to/python3.11 $0"
}

bootstrap() {
    refuse_windows
    if runs "$VENV_PYTHON" 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        PYTHON_FOUND=$VENV_PYTHON
    else
        find_python
    fi
    "$PYTHON_FOUND" -I advancia/ops/dev/install.py "$@" || exit 1
}
