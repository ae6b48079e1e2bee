/* The floor of every benchmark: a FastCGI application that reads its body and answers a constant,
 * with the accept loop that anybody would write. Its answer has the heads and the length of a
 * refused payReady, so that web server and client do the same work for both. Worker mode only: fd 0
 * is the listening socket. */
#include <fcgiapp.h>

/* clang-format off */
static const char answer[] =
    "Status: 409 Conflict\r\n"
    "Content-Length: 343\r\n"
    "X-Request-Id: 00000000000000000000000000000000\r\n"
    "Cache-Control: no-store\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Content-Type: application/problem+json\r\n"
    "Content-Language: ko\r\n"
    "Retry-After: 600\r\n"
    "\r\n"
    "{\"code\":\"null\",\"detail\":\""
    "---------------------------------------------------------------------------"
    "---------------------------------------------------------------------------"
    "---------------------------------------------------------------------------"
    "---------------------------------------------------------------------------"
    "----------------\"}";
/* clang-format on */

int
main(void)
{
	FCGX_Request r;
	char body[16384];

	FCGX_Init();
	FCGX_InitRequest(&r, 0, 0);
	while (FCGX_Accept_r(&r) == 0) {
		while (FCGX_GetStr(body, sizeof(body), r.in) == (int)sizeof(body))
			;
		FCGX_PutStr(answer, sizeof(answer) - 1, r.out);
		FCGX_Finish_r(&r);
	}
	return 0;
}
