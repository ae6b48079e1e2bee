/* The control side, for tests and people: /control/... in JSON, described in doc/simulator.md. */
#pragma once

#include <stdbool.h>

struct request;
struct sim;

bool control_owns(const char *path);
void control_handle(struct sim *sim, struct request *rq);
