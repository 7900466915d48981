// SPDX-License-Identifier: GPL-2.0
/* kvmwatch predict: will a migration of this VM converge, and what will it take? */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "forecast.h"
#include "forecast_rows.h"
#include "interrupt.h"
#include "options.h"
#include "output.h"
#include "select.h"

static bool progressing;

static void show_progress(void *arg, const struct vm *vm, const char *words)
{
	(void)arg;
	(void)vm;
	progressing = isatty(STDERR_FILENO);
	if (progressing)
		fprintf(stderr, "\r\033[K%s...", words);
}

static void end_progress(void)
{
	if (progressing)
		fputs("\r\033[K", stderr);
	progressing = false;
}

/* The user asked for it, but may not know what it does. */
static void warn(const struct vm *vm, const struct forecast_options *options)
{
	if (!options->measure_s)
		return;
	complain(vm->info.name,
		 "QEMU will log what it dirties for %llu s: meanwhile the first write to each page costs a fault, and KVM splits huge pages; some kernels then unmap its memory, which it faults in again",
		 options->measure_s + MEASURE_SHORT_CYCLES);
}

static int code_of(const struct forecast *f)
{
	switch (f->has_out ? f->out.verdict : KVMWATCH_UNKNOWN) {
	case KVMWATCH_CONVERGES:
		return EXIT_DONE;
	case KVMWATCH_DOES_NOT:
		return EXIT_DOES_NOT;
	}
	return EXIT_UNCERTAIN;
}

static void show_words(const struct forecast *f)
{
	char name[OUTPUT_MAX_CELL], words[400];

	forecast_words(f, words, sizeof(words));
	if (*words)
		printf("%s: %s.\n", forecast_name(f, name, sizeof(name)), words);
}

static int show(const struct forecast *f, const struct forecast_options *options)
{
	struct output out;
	int err;

	err = options_output(&options->common, &out);
	if (err)
		return err;
	forecast_begin(&out, true);
	forecast_row(&out, f, true);
	output_end(&out);
	if (options->common.format == OUTPUT_TEXT)
		show_words(f);
	err = output_flush(&out);
	return err ? complain_output(err) : code_of(f);
}

static int predict(int dev, const struct vm *vm, const struct forecast_options *options)
{
	struct forecast forecast;
	int err, code;

	warn(vm, options);
	err = forecast_make(dev, vm, options, show_progress, NULL, &forecast);
	end_progress();
	if (err == -EINTR)
		code = complain(vm->info.name, "interrupted%s%s", *forecast.why ? ": " : "",
				forecast.why);
	else if (err == -ESRCH)
		code = complain(vm->info.name, "this VM has ended");
	else if (err)
		code = complain(vm->info.name, "%s", strerror(-err));
	else
		code = show(&forecast, options);
	forecast_free(&forecast);
	return code;
}

static int predict_chosen(int dev, const struct forecast_options *options)
{
	struct selection selection = { .arg = options->common.vm };
	struct vm *vms;
	size_t nr;
	int code;

	code = vms_get(dev, &selection, &vms, &nr);
	if (!code && !nr)
		code = vms_none(&selection, "predict");
	else if (!code && nr > 1)
		code = complain("predict", "%zu VMs run: say which one (-p), or see kvmwatch rank",
				nr);
	else if (!code)
		code = predict(dev, vms, options);
	vms_put(vms, nr);
	selection_free(&selection);
	return code;
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct forecast_options options;
	int code, dev;

	forecast_options_init(&options);
	code = options_parse(cmd, argc, argv, &options.common);
	if (code >= 0)
		return code;
	if (options.live && options.measure_s) {
		complain(cmd->name, "--live looks on, --measure has QEMU log: give one of them");
		return EXIT_USAGE;
	}
	dev = device_open();
	if (dev < 0)
		return EXIT_COULD_NOT;
	interrupt_catch(true);
	code = predict_chosen(dev, &options);
	close(dev);
	return code;
}

static const struct opt *const options[] = {
	&opt_vm, &opt_bandwidth, &opt_downtime, &opt_measure, &opt_sample, &opt_live, &opt_link,
	&opt_device_downtime, &opt_horizon, &opt_qmp, OPTS_TABLE, &opt_help, NULL
};

const struct cmd cmd_predict = {
	.name		= "predict",
	.summary	= "will a migration of a VM converge, and what will it take",
	.about		=
		"Say whether a live migration of a VM by QEMU would converge, how long it would take,\n"
		"what it would send and for how long the guest would pause; or which downtime or\n"
		"bandwidth it needs. Bandwidth and downtime are the VM's own if its monitor tells them.\n"
		"Somebody must see how fast the VM dirties pages: --measure has QEMU log it for some\n"
		"seconds, which the guest feels; --sample compares pages of its memory from outside,\n"
		"which it does not feel. Without either the verdict is unknown. Of a VM that migrates,\n"
		"--live says what is left: its log is on anyway.\n"
		"Exit status: 0 converges, 3 does not, 4 uncertain or unknown.",
	.options	= options,
	.tables		= forecast_tables,
	.run		= run,
};
