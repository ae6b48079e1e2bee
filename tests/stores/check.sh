#!/bin/sh
# check.sh SOURCE BUILD: the store's conformance suite, the kill points and a short crowd against each database engine: FerretDB 1.24 over SQLite, FerretDB 2.7 over
# PostgreSQL 18 in a tree of Debian sid made for it, the mongod of development, and the server at MONGODB_URI if there is one. Root, debootstrap, a network to the machine's
# own mirrors and Go's module proxy. doc/stores.md has the table of what differs.
set -eu
src=$1 build=$2
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive DO_NOT_TRACK=1
kills="tests/system/test_crash.py tests/system/test_ends.py"
crowd="tests/system/test_crowd.py tests/system/test_history.py"

their_uri=${MONGODB_URI:-}
unset MONGODB_URI ROOMPAY_STORE
work=$(mktemp -d "${TMPDIR:-/tmp}/roompay-stores-XXXXXX")
tree=$work/sid
pids=
cleanup() {
	for p in $pids; do
		if kill "$p" 2> /dev/null; then wait "$p" || :; fi
	done
	if [ -x "$tree/usr/lib/postgresql/18/bin/pg_ctl" ]; then
		chroot "$tree" su postgres -c '/usr/lib/postgresql/18/bin/pg_ctl -D /data -m fast -w stop' > /dev/null 2>&1 || :
	fi
	umount "$tree/proc" 2> /dev/null || :
	umount "$tree/dev" 2> /dev/null || :
	[ -n "${ROOMPAY_KEEP:-}" ] || rm -rf --one-file-system "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

free_port() { python3 "$src/tests/system/ports.py"; }
wait_port() {	# wait_port PORT SECONDS
	python3 -c 'import socket, sys, time
for _ in range(int(sys.argv[2]) * 10):
    try: socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1); sys.exit(0)
    except OSError: time.sleep(0.1)
sys.exit("nobody listens at " + sys.argv[1])' "$1" "$2"
}

failed=
suite() {	# suite NAME URI [VARIABLE=VALUE]: how the system tests get their store; without: it is at URI
	echo "== $1"
	if CMOCKA_MESSAGE_OUTPUT=TAP ROOMPAY_TEST_STORE_URI=$2 "$build/tests/conform/test_store_server" > "$work/conform.log" 2>&1; then
		echo "   conformance: $(grep -c '^ok' "$work/conform.log") passed"
	else
		grep -A6 '^not ok' "$work/conform.log" >&2 || tail -n 20 "$work/conform.log" >&2
		failed="$failed $1:conformance"
	fi
	for part in "$kills" "$crowd"; do
		# shellcheck disable=SC2086
		(cd "$src" && env "${3:-MONGODB_URI=$2}" ROOMPAY_BUILD="$build" "$build/venv/bin/python" -B -m pytest -p no:cacheprovider -q $part > "$work/pytest.log" 2>&1) || {
			grep -E '^(FAILED|ERROR|E  )' "$work/pytest.log" | head -n 20 >&2
			failed="$failed $1:${part%% *}"
		}
		echo "   $part: $(tail -n 1 "$work/pytest.log")"
	done
}

start() {	# start ENGINE: $uri is where it listens, as development starts it
	mkdir "$work/$1"
	ROOMPAY_STORE=$1 "$src/dev/install" test
	ROOMPAY_STORE=$1 ROOMPAY_BUILD=$build "$src/dev/build" venv store
	ROOMPAY_STORE=$1 "$build/venv/bin/python" -B "$src/tests/system/store_server.py" "$build" "$work/$1" > "$work/$1/uri" 2> "$work/$1/log" &
	pids="$pids $!"
	while ! [ -s "$work/$1/uri" ]; do
		kill -0 "$!" 2> /dev/null || { cat "$work/$1/log" >&2; exit 1; }
		sleep 0.1
	done
	uri=$(cat "$work/$1/uri")
}

over_sqlite() {
	start ferretdb
	suite "FerretDB 1.24.0, SQLite" "$uri" ROOMPAY_STORE=ferretdb
}

