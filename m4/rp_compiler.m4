# RP_COMPILER_WARNINGS: the project's warnings in WARN_CFLAGS, -Werror only by --enable-werror.
# Fields that a table's row leaves out are zero on purpose.
AC_DEFUN([RP_COMPILER_WARNINGS], [
	AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [treat compiler warnings as errors])],
		[], [enable_werror=no])
	WARN_CFLAGS="-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual"
	WARN_CFLAGS="$WARN_CFLAGS -Wwrite-strings -Wformat=2 -Wvla -Wundef -Wconversion -Wno-sign-conversion -Wno-missing-field-initializers"
	AS_IF([test "$enable_werror" = yes], [WARN_CFLAGS="$WARN_CFLAGS -Werror"])
	AC_SUBST([WARN_CFLAGS])
])
