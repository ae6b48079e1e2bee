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

for page in "$src"/man/*.[1578]; do
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
missing=
for word in $(sed -n 's/^	{ "\([a-z ]*\)", .*/\1/p' "$src/ctl/commands.c" | tr ' ' '_'); do
	grep -q "^\.It Cm $(echo "$word" | tr '_' ' ')\b" "$src/man/roompayctl.8" || missing="$missing $word"
done
[ -z "$missing" ] && grep -q 'ctl_status }' "$src/ctl/commands.c"
say $? "roompayctl(8) tells of every command" "missing:$missing"
echo "1..$n"
exit $bad
