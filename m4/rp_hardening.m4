# RP_HARDENING: HARDEN_CFLAGS and HARDEN_LDFLAGS hold those protections that compiler and linker know:
# stack protector, fortified libc calls, position independent programs, read-only relocations bound at
# start. --disable-hardening leaves them out. Sanitizers bring checks of their own that FORTIFY would
# hide, so a build with them goes without it. The user's CFLAGS come later and win.
AC_DEFUN([RP_TRY_FLAG], [	# RP_TRY_FLAG(VARIABLE, FLAG)
	rp_save_cflags=$CFLAGS
	CFLAGS="$CFLAGS -Werror $2"
	AC_MSG_CHECKING([whether $CC takes $2])
	AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])], [$1="$$1 $2"; AC_MSG_RESULT([yes])], [AC_MSG_RESULT([no])])
	CFLAGS=$rp_save_cflags
])
AC_DEFUN([RP_HARDENING], [
	AC_ARG_ENABLE([hardening], [AS_HELP_STRING([--disable-hardening],
		[build without stack protector, FORTIFY, PIE and immediate binding])], [], [enable_hardening=yes])
	HARDEN_CFLAGS=
	HARDEN_LDFLAGS=
	AS_IF([test "$enable_hardening" = yes], [
		for flag in -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE; do
			RP_TRY_FLAG([HARDEN_CFLAGS], [$flag])
		done
		AS_IF([test "$rp_sanitizer" = no], [
			case " $CFLAGS $CPPFLAGS " in
			*_FORTIFY_SOURCE*) ;;
			*" -O0 "*) AC_MSG_NOTICE([no FORTIFY: it wants an optimising compiler]) ;;
			*) HARDEN_CFLAGS="$HARDEN_CFLAGS -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2" ;;
			esac
		])
		for flag in -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack; do
			RP_TRY_FLAG([HARDEN_LDFLAGS], [$flag])
		done
	])
	AC_SUBST([HARDEN_CFLAGS])
	AC_SUBST([HARDEN_LDFLAGS])
])
