#include "config.h"

#include "base/privilege.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static bool
become(const char *user, struct error *err)
{
	const struct passwd *pw;

	errno = 0;
	pw = getpwnam(user);
	if (pw == NULL)
		return error_set(err, ERR_INPUT, "[site] user: there is no user %s", user);
	if (pw->pw_uid == 0)
		return true;
	if (initgroups(user, pw->pw_gid) != 0 ||
	    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) != 0 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) != 0)
		return error_sys(err, ERR_INTERNAL, "cannot become %s", user);
	return setuid(0) != 0 || error_set(err, ERR_INTERNAL, "root privileges could be regained");
}

bool
privilege_seal(struct error *err)
{
	struct rlimit none = { 0, 0 };

	return (setrlimit(RLIMIT_CORE, &none) == 0 && prctl(PR_SET_DUMPABLE, 0) == 0 &&
		   prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) ||
	    error_sys(err, ERR_INTERNAL, "cannot drop privileges");
}

/* Sealed after it: a change of user may make a process dumpable again. */
bool
privilege_drop(const char *user, struct error *err)
{
	return (user[0] == '\0' || geteuid() != 0 || become(user, err)) && privilege_seal(err);
}
