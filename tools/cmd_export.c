// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch export: all numbers for Prometheus, over HTTP, into a file, or once to standard output.
 * The HTTP server is another program, kvmwatch-exporter, which has the same options. So this
 * program does not load the libraries that the server needs.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "export.h"
#include "interrupt.h"
#include "new_file.h"
#include "repeat.h"
#include "text.h"

#define SERVER		"kvmwatch-exporter"
#define DEFAULT_MAX_VMS	1000

/* --- options --------------------------------------------------------------- */

static const char *set_word(const char **word, const char *arg)
{
	if (!*arg)
		return "it is empty";
	*word = arg;
	return NULL;
}

static const char *set_listen(struct options *options, const char *arg)
{
	return set_word(&((struct export_options *)options)->listen, arg);
}

static const char *set_textfile(struct options *options, const char *arg)
{
	return set_word(&((struct export_options *)options)->textfile, arg);
}

static const char *set_cert(struct options *options, const char *arg)
{
	return set_word(&((struct export_options *)options)->cert, arg);
}

static const char *set_key(struct options *options, const char *arg)
{
	return set_word(&((struct export_options *)options)->key, arg);
}

static const char *set_client_ca(struct options *options, const char *arg)
{
	return set_word(&((struct export_options *)options)->client_ca, arg);
}

static const char *set_hosts(struct options *options, const char *arg)
{
	return set_word(&((struct export_options *)options)->hosts, arg);
}

static const char *set_once(struct options *options, const char *arg)
{
	(void)arg;
	((struct export_options *)options)->once = true;
	return NULL;
}

static const char *set_openmetrics(struct options *options, const char *arg)
{
	(void)arg;
	((struct export_options *)options)->format = EXPOSE_OPENMETRICS;
	return NULL;
}

static const char *set_no_vcpus(struct options *options, const char *arg)
{
	(void)arg;
	((struct export_options *)options)->no_vcpus = true;
	return NULL;
}

static const char *set_max_vms(struct options *options, const char *arg)
{
	__u64 *max_vms = &((struct export_options *)options)->max_vms;

	if (!text_parse_u64(arg, max_vms) || !*max_vms)
		return "give a number, 1 or more";
	return NULL;
}

static const struct export_group_name *find_group(const char *name, size_t len)
{
	const struct export_group_name *group;

	for (group = export_groups; group->name; group++) {
		if (strlen(group->name) == len && !strncmp(group->name, name, len))
			return group;
	}
	return NULL;
}

#define GROUPS	"ages,costs,exits,histograms,last-cpu,off-cpu,peaks,rings,slots,wakeups"

static const char *set_with(struct options *options, const char *arg)
{
	const struct export_group_name *group;
	size_t len;

	for (; *arg; arg += len + (arg[len] == ',')) {
		len = strcspn(arg, ",");
		group = find_group(arg, len);
		if (!group)
			return "there are " GROUPS;
		((struct export_options *)options)->groups |= group->group;
	}
	return NULL;
}

static const struct opt opt_listen = {
	'l', "listen", "ADDRESS",
	"serve HTTP here: IP:PORT or unix:PATH (" EXPORT_DEFAULT_LISTEN ")", set_listen
};

static const struct opt opt_textfile = {
	'T', "textfile", "FILE", "write this file, for the node exporter's textfile collector",
	set_textfile
};

static const struct opt opt_once = {
	'1', "once", NULL, "print it once, and end", set_once
};

static const struct opt opt_openmetrics = {
	'O', "openmetrics", NULL, "with --once: print OpenMetrics, not the older text format",
	set_openmetrics
};

static const struct opt opt_with = {
	'w', "with", "A,B,...", "export these too: " GROUPS, set_with
};

static const struct opt opt_no_vcpus = {
	'V', "no-vcpus", NULL, "sums for each VM in place of numbers for each vCPU", set_no_vcpus
};

static const struct opt opt_max_vms = {
	'm', "max-vms", "COUNT", "export no more VMs than that (1000)", set_max_vms
};

static const struct opt opt_host = {
	'H', "host", "A,B,...", "names of this host that a request may have, beside its own",
	set_hosts
};

static const struct opt opt_cert = {
	'C', "tls-cert", "FILE", "speak TLS, with this certificate", set_cert
};

static const struct opt opt_key = {
	'K', "tls-key", "FILE", "and this key", set_key
};

static const struct opt opt_client_ca = {
	'A', "client-ca", "FILE", "only to clients whose certificate one of these has signed",
	set_client_ca
};

