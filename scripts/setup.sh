# shellcheck shell=bash
# Makes .venv in the checkout and fills it with the versions of constraints.txt.
#
# Sourced by scripts/serve and scripts/test. Knows Python, pip and where torch's CPU build comes
# from; does not know what runs afterwards. Everything it says goes to stderr, so that stdout
# belongs to the program. Runs in bash 3.2, which macOS still brings. Python is run with -I, since
# the folder of whoever calls may hold modules of its own.
#
# Read from the environment:
#   PYTHON          the Python a new .venv is made with; without it the first that fits is taken
#   MT_TORCH_INDEX  the package index to ask for a torch build, GPU or not; empty asks none

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." >/dev/null && pwd -P)
venv=$root/.venv
venv_python=$venv/bin/python

# set_up runtime|dev: afterwards $venv_python has the project and what it needs.
set_up() {
    if is_installed "$1"; then return; fi
    choose_python
    take_lock
    if ! is_installed "$1"; then # another set-up may have finished while this one waited
        make_venv
        install "$1"
    fi
    exec 9>&- # lets the lock go
}

is_installed() {
    [ -x "$venv_python" ] && [ -f "$venv/installed-$1" ] &&
        [ "$(cat "$venv/installed-$1")" = "$(fingerprint)" ]
}

# What an install depends on; a change of any of it makes the next start install again. The path
# is part of it because an editable install remembers where the checkout was.
fingerprint() {
    "$venv_python" -I -S -c '
import hashlib, pathlib, sys
root = pathlib.Path(sys.argv[1])
seen = hashlib.sha256(f"{sys.version} {root} ".encode())
for name in ("pyproject.toml", "constraints.txt"):
    seen.update((root / name).read_bytes())
print(seen.hexdigest())
' "$root"
}

# Sets $python: that of a working .venv, or one from outside that can make a .venv.
choose_python() {
    if venv_works; then
        python=$venv_python
        return
    fi
    if [ -n "${PYTHON:-}" ]; then
        set -- "$PYTHON" # named by the user, so no other is taken in its place
    else
        set -- python3 python3.13 python3.12 python3.11
    fi
    local candidate reason tried=
    for candidate in "$@"; do
        # Asked by running it: version managers put commands on PATH that only print an error.
        if reason=$("$candidate" -I -c '
import sys
if sys.version_info < (3, 11):
    sys.exit("is Python %d.%d" % sys.version_info[:2])
import ensurepip, venv
' 2>&1 </dev/null); then
            python=$candidate
            return
        fi
        tried="$tried
    $candidate: ${reason##*$'\n'}"
    done
    fail "needs Python 3.11 or newer with its venv module. Tried:$tried
Install one (Debian, Ubuntu: apt install python3 python3-venv) or name one: PYTHON=/path/to/python3"
}

venv_works() {
    [ -x "$venv_python" ] && "$venv_python" -I -m pip --version >/dev/null 2>&1
}

# Two set-ups at once would write over each other. The lock belongs to descriptor 9 and so to
# this shell and pip: the system frees it however they end. Python takes it because flock(1) is
# not everywhere.
take_lock() {
    exec 9>>"$root/.venv.lock"
    if ! "$python" -I -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)' 2>/dev/null; then
        say "another set-up is at work in $venv; waiting for it"
        "$python" -I -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
    fi
}

make_venv() {
    if venv_works; then return; fi
    say "making $venv"
    "$python" -I -m venv --clear "$venv" >&2 </dev/null ||
        fail "$python could not make $venv"
    python=$venv_python
}

install() {
    local project=$root
    if [ "$1" = dev ]; then project="${root}[dev]"; fi
    # Editable: what runs is the checkout itself, so an edited source file counts at once.
    set -- "$1" --editable "$project" --constraint "$root/constraints.txt" --no-input
    choose_torch_index
    if [ -n "$torch_index" ]; then set -- "$@" --extra-index-url "$torch_index"; fi

    rm -f "$venv"/installed-* # an interrupted install must not pass for the old one
    say "installing into $venv (the first time takes minutes)"
    "$venv_python" -I -m pip install "${@:2}" >&2 </dev/null ||
        fail "pip could not install the project. If it found no build of a package for this Python,
remove $venv and name another: PYTHON=python3.11 $0"
    write_stamp runtime
    if [ "$1" = dev ]; then write_stamp dev; fi
}

# Sets $torch_index, empty where pip's own index serves: the torch build found there for Linux
# brings several gigabytes of CUDA that a machine without a GPU cannot use.
choose_torch_index() {
    torch_index=
    if [ -z "${MT_TORCH_INDEX+set}" ]; then
        if [ "$(uname -s)" != Linux ]; then return; fi
        if nvidia-smi -L >/dev/null 2>&1; then
            say "this machine has an NVIDIA GPU: torch comes with CUDA"
            return
        fi
    fi
    local index=${MT_TORCH_INDEX-https://download.pytorch.org/whl/cpu}
    if [ -z "$index" ]; then return; fi
    if index_answers "$index"; then
        torch_index=$index
    else
        say "$index does not answer: pip takes torch from where it is set up to look," \
            "which may be the large build (several GB)"
    fi
}

# Asked first because pip would retry a dead index for every package. The alarm's default action
# ends Python even inside a name look-up, which the socket's time limit does not cover.
index_answers() {
    { "$python" -I -c '
import signal, sys, urllib.request
signal.alarm(4)
urllib.request.urlopen(sys.argv[1], timeout=4)
' "${1%/}/torch/" </dev/null; } >/dev/null 2>&1
}

write_stamp() {
    fingerprint >"$venv/stamp.new"
    mv -f "$venv/stamp.new" "$venv/installed-$1"
}

say() { printf 'setup: %s\n' "$*" >&2; }

fail() {
    say "$@"
    exit 1
}
