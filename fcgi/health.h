/* What programs that watch ask for: is it alive, is it ready, what does it count, what can it do.
 */
#pragma once

struct call;

void handle_livez(struct call *c);
void handle_readyz(struct call *c);
void handle_metrics(struct call *c);
void handle_openapi(struct call *c);
