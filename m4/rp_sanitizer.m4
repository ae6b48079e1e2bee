# RP_SANITIZER: --with-sanitizer[=LIST] puts -fsanitize=LIST into SAN_CFLAGS after trying it with the compiler.
AC_DEFUN([RP_SANITIZER], [
	AC_ARG_WITH([sanitizer], [AS_HELP_STRING([--with-sanitizer@<:@=LIST@:>@],
		[build with compiler sanitizers (address,undefined)])], [], [with_sanitizer=no])
	AS_IF([test "$with_sanitizer" = yes], [with_sanitizer=address,undefined])
	rp_sanitizer=$with_sanitizer
	SAN_CFLAGS=
	AS_IF([test "$with_sanitizer" != no], [
		SAN_CFLAGS="-fsanitize=$with_sanitizer -fno-omit-frame-pointer"
		case ,$with_sanitizer, in *,undefined,*) SAN_CFLAGS="$SAN_CFLAGS -fno-sanitize-recover=undefined" ;; esac
		rp_save_cflags=$CFLAGS
		CFLAGS="$CFLAGS $SAN_CFLAGS"
		AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])], [],
			[AC_MSG_ERROR([$CC does not support -fsanitize=$with_sanitizer])])
		CFLAGS=$rp_save_cflags
	])
	AC_SUBST([SAN_CFLAGS])
])
