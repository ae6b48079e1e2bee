/*
 * What many machines on a shared log would do, in simulated time: the real rules (lib/booking), the
 * real batches (queued/batch.c) and turns (lib/queue/log/log_turn.c), and a model of MongoDB with
 *measured costs. Equal seeds give equal tables.
 *
 *	sim-scale [--seed N] [--measured FILE] [TABLE...]
 */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "tables.h"

static void
usage(void)
{
	fprintf(stderr, "usage: sim-scale [--seed N] [--measured FILE] [TABLE...]\ntables:");
	for (size_t i = 0; tables_names[i] != NULL; i++)
		fprintf(stderr, " %s", tables_names[i]);
	fprintf(stderr, "\n");
	exit(64);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = { { "seed", required_argument, NULL, 's' },
		{ "measured", required_argument, NULL, 'm' }, { NULL, 0, NULL, 0 } };
	const char *path = "tests/sim-scale/measured.txt";
	struct costs costs;
	uint64_t seed = 1;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's')
			seed = strtoull(optarg, NULL, 10);
		else if (c == 'm')
			path = optarg;
		else
			usage();
	}
	costs_read(&costs, path);
	printf("seed %llu\n", (unsigned long long)seed);
	for (size_t i = 0; optind == argc && tables_names[i] != NULL; i++)
		tables_print(tables_names[i], &costs, seed);
	for (; optind < argc; optind++)
		if (!tables_print(argv[optind], &costs, seed))
			usage();
	return 0;
}
