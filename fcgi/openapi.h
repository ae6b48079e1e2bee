/* doc/openapi.json as text; the build makes fcgi/openapi.c of it. */
#pragma once

extern const char openapi_text[];
