/* The floor of every benchmark: a FastCGI application that reads its body and answers a constant,
 * with the accept loop that anybody would write. Worker mode only: fd 0 is the listening socket. */
#include <fcgiapp.h>

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
		FCGX_PutS(
		    "Status: 409 Conflict\r\nContent-Type: application/problem+json\r\n\r\n{\"code\":\"null\"}\n",
		    r.out);
		FCGX_Finish_r(&r);
	}
	return 0;
}
