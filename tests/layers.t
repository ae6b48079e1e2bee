#!/bin/sh
# The folders show the architecture. An include points to the same layer or to one named before it, a program uses only the
# layers that it needs and no other program, no two files need each other, and each header compiles alone.
src=${srcdir:-.}
LC_ALL=C
export LC_ALL
layers="base site json booking money queue store provider delivery flow operate"
programs="fcgi queued queuelog courier ctl sim"
may_use() {
	case $1 in
	base) ;;
	site) echo "base" ;;
	booking | json) echo "base site" ;;
	money) echo "base site json" ;;
	queue) echo "base site booking" ;;
	store | provider) echo "base site money json" ;;
	delivery) echo "base site money json store" ;;
	flow) echo "base site booking money queue json store provider delivery" ;;
	operate) echo "base site booking money queue json store provider delivery flow" ;;
	fcgi) echo "base site json booking queue store provider flow operate" ;;
	queued) echo "base site booking queue" ;;
	queuelog) echo "base site queue store" ;;
	courier) echo "base site queue store provider delivery flow" ;;
	ctl) echo "base site json booking queue provider delivery flow operate" ;;
	sim) echo "base site json" ;;	# written from KakaoPay's documents, not from our client
	esac
}

# No two files need each other: a .c and its .h are one file here.

n=0
bad=0
say() {	# say OK DESCRIPTION [WHY]
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; echo "$3" | sed 's/^/# /'; bad=1; fi
}

includes_of() {	# includes_of ALLOWED FILE...: the lines that include anything else of ours
	allowed=$1
	shift
	grep -nE '^#include "' "$@" 2>/dev/null |
	    while IFS= read -r line; do
		to=$(printf '%s\n' "$line" | sed -n 's/.*#include "\([a-z]*\)\/.*/\1/p')
		[ -z "$to" ] && continue
		case " $allowed " in *" $to "*) ;; *) printf '%s\n' "$line" ;; esac
	    done
}

for layer in $layers; do
	allowed=$(may_use "$layer")
	wrong=$(includes_of "$layer $allowed" "$src/lib/$layer"/*.[ch] "$src/lib/$layer"/*/*.[ch])
	[ -z "$wrong" ]; say $? "lib/$layer includes only itself and: ${allowed:-nothing}" "$wrong"
done
for program in $programs; do
	allowed=$(may_use "$program")
	wrong=$(includes_of "$program $allowed" "$src/$program"/*.[ch])
	[ -z "$wrong" ]; say $? "$program includes only itself and: $allowed" "$wrong"
done

# One line for each group of files that need each other. The arrows go from a file to those that its .c or .h includes.
circles() {
	( cd "$src" && grep -rE '^#include "' lib fcgi queued queuelog courier ctl sim --include='*.[ch]' ) |
	    sed -n 's/^\(.*\)\.[ch]:#include "\(.*\)\.h".*/\1 \2/p' |
	    awk '
		{ from[NR] = $1; to[NR] = $2; is_file[$1] = 1 }
		END {
			for (i = 1; i <= NR; i++) {
				target = "lib/" to[i] in is_file ? "lib/" to[i] : to[i]
				if (target != from[i])
					reach[from[i], target] = 1
			}
			for (k in is_file) for (i in is_file) if ((i, k) in reach) for (j in is_file) if ((k, j) in reach) reach[i, j] = 1
			for (i in is_file) for (j in is_file) if (i < j && ((i, j) in reach) && ((j, i) in reach)) print i, j
		}' | sort |
	    awk '{ if (!($1 in head)) head[$1] = $1; head[$2] = head[$1]; group[head[$1]] = group[head[$1]] (seen[head[$1], $1]++ ? "" : " " $1) (seen[head[$1], $2]++ ? "" : " " $2) }
		END { for (g in group) print substr(group[g], 2) }' | sort
}
found=$(circles)
[ -z "$found" ]; say $? "no two files need each other" "$found"

# The sides of lib/queue: what client and daemon share, what clients have, what the daemon has, what it shares with its helper.
for side in wire client disk log; do
	wrong=$(grep -nE '^#include "queue/' "$src/lib/queue/$side"/*.[ch] | grep -vE "\"queue/($side|wire)/")
	[ -z "$wrong" ]; say $? "lib/queue/$side includes of the queue only itself and wire" "$wrong"
done

# What a payment's story needs of KakaoPay is in provider.h.
wrong=$(grep -nE '^#include "provider/kakaopay/' "$src/lib/flow"/*.[ch])
[ -z "$wrong" ]; say $? "lib/flow knows a provider, not KakaoPay" "$wrong"

only_in() {	# only_in PATTERN WHERE SENTENCE
	wrong=$(grep -rlE "$1" "$src/lib" "$src/fcgi" "$src/queued" "$src/queuelog" "$src/courier" "$src/ctl" --include='*.[ch]' 2>/dev/null | grep -vE "$2")
	[ -z "$wrong" ]; say $? "$3" "$wrong"
}
only_in 'include <(mongoc|bson)' 'lib/store/mongo|queuelog/' 'libmongoc is seen by lib/store/mongo*.c and the helper of the queue alone'
only_in 'include <curl' 'lib/provider/(trust\.[ch]|kakaopay/exchange\.c)|courier/' 'libcurl is seen by trust and exchange of lib/provider and by the courier alone'
only_in 'include <fcgi' 'fcgi/' 'libfcgi is seen by fcgi/ alone'
only_in 'include <uv' 'queued/|courier/' 'libuv is seen by the daemon and the courier alone'
only_in 'clock_gettime|[^a-z_]time\(NULL\)|gettimeofday' 'lib/base/clock\.c|queued/sandbox\.c|queuelog/state\.c' 'only clock.c asks the system for the time'

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
