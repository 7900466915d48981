/* SPDX-License-Identifier: GPL-2.0 */
/* All numbers of this host, as Prometheus reads them. */
#ifndef KVMWATCH_EXPORT_H
#define KVMWATCH_EXPORT_H

#include <stdbool.h>

#include "export_names.h"
#include "export_table.h"
#include "expose.h"
#include "options.h"
#include "select.h"

/**
 * struct export_options - what the command line said
 * @options:	the common ones
 * @listen:	addresses with commas between them; NULL: the default, if no other way was chosen
 * @textfile:	file to write; NULL: none
 * @once:	print it and end
 * @format:	of what is printed
 * @no_vcpus:	sums for each VM in place of numbers for each vCPU
 * @groups:	what was asked for beside what there always is
 * @max_vms:	no more VMs than that
 * @cert:	TLS: the certificate's file; NULL: no TLS
 * @key:	its key
 * @client_ca:	who signs the certificates of clients; NULL: they need none
 * @hosts:	names in requests that mean this host, with commas between them; NULL: none beside
 *		its own and addresses
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
 * struct exporter - what is kept from one look to the next
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

/* 0 or -ENOMEM. */
int exporter_init(struct exporter *exporter, const struct export_options *options);
void exporter_free(struct exporter *exporter);

/*
 * Look, and write all that there is. That there is no module, or no right to read it, is part of
 * what is written. Returns 0 or -errno, then @e is of no use.
 */
int exporter_write(struct exporter *exporter, struct exposition *e);

/*
 * Serve it until a signal ends it: an exit code. The program kvmwatch has none of this and runs
 * kvmwatch-exporter, which has.
 */
typedef int (*export_server)(const struct export_options *options, char **argv);
extern export_server export_serve;

#define EXPORT_DEFAULT_LISTEN	"127.0.0.1:10177"

/* What is longer is not exported: far more than 1,000 VMs of 16 vCPUs have. */
#define EXPORT_MAX_BYTES	(256U << 20)

/* What went wrong in exporter_write(), in words */
const char *export_error(int err);

#endif /* KVMWATCH_EXPORT_H */
