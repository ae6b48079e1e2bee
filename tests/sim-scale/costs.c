/* What measured.txt says, as costs of the model. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mongo_model.h"

enum { LINES_MAX = 400, RECORD_BYTES = 500 }; /* as measure.py */

struct figures {
	struct {
		char name[48];
		double value;
	} line[LINES_MAX];
	size_t n;
	const char *path;
};

static void
read_lines(struct figures *f, const char *path)
{
	FILE *in = fopen(path, "r");
	char line[200];

	f->n = 0;
	f->path = path;
	if (in == NULL) {
		perror(path);
		exit(1);
	}
	while (fgets(line, sizeof(line), in) != NULL && f->n < LINES_MAX)
		if (sscanf(line, "%47[^# ] %lf", f->line[f->n].name, &f->line[f->n].value) == 2)
			f->n++;
	fclose(in);
}

static double
figure(const struct figures *f, const char *name, const char *of)
{
	char whole[100];

	snprintf(whole, sizeof(whole), "%s.%s", name, of);
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->line[i].name, whole) == 0)
			return f->line[i].value;
	fprintf(stderr, "%s: no %s\n", f->path, whole);
	exit(1);
}

/* Processor time of a write to a change stream's collection, with so many followers. */
static double
stream_cpu(const struct figures *f, int followers, bool host)
{
	char name[32];
	double us;

	snprintf(name, sizeof(name), "stream_of_%d", followers);
	us = figure(f, name, "cpu_primary_us");
	if (host)
		us += figure(f, name, "cpu_others_us") + figure(f, name, "cpu_client_us");
	return us * (followers + 1); /* measured for each of writer and followers */
}

static double
host_cpu(const struct figures *f, const char *name)
{
	return figure(f, name, "cpu_primary_us") + figure(f, name, "cpu_others_us") +
	    figure(f, name, "cpu_client_us");
}

/* A write that finds its number taken costs what a write costs, without a cycle. */
static void
derive(struct cpu_costs *c, const struct figures *f, bool host)
{
	const double kb = 255.0 * RECORD_BYTES / 1024;
	double alone = host ? host_cpu(f, "insert") : figure(f, "insert", "cpu_primary_us");
	double large = host ? host_cpu(f, "insert_256") : figure(f, "insert_256", "cpu_primary_us");

	c->write = host ? host_cpu(f, "taken") : figure(f, "taken", "cpu_primary_us");
	c->read = host ? host_cpu(f, "next") : figure(f, "next", "cpu_primary_us");
	c->cycle = alone - c->write;
	c->cycle_kb = (large - alone) / kb;
	c->event = (stream_cpu(f, 10, host) - stream_cpu(f, 1, host)) / 9;
}

void
costs_read(struct costs *c, const char *path)
{
	static const char *const points[COST_POINTS] = { "p1", "p5", "p10", "p25", "p50", "p75",
		"p90", "p95", "p99", "p99.9" };
	struct figures f;

	read_lines(&f, path);
	for (int i = 0; i < COST_POINTS; i++) {
		c->insert.us[i] = figure(&f, "insert", points[i]);
		c->noise.us[i] = figure(&f, "next", points[i]) - figure(&f, "next", "p1");
	}
	c->wait_kb = (figure(&f, "insert_256", "p50") - figure(&f, "insert", "p50")) /
	    (255.0 * RECORD_BYTES / 1024);
	c->lag = figure(&f, "stream_of_1", "p50");
	c->election = figure(&f, "election", "ms") * 1000;
	c->measured.by_1 = figure(&f, "insert", "a_second");
	c->measured.by_8 = figure(&f, "insert_by_8", "a_second");
	c->measured.by_32 = figure(&f, "insert_by_32", "a_second");
	derive(&c->primary, &f, false);
	derive(&c->host, &f, true);
}
