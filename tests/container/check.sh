#!/bin/sh
# check.sh SOURCE BUILD: Containerfile and compose.yaml, as far as podman can try them without a registry: every image is built, every service of compose.yaml is started with the
# options that stand there, and run.py buys, kills, stops and looks. Root; podman of Debian 12; a network to the machine's own mirrors; ten minutes the first time.
#
# Not from a registry, unless ROOMPAY_PULL=1: Debian's image is made by debootstrap, and MongoDB's is a stand-in with the mongod of dev/build. Ports are not published.
set -eu
src=$1 build=$2
[ "$(id -u)" = 0 ] || { echo "check-container: this needs root" >&2; exit 1; }
missing=
for p in debootstrap podman buildah runc conmon; do
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null || :)" = installed ] || missing="$missing $p"
done
# shellcheck disable=SC2086
[ -z "$missing" ] || { echo "installing:$missing"; apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $missing > /dev/null; }

work=$(mktemp -d "${TMPDIR:-/tmp}/roompay-container-XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 1' INT TERM
# A machine may have little to give: no systemd, old control groups, limits that root cannot raise.
cat > "$work/containers.conf" <<EOF
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
runtime = "runc"
$([ -d /run/systemd/system ] || echo 'cgroup_manager = "cgroupfs"')
EOF
export CONTAINERS_CONF="$work/containers.conf"
quiet() {
	"$@" > "$work/log" 2>&1 || { tail -n 40 "$work/log" >&2; echo "failed: $*" >&2; exit 1; }
}

debian=docker.io/library/debian:bookworm-slim mongo=docker.io/library/mongo:7.0
pull() { [ "${ROOMPAY_PULL:-}" = 1 ] && podman pull -q "$1"; }
if ! podman image exists $debian && ! pull $debian; then
	echo "== debootstrap, in place of $debian"
	# shellcheck disable=SC2016 # apt-get fills the names in
	mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' | awk '$2 ~ /^(bookworm|stable)$/ { print $1; exit }')
	quiet debootstrap --variant=minbase bookworm "$work/tree" "$mirror"
	tar -C "$work/tree" -cf "$work/tree.tar" .
	quiet podman import "$work/tree.tar" $debian
	rm -rf --one-file-system "$work/tree" "$work/tree.tar"
fi
# This machine's own certificates: a mirror may stand behind them. None of it gets into an image.
ca=/etc/ssl/certs/ca-certificates.crt
echo "cafile=$ca" > "$work/npmrc"
for target in roompay sim web site; do
	name=localhost/roompay-$target
	[ $target = roompay ] && name=localhost/roompay
	echo "== image $name"
	quiet podman build --network host --isolation chroot -v $ca:$ca:ro -v "$work/npmrc:/root/.npmrc:ro" --target $target -t $name "$src"
done
if ! podman image exists $mongo && ! pull $mongo; then
	echo "== a stand-in for $mongo"
	mkdir "$work/mongo"
	cp "$build/mongod" "$work/mongo/"
	cat > "$work/mongo/Containerfile" <<EOF
FROM $debian
RUN apt-get update && apt-get install -y --no-install-recommends libcurl4 libssl3 && useradd --uid 999 -M mongodb && install -d -o 999 -g 999 /data/db
COPY --chmod=0755 mongod /usr/bin/
EOF
	quiet podman build --network host --isolation chroot -t $mongo "$work/mongo"
fi
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$src/tests/system" "$build/venv/bin/python" "$src/tests/container/run.py" "$src/compose.yaml"