over_postgresql() {
	[ "$(id -u)" = 0 ] || { echo "check-stores: FerretDB 2 needs root (debootstrap, chroot)" >&2; exit 1; }
	command -v debootstrap > /dev/null || { apt-get -qq update && apt-get -qq -y --no-install-recommends install debootstrap > /dev/null; }
	echo "== a tree of Debian sid with PostgreSQL 18, DocumentDB and FerretDB 2.7"
	# shellcheck disable=SC2016 # apt-get fills the names in
	mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' | awk '$2 ~ /^(bookworm|stable)$/ { print $1; exit }')
	debootstrap --variant=minbase sid "$tree" "$mirror" > "$work/debootstrap.log" 2>&1 || { tail -n 20 "$work/debootstrap.log" >&2; exit 1; }
	for f in /etc/apt/apt.conf.d/99*; do [ -e "$f" ] && cp "$f" "$tree/etc/apt/apt.conf.d/"; done
	cp /etc/resolv.conf /etc/hosts "$tree/etc/" 2> /dev/null || :
	mount -t proc proc "$tree/proc"
	mount --bind /dev "$tree/dev"
	printf '#!/bin/sh\nexit 101\n' > "$tree/usr/sbin/policy-rc.d"
	chmod 755 "$tree/usr/sbin/policy-rc.d"
	chroot "$tree" sh -c 'apt-get -qq update && apt-get -qq -y --no-install-recommends install postgresql-18 postgresql-18-documentdb postgresql-18-cron golang-go ca-certificates' \
	    > "$work/apt.log" 2>&1 || { tail -n 20 "$work/apt.log" >&2; exit 1; }
	[ -d /usr/local/share/ca-certificates ] && cp -R /usr/local/share/ca-certificates/. "$tree/usr/local/share/ca-certificates/" && chroot "$tree" update-ca-certificates > /dev/null 2>&1
	# shellcheck disable=SC2086
	chroot "$tree" env HOME=/root GOBIN=/usr/local/bin GOTOOLCHAIN=local GOFLAGS=-mod=mod ${GOPROXY:+GOPROXY=$GOPROXY} ${GOSUMDB:+GOSUMDB=$GOSUMDB} \
	    ${GONOSUMDB:+GONOSUMDB=$GONOSUMDB} go install github.com/FerretDB/FerretDB/v2/cmd/ferretdb@v2.7.0 > "$work/go.log" 2>&1 || {
		tail -n 20 "$work/go.log" >&2
		exit 1
	}
	pg_port=$(free_port)
	chroot "$tree" install -d -o postgres -m 0700 /data
	chroot "$tree" su postgres -c '/usr/lib/postgresql/18/bin/initdb -D /data -A trust > /dev/null'
	cat >> "$tree/data/postgresql.conf" <<-END
		port = $pg_port
		listen_addresses = '127.0.0.1'
		unix_socket_directories = '/tmp'
		shared_preload_libraries = 'pg_cron,pg_documentdb_core,pg_documentdb'
		cron.database_name = 'postgres'
	END
	chroot "$tree" su postgres -c '/usr/lib/postgresql/18/bin/pg_ctl -D /data -l /data/log -w start > /dev/null'
	chroot "$tree" su postgres -c "psql -q -h 127.0.0.1 -p $pg_port -c 'CREATE EXTENSION documentdb CASCADE' > /dev/null 2>&1"
	port=$(free_port)
	mkdir "$work/state"
	"$tree/usr/local/bin/ferretdb" --postgresql-url="postgres://postgres@127.0.0.1:$pg_port/postgres" --no-auth --listen-addr="127.0.0.1:$port" --debug-addr=- \
	    --state-dir="$work/state" > "$work/ferretdb.log" 2>&1 &
	pids="$pids $!"
	wait_port "$port" 30
	suite "FerretDB 2.7.0, PostgreSQL 18" "mongodb://127.0.0.1:$port/"
}

mongod_of_development() {
	start mongod
	suite "MongoDB, a replica set of one member" "$uri" ROOMPAY_STORE=mongod
}

engine=$("$src/dev/engine")
over_sqlite
over_postgresql
[ -z "$their_uri" ] || suite "the server at MONGODB_URI" "$their_uri"
if [ "$engine" = ferretdb ]; then echo "== no mongod for this machine: not shown on MongoDB itself"; else mongod_of_development; fi
[ -z "$failed" ] || { echo "failed:$failed" >&2; exit 1; }
echo "stores: all passed"
