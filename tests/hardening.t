#!/bin/sh
# The programs that `./configure && make` builds carry their protections: read from the ELF files.
case " ${HARDENED:-} " in
*_FORTIFY_SOURCE*) ;;
*) echo "1..0 # SKIP built with sanitizers or --disable-hardening"; exit 0 ;;
esac
command -v readelf > /dev/null || { echo "1..0 # SKIP readelf is not installed"; exit 0; }

n=0
bad=0
say() {	# say OK DESCRIPTION
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi
}

for program in fcgi/roompay.fcgi queued/roompay-queued queued/roompay-queue-log courier/roompay-courier ctl/roompayctl sim/kakaopay-sim; do
	name=${program##*/}
	all=$(readelf -hdlsW "$program")
	has() { printf '%s\n' "$all" | grep -qE "$1"; }
	has 'Type: +DYN'; say $? "$name is position independent"
	has 'GNU_RELRO'; say $? "$name: relocations become read-only"
	has 'FLAGS.*(BIND_NOW|NOW)'; say $? "$name binds all symbols at start"
	has 'GNU_STACK .* RW '; say $? "$name has no executable stack"
	has '__stack_chk_fail'; say $? "$name has stack protectors"
	has '__[a-z]+_chk'; say $? "$name calls fortified libc functions"
done
echo "1..$n"
exit $bad
