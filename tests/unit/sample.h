/* Bodies of KakaoPay's as files: tests/data/kakaopay-NAME.json. */
#pragma once

char *sample(const char *name); /* free it; a file that is not there fails the test */
