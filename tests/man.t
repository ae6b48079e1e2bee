#!/bin/sh
# Every manual page is well-formed. What the pages say is compared with the code by docs.t.
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
echo "1..$n"
exit $bad
