/* SPDX-License-Identifier: GPL-2.0 */
/* All numbers of this host, in Prometheus's formats. */
#ifndef KVMWATCH_EXPORT_H
#define KVMWATCH_EXPORT_H

#include <stdbool.h>

#include "export_names.h"
#include "export_table.h"
#include "expose.h"
#include "options.h"
#include "select.h"

/**
 * struct export_options - options of kvmwatch export
 * @options:	options of all commands
 * @listen:	addresses, separated by commas; NULL: the default, if no other output was chosen
 * @textfile:	file to write; NULL: none
 * @once:	print once and exit
 * @format:	format of the output
 * @no_vcpus:	export sums for each VM in place of numbers for each vCPU
 * @groups:	groups to export in addition to EXPORT_ALWAYS
 * @max_vms:	export at most this many VMs
 * @cert:	TLS: file of the certificate; NULL: no TLS
 * @key:	TLS: file of its key
 * @client_ca:	TLS: CA of the certificates of clients; NULL: clients need none
 * @hosts:	names of this host in requests, separated by commas, in addition to its own name and
 *		addresses; NULL: none
 */
struct export_options {
	struct options options;
	const char *listen;
	const char *textfile;
	bool once;
	enum expose_format format;
	bool no_vcpus;
	unsigned int groups;
	__u64 max_vms;
	const char *cert;
	const char *key;
	const char *client_ca;
	const char *hosts;
};

/**
 * struct exporter - state kept between looks
 * @options:	what to export
 * @selection:	all VMs; has their names
 * @names:	what they are called here
 * @seen:	for each row of export_rows, if it is one of reasons: which ones were seen on this
 *		host. Each VM has them all from then on, so that no series comes late with a number
 */
struct exporter {
	const struct export_options *options;
	struct selection selection;
	struct export_names names;
	bool **seen;
};

/* Returns 0 or -ENOMEM. */
int exporter_init(struct exporter *exporter, const struct export_options *options);
void exporter_free(struct exporter *exporter);

/*
 * Read all numbers and write them. If there is no module, or no right to read it, the text says so.
 * Returns 0 or -errno; after an error @e is invalid.
 */
int exporter_write(struct exporter *exporter, struct exposition *e);

/*
 * Serve HTTP until a signal comes. Returns an exit code. The program kvmwatch has no server, and
 * runs kvmwatch-exporter instead.
 */
typedef int (*export_server)(const struct export_options *options, char **argv);
extern export_server export_serve;

#define EXPORT_DEFAULT_LISTEN	"127.0.0.1:10177"

/* Limit of an answer: far more than 1,000 VMs of 16 vCPUs have. */
#define EXPORT_MAX_BYTES	(256U << 20)

/* An error of exporter_write(), in words. */
const char *export_error(int err);

#endif /* KVMWATCH_EXPORT_H */
