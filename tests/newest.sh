#!/bin/sh
# The tests on Debian 13 (Python 3.13) with the newest packages that pip resolves, and the
# wheel. Needs root, debootstrap and git. What is committed or changed here is tested.
#
# The system is made once, in $NEWEST (default: below /tmp); pip's environment (PIP_*, the
# certificates, proxies, /etc/pip.conf) is the caller's. PYTEST_ADDOPTS adds to pytest's
# options: '-m "not slow"' say.
set -eu
cd "$(dirname "$0")/.."
system=${NEWEST:-/tmp/pattern-selection-newest}

fail() {
    echo "test-newest: $*" >&2
    exit 2
}
[ "$(id -u)" = 0 ] || fail "run it as root; it works in a chroot."
command -v debootstrap >/dev/null || fail "install debootstrap first."

if [ "${1:-}" != "--inside-of-mounts" ]; then
    if [ ! -e "$system/.complete" ]; then
        rm -rf "$system"
        mkdir -p "$system"
        debootstrap --variant=minbase \
            --include=python3,python3-venv,make,git,ca-certificates trixie "$system"
        touch "$system/.complete"
    fi
    exec 9>"$system.lock"
    flock -n 9 || fail "another run uses $system; wait, or give another NEWEST."
    # Mounts of its own, which end with it, however it ends.
    exec unshare --mount "$0" --inside-of-mounts
fi

mount --rbind /proc "$system/proc"
mount --rbind /dev "$system/dev"
# Names, certificates and pip's settings.
for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/ssl/certs/ca-certificates.crt \
    "${PIP_CERT:-}" "${SSL_CERT_FILE:-}" "${REQUESTS_CA_BUNDLE:-}"; do
    if [ -f "$file" ]; then
        mkdir -p "$system$(dirname "$file")"
        rm -f "$system$file"
        cp -L "$file" "$system$file"
    fi
done
# Folders and settings of this system mean nothing there.
unset PIP_FIND_LINKS PIP_CONSTRAINT PIP_CONFIG_FILE PIP_CACHE_DIR PYTHONPATH
unset PYTHONDONTWRITEBYTECODE PYTHONHOME VIRTUAL_ENV TMPDIR
unset XDG_CACHE_HOME XDG_CONFIG_HOME JAX_COMPILATION_CACHE_DIR

# As it is here: what is committed, and changes of it.
rm -rf "$system/work"
git -c safe.directory="$PWD" clone --quiet --no-hardlinks . "$system/work"
git -c safe.directory="$PWD" diff --binary HEAD | git -C "$system/work" apply --allow-empty --index

cat >"$system/work.sh" <<'INSIDE'
set -eu
cd /work
rm -rf /venv
python3 -m venv /venv
/venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[test,bench]'
/venv/bin/python -m pip check
/venv/bin/python -m pip list --disable-pip-version-check
# A slow machine is no failure.
/venv/bin/python -m pytest --timeout 3000
sh tests/wheel.sh python3
INSIDE
status=0
env HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 LC_ALL=C.UTF-8 \
    chroot "$system" sh /work.sh || status=$?
versions=$(chroot "$system" /venv/bin/python -c '
from importlib.metadata import version
from platform import python_version
names = ("jax", "jaxlib", "numpy", "scipy", "matplotlib", "xarray", "zarr")
print(f"Python {python_version()}", *(f"{name} {version(name)}" for name in names), sep=", ")
' || echo "no environment")
if [ "$status" = 0 ]; then
    echo "test-newest: PASSED with $versions"
else
    echo "test-newest: FAILED ($status) with $versions" >&2
fi
exit "$status"
