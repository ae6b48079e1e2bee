/* The settings of the control side: faults, latency, clock, switches, user token. */
#pragma once

#include "sim/control_call.h"

void dial_post_faults(struct control *c);
void dial_get_faults(struct control *c);
void dial_delete_faults(struct control *c);
void dial_post_latency(struct control *c);
void dial_post_clock(struct control *c);
void dial_post_unsure(struct control *c);
void dial_post_user_token(struct control *c);

void dial_add_faults(struct control *c); /* members of an object */
void dial_add_switches(struct control *c);
