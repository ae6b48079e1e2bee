#!/bin/sh
# The folders show the architecture: an include points to the same layer or to one named before it.
# And each header compiles alone.
src=${srcdir:-.}
layers="base json booking money queue store kakaopay delivery flow"
may_use() {
	case $1 in
	base) ;;
	booking | json) echo "base" ;;
	money) echo "base json" ;;
	queue) echo "base booking" ;;
	store | kakaopay) echo "base money json" ;;
	delivery) echo "base money json store" ;;
	flow) echo "base booking money queue json store kakaopay delivery" ;;
	esac
}

n=0
bad=0
say() {	# say OK DESCRIPTION [WHY]
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; echo "$3" | sed 's/^/# /'; bad=1; fi
}

for layer in $layers; do
	allowed=$(may_use "$layer")
	wrong=$(grep -nE '^#include "' "$src/lib/$layer"/*.[ch] "$src/lib/$layer"/*/*.[ch] 2>/dev/null |
	    while IFS= read -r line; do
		to=$(printf '%s\n' "$line" | sed -n 's/.*#include "\([a-z]*\)\/.*/\1/p')
		[ -z "$to" ] && continue
		case " $layer $allowed " in *" $to "*) ;; *) printf '%s\n' "$line" ;; esac
	    done)
	[ -z "$wrong" ]; say $? "lib/$layer includes only itself and: ${allowed:-nothing}" "$wrong"
done

# The sides of lib/queue: what client and daemon share, what clients have, what the daemon has.
for side in wire client disk; do
	wrong=$(grep -nE '^#include "queue/' "$src/lib/queue/$side"/*.[ch] | grep -vE "\"queue/($side|wire)/")
	[ -z "$wrong" ]; say $? "lib/queue/$side includes of the queue only itself and wire" "$wrong"
done

only_in() {	# only_in PATTERN WHERE SENTENCE
	wrong=$(grep -rlE "$1" "$src/lib" "$src/fcgi" "$src/queued" "$src/courier" "$src/ctl" --include='*.[ch]' 2>/dev/null | grep -vE "$2")
	[ -z "$wrong" ]; say $? "$3" "$wrong"
}
only_in 'include <(mongoc|bson)' 'lib/store/mongo' 'libmongoc is seen by lib/store/mongo*.c alone'
only_in 'include <curl' 'lib/kakaopay/exchange\.c|courier/' 'libcurl is seen by lib/kakaopay/exchange.c and the courier alone'
only_in 'include <fcgi' 'fcgi/' 'libfcgi is seen by fcgi/ alone'
only_in 'include <uv' 'queued/|courier/' 'libuv is seen by the daemon and the courier alone'
only_in 'clock_gettime|[^a-z_]time\(NULL\)|gettimeofday' 'lib/base/clock\.c|queued/sandbox\.c' 'only clock.c asks the system for the time'

tmp=$(mktemp -d) || exit 99
wrong=""
for h in $(cd "$src" && find lib -name '*.h'); do
	echo "#include \"${h#lib/}\"" > "$tmp/h.c"
	# shellcheck disable=SC2086 # flags
	${CC:-cc} -std=gnu11 -D_GNU_SOURCE -fsyntax-only -iquote "$src/lib" -I. $LAYERS_CFLAGS "$tmp/h.c" 2> "$tmp/err" ||
	    wrong="$wrong$h: $(head -n 1 "$tmp/err")
"
done
rm -rf "$tmp"
[ -z "$wrong" ]; say $? "each header compiles alone" "$wrong"
echo "1..$n"
exit $bad