static const char *wrong_options(const struct export_options *options)
{
	if (!!options->listen + !!options->textfile + options->once > 1)
		return "choose one of --listen, --textfile and --once";
	if (options->format == EXPOSE_OPENMETRICS && !options->once)
		return "--openmetrics goes with --once; over HTTP the client says what it wants";
	if (!options->cert != !options->key)
		return "--tls-cert and --tls-key go together";
	if (options->client_ca && !options->cert)
		return "--client-ca needs --tls-cert and --tls-key";
	if ((options->textfile || options->once) && (options->cert || options->hosts))
		return "--tls-cert, --tls-key and --host are for HTTP";
	if (!options->textfile && (options->options.counted || options->options.count != 1))
		return "-i and -n go with --textfile";
	return NULL;
}

/* --- writing --------------------------------------------------------------- */

/* Returns an exit code. With EXIT_DONE the caller frees the text. */
static int make(struct exporter *exporter, enum expose_format format, struct exposition *e)
{
	int err;

	expose_init(e, format, EXPORT_MAX_BYTES);
	err = exporter_write(exporter, e);
	if (!err)
		return EXIT_DONE;
	expose_free(e);
	return complain("export", "%s", export_error(err));
}

static int print_once(struct exporter *exporter)
{
	struct exposition e;
	size_t written;
	int code;

	code = make(exporter, exporter->options->format, &e);
	if (code)
		return code;
	written = fwrite(e.text, 1, e.len, stdout);
	code = written == e.len && !fflush(stdout) ? EXIT_DONE : complain_output(-errno);
	expose_free(&e);
	return code;
}

static int write_bytes(int fd, const char *bytes, size_t len)
{
	ssize_t n;

	for (; len; bytes += n, len -= n) {
		n = write(fd, bytes, len);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n < 0)
			n = 0;
	}
	return 0;
}

/* A collector may read the file at any time, so it is replaced as a whole. */
static int write_file(struct output *out, struct beat *beat, void *arg)
{
	struct exporter *exporter = arg;
	struct new_file file;
	struct exposition e;
	int code, err;

	(void)out;
	beat->stopped |= interrupted();
	code = make(exporter, EXPOSE_TEXT, &e);
	if (code)
		return code;
	code = new_file_begin(&file, exporter->options->textfile);
	if (!code) {
		err = write_bytes(file.fd, e.text, e.len);
		if (!err) {
			code = new_file_keep(&file);
		} else {
			new_file_drop(&file);
			code = complain(exporter->options->textfile, "can't write it: %s",
					strerror(-err));
		}
	}
	expose_free(&e);
	return code;
}

/* --- serving --------------------------------------------------------------- */

/* Look for the server beside this program, or else in PATH. */
static int run_server(const struct export_options *options, char **argv)
{
	char path[4096];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - sizeof(SERVER) - 1);
	char *slash;

	(void)options;
	if (len > 0) {
		path[len] = '\0';
		slash = strrchr(path, '/');
		strcpy(slash ? slash + 1 : path, SERVER);
		execv(path, argv);
	}
	execvp(SERVER, argv);
	if (errno == ENOENT)
		return complain("export",
				SERVER " is not here; install it (it takes libmicrohttpd)");
	return complain("export", "can't run " SERVER ": %s", strerror(errno));
}

export_server export_serve = run_server;

static int run_here(const struct export_options *options)
{
	struct exporter exporter;
	int code;

	if (exporter_init(&exporter, options))
		return complain("export", "no memory");
	if (options->once)
		code = print_once(&exporter);
	else
		code = repeat(&options->options, write_file, &exporter);
	exporter_free(&exporter);
	return code;
}

/* getopt_long() may have changed the order of the words, but not their meaning. */
static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct export_options options = { .max_vms = DEFAULT_MAX_VMS };
	const char *wrong;
	int code;

	code = options_parse(cmd, argc, argv, &options.options);
	if (code >= 0)
		return code;
	wrong = wrong_options(&options);
	if (wrong) {
		complain("export", "%s", wrong);
		return EXIT_USAGE;
	}
	if (!options.once && !options.textfile)
		return export_serve(&options, argv);
	if (options.textfile)
		interrupt_catch(false);
	return run_here(&options);
}

static const struct opt *const options[] = {
	&opt_listen, &opt_textfile, &opt_once, &opt_openmetrics, &opt_interval, &opt_count,
	&opt_with, &opt_no_vcpus, &opt_max_vms, &opt_host, &opt_cert, &opt_key, &opt_client_ca,
	&opt_help, NULL
};

const struct cmd cmd_export = {
	.name		= "export",
	.summary	= "all numbers for Prometheus, over HTTP or into a file",
	.about		=
		"Serve the numbers of all VMs to Prometheus, which reads them at /metrics: on\n"
		EXPORT_DEFAULT_LISTEN ", or --listen. With --textfile write them into a file for\n"
		"the node exporter, once or at an interval (-i); with --once print them. Unknown\n"
		"numbers are left out. Without the module kvmwatch_up is 0.",
	.options	= options,
	.run		= run,
};
