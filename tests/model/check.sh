#!/bin/sh
# Walks through all states of the shared log's model with Spin: check.sh [small|full]. Speaks TAP.
# small: some seconds, for dev/test. full: a few minutes. With all guards in place nothing may be
# found; with any one of them taken out Spin must find a violation.
set -u
model=$(cd "$(dirname "$0")" && pwd)/shared_log.pml
size=${1:-small}
case $size in small | full) ;; *) echo "usage: $0 [small|full]" >&2; exit 64 ;; esac
command -v spin > /dev/null || { echo "1..0 # SKIP spin is not installed"; exit 0; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
n=0
bad=0

say() {	# say OK DESCRIPTION
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi
}

walk() {	# walk FLAGS...: all states; what Spin said is in ./found
	rm -f pan pan.* ./*.trail
	# shellcheck disable=SC2086
	spin -a "$@" "$model" > found 2>&1 &&
	    ${CC:-cc} -w -O1 -DSAFETY -DCOLLAPSE -DMEMLIM=12000 -o pan pan.c >> found 2>&1 &&
	    timeout 1200 ./pan -m3000000 -w24 >> found 2>&1
}

none() {	# none DESCRIPTION FLAGS...
	what=$1
	shift
	walk "$@"
	grep -q 'errors: 0' found && ! grep -q 'Search not completed\|max search depth' found
	say $? "$what: no violation in $(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' found) states"
	[ $bad = 0 ] || tail -n 20 found | sed 's/^/# /'
}

found() {	# found GUARD FLAGS...
	guard=$1
	shift
	walk "-DNO_$guard" "$@"
	grep -q 'assertion violated' found
	say $? "without $guard: $(sed -n 's/^pan:1: \(assertion violated\).*/\1/p' found)"
}

none "two daemons, a lost primary, an hour that goes by" -DLAST=2 -DCRASHES=0
none "two daemons, a lost primary, an older database put back" -DLAST=2 -DRESTORES=1 -DHOURS=0
if [ "$size" = full ]; then
	none "two daemons, a crash, a lost primary, an hour that goes by" -DLAST=2
	none "two daemons, three numbers, a lost primary, an hour" -DLAST=3 -DCRASHES=0
	none "three daemons, one append each" -DDAEMONS=3 -DSEQ=1 -DLAST=2 -DCRASHES=0 -DFAILOVERS=0 -DHOURS=0
fi
for guard in MAJORITY_READ DECIDE_AGAIN INDEPENDENT NONCE HOUR CLUSTER_TIME FLOOR_AT_END BARRIER; do
	found $guard -DLAST=2 -DCRASHES=0
done
for guard in VERIFY DISK; do
	found $guard -DLAST=2 -DRESTORES=1 -DHOURS=0
done
echo "1..$n"
exit $bad
