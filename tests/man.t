#!/bin/sh
# Every manual page is well-formed, and roompay.conf(5) names each key of the code and no other.
src=${srcdir:-.}
if ! command -v mandoc > /dev/null; then
	echo "1..0 # SKIP mandoc is not installed"
	exit 0
fi

n=0
bad=0
say() {	# say OK DESCRIPTION [WHY]
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; echo "$3" | sed 's/^/# /'; bad=1; fi
}

for page in "$src"/man/*.[158]; do
	wrong=$(mandoc -T lint -W warning "$page" 2>&1)
	say $? "${page##*/} is well-formed" "$wrong"
done

keys_of_code=$(sed -n 's/^	{ "[a-z]*", *"\([a-z_0-9]*\)".*/\1/p' "$src/lib/base/conf.c" | sort -u)
keys_of_page=$(sed -n 's/^\.It Cm \([a-z_0-9]*\).*/\1/p' "$src/man/roompay.conf.5" | sort -u)
[ -n "$keys_of_code" ] && [ "$keys_of_code" = "$keys_of_page" ]
say $? "roompay.conf(5) lists the keys that the code reads" "code:
$keys_of_code
page:
$keys_of_page"
echo "1..$n"
exit $bad
