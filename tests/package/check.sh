#!/bin/sh
# check.sh SOURCE BUILD: the Debian package from a release's tarball: built with dpkg-buildpackage, clean for lintian, installed into a clean Debian 12 tree, which then is started as a
# machine of its own (systemd-nspawn) for use.py: configured by the operations guide, used, removed, purged. Root; a network to the machine's own mirrors; some minutes.
set -eu
src=$1 build=$2
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

[ "$(id -u)" = 0 ] || { echo "check-package: this needs root (debootstrap, chroot)" >&2; exit 1; }
missing=
for p in debootstrap lintian dpkg-dev debhelper fakeroot systemd-container; do
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null || :)" = installed ] || missing="$missing $p"
done
# shellcheck disable=SC2086
[ -z "$missing" ] || { echo "installing:$missing"; apt-get -qq update && apt-get -qq -y --no-install-recommends install $missing > /dev/null; }

work=$(mktemp -d "${TMPDIR:-/tmp}/roompay-package-XXXXXX")
tree=$work/tree
cleanup() {
	umount "$tree/proc" 2> /dev/null || :
	umount "$tree/dev" 2> /dev/null || :
	[ -n "${ROOMPAY_KEEP:-}" ] || rm -rf --one-file-system "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

echo "== tarball and package"
(cd "$build" && make -s dist > "$work/dist.log" 2>&1) || { tail -n 20 "$work/dist.log" >&2; exit 1; }
version=$(sed -n 's/^AC_INIT(\[roompay\], \[\(.*\)\])$/\1/p' "$src/configure.ac")
tarball=$(ls "$build/roompay-$version".tar.?z)
mv "$tarball" "$work/roompay_$version.orig.${tarball##*/roompay-"$version".}"
tar -C "$work" -xaf "$work/roompay_$version".orig.*
cp -R "$src/debian" "$work/roompay-$version/"
(cd "$work/roompay-$version" && DEB_BUILD_OPTIONS="parallel=$(nproc)" dpkg-buildpackage -us -uc > "$work/build.log" 2>&1) || { tail -n 40 "$work/build.log" >&2; echo "dpkg-buildpackage failed" >&2; exit 1; }
printf '%s\n' "$work"/*.deb "$work"/*.dsc | sed "s|$work/|   |"

echo "== lintian"
lintian --fail-on error,warning --allow-root "$work"/roompay_*.changes

echo "== a clean tree"
# shellcheck disable=SC2016 # apt-get fills the names in
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' | awk '$2 ~ /^(bookworm|stable)$/ { print $1; exit }')
debootstrap --variant=minbase --include=systemd-sysv bookworm "$tree" "$mirror" > "$work/debootstrap.log" 2>&1 || { tail -n 20 "$work/debootstrap.log" >&2; exit 1; }
cp -R /etc/apt/sources.list* /etc/apt/apt.conf.d "$tree/etc/apt/" 2> /dev/null || :
cp /etc/resolv.conf /etc/hosts "$tree/etc/" 2> /dev/null || :
rm -f "$tree"/etc/apt/apt.conf.d/20packagekit "$tree"/etc/apt/apt.conf.d/50appstream "$tree"/etc/apt/apt.conf.d/70debconf
mount -t proc proc "$tree/proc"
mount --bind /dev "$tree/dev"
printf '#!/bin/sh\nexit 101\n' > "$tree/usr/sbin/policy-rc.d"
chmod 755 "$tree/usr/sbin/policy-rc.d"

echo "== install"
mkdir "$tree/packages"
cp "$work"/roompay_*.deb "$work"/kakaopay-sim_*.deb "$tree/packages/"
chroot "$tree" sh -c 'apt-get -qq update && apt-get -qq -y --no-install-recommends install ./packages/*.deb apache2 lighttpd' > "$work/apt.log" 2>&1 || { tail -n 30 "$work/apt.log" >&2; exit 1; }
# What the machine starts by itself when it comes up: no web server on a port of ours, no timer that takes dpkg's lock.
chroot "$tree" systemctl -q disable apache2 lighttpd
chroot "$tree" systemctl -q mask apt-daily.timer apt-daily-upgrade.timer
rm "$tree/usr/sbin/policy-rc.d"
umount "$tree/dev" "$tree/proc"

echo "== a machine: configure, use, upgrade, remove, purge"
ROOMPAY_BUILD=$build "$src/dev/build" python store
python=$build/venv/bin/python
PYTHONPATH=$src/tests/system "$python" -B "$src/tests/package/use.py" "$tree" "$build"
echo "package: built, lintian-clean, installed, started by systemd, used behind Apache and lighttpd, removed"
