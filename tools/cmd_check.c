// SPDX-License-Identifier: GPL-2.0
/*
 * kvmwatch check: which hooks a kvm.ko would get, and why, without loading anything. See
 * proof/judge.h.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cmd.h"
#include "kvm_file.h"
#include "options.h"
#include "output.h"
#include "repeat.h"
#include "proof/judge.h"

#define RUNNING_TYPES	"/sys/kernel/btf/vmlinux"
#define MAX_PATH	4096

/* Both tables share one set of keys, so that they make one CSV file. */
enum {
	COL_KIND, COL_NAME, COL_TRUST, COL_FUNCTION, COL_FORM, COL_VIA, COL_BY, COL_REASON,
	COL_KVM, COL_VMLINUX, COL_PROVEN, COL_TESTED, COL_ABSENT, COL_UNAVAILABLE,
	COL_TIME, NR_COLS
};

static const struct output_column hook_columns[NR_COLS] = {
	[COL_KIND]	= { "type",	NULL,		false },
	[COL_NAME]	= { "name",	"HOOK",		false },
	[COL_TRUST]	= { "trust",	"TRUST",	false },
	[COL_FUNCTION]	= { "target",	"TARGET",	false },
	[COL_FORM]	= { "form",	NULL,		false },
	[COL_VIA]	= { "via",	"VIA",		false },
	[COL_BY]	= { "by",	"BY",		false },
	[COL_REASON]	= { "reason",	"REASON",	false, 200 },
	[COL_KVM]	= { "kvm",	NULL,		false },
	[COL_VMLINUX]	= { "vmlinux",	NULL,		false },
	[COL_PROVEN]	= { "proven",	NULL,		true },
	[COL_TESTED]	= { "tested",	NULL,		true },
	[COL_ABSENT]	= { "absent",	NULL,		true },
	[COL_UNAVAILABLE] = { "unavailable", NULL,	true },
	[COL_TIME]	= { "time_ns",	NULL,		true },
};

static const struct output_column kernel_columns[NR_COLS] = {
	[COL_KIND]	= { "type",	NULL,		false },
	[COL_NAME]	= { "name",	"KERNEL",	false },
	[COL_TRUST]	= { "trust",	NULL,		false },
	[COL_FUNCTION]	= { "target",	NULL,		false },
	[COL_FORM]	= { "form",	NULL,		false },
	[COL_VIA]	= { "via",	NULL,		false },
	[COL_BY]	= { "by",	"TYPES",	false },
	[COL_REASON]	= { "reason",	NULL,		false },
	[COL_KVM]	= { "kvm",	NULL,		false },
	[COL_VMLINUX]	= { "vmlinux",	NULL,		false },
	[COL_PROVEN]	= { "proven",	"PROVEN",	true },
	[COL_TESTED]	= { "tested",	"TESTED",	true },
	[COL_ABSENT]	= { "absent",	"ABSENT",	true },
	[COL_UNAVAILABLE] = { "unavailable", "UNAVAILABLE", true },
	[COL_TIME]	= { "time_ns",	NULL,		true },
};

/* --- which files ----------------------------------------------------------- */

/* Set @path to the first of several paths that exists. Returns false if none does. */
static bool try_path(char path[MAX_PATH], const char *front, const char *release, const char *rest)
{
	return snprintf(path, MAX_PATH, "%s%s%s", front, release, rest) < MAX_PATH &&
	       !access(path, F_OK);
}

static bool find_running_kvm(char path[MAX_PATH], const char *release)
{
	static const char *const packed[] = { "", ".xz", ".zst", ".gz" };
	char rest[80];
	size_t i;

	for (i = 0; i < sizeof(packed) / sizeof(*packed); i++) {
		snprintf(rest, sizeof(rest), "/kernel/arch/x86/kvm/kvm.ko%s", packed[i]);
		if (try_path(path, "/lib/modules/", release, rest))
			return true;
	}
	return false;
}

static int complain_no_kvm(const char *release)
{
	if (!access("/sys/module/kvm", F_OK))
		return complain("check",
				"this kernel, %s, has KVM built in, or its kvm.ko is elsewhere; give the path of one",
				release);
	return complain("check", "/lib/modules/%s has no kvm.ko; give the path of one", release);
}

/*
 * Find where @kvm was installed: the part of its path before lib/modules/RELEASE. Returns false if
 * its path has no such part.
 */
static bool find_root(char root[MAX_PATH], const char *kvm, const char *release)
{
	char middle[160];
	const char *at;

	snprintf(middle, sizeof(middle), "lib/modules/%s/", release);
	at = strstr(kvm, middle);
	if (!at || at - kvm >= MAX_PATH)
		return false;
	snprintf(root, MAX_PATH, "%.*s", (int)(at - kvm), kvm);
	at = strrchr(root, 'u');
	if (at && !strcmp(at, "usr/"))
		root[at - root] = '\0';
	return true;
}

/* Find a kernel's image or types where distributions install them. */
static bool find_vmlinux(char path[MAX_PATH], const char *kvm, const char *release)
{
	static const char *const places[][2] = {
		{ "boot/vmlinuz-", "" }, { "lib/modules/", "/vmlinuz" },
		{ "usr/lib/modules/", "/vmlinuz" }, { "lib/modules/", "/build/vmlinux" },
		{ "usr/src/linux-headers-", "/vmlinux" }, { "usr/lib/debug/boot/vmlinux-", "" },
		{ "usr/lib/debug/lib/modules/", "/vmlinux" },
	};
	char root[MAX_PATH], front[MAX_PATH + 40];
	struct utsname name;
	size_t i;

	if (!find_root(root, kvm, release))
		snprintf(root, sizeof(root), "/");
	/* The running kernel may be another build of the same release than an unpacked kvm.ko. */
	if (!strcmp(root, "/") && !uname(&name) && !strcmp(name.release, release) &&
	    try_path(path, RUNNING_TYPES, "", ""))
		return true;
	for (i = 0; i < sizeof(places) / sizeof(*places); i++) {
		snprintf(front, sizeof(front), "%s%s", root, places[i][0]);
		if (try_path(path, front, release, places[i][1]))
			return true;
	}
	return false;
}

/* --- types ----------------------------------------------------------------- */

/* A kvm.ko with its types and vmlinux's */
struct subject {
	char kvm_path[MAX_PATH];
	char vmlinux_path[MAX_PATH];	/* "": it was not needed */
	struct kvm_file kvm;
	struct blob vmlinux;
	struct kvmw_btf btf;
};

/* Room for what kvmw_btf_index() marks in both parts */
static bool make_marks(struct kvmw_btf *btf)
{
	size_t base = kvmw_btf_marks(&btf->base);

	btf->base.marks = calloc(base + kvmw_btf_marks(&btf->split), sizeof(__u32));
	if (btf->base.marks)
		btf->split.marks = btf->base.marks + base;
	return btf->base.marks;
}

static int index_types(struct subject *subject)
{
	struct kvmw_btf *btf = &subject->btf;
	const char *wrong;

	if (!kvmw_btf_part(&btf->base, subject->vmlinux.data, subject->vmlinux.size))
		return complain(subject->vmlinux_path, "its types (BTF) are broken");
	if (!kvmw_btf_part(&btf->split, subject->kvm.types.data, subject->kvm.types.size))
		return complain(subject->kvm_path, "its types (BTF) are broken");
	if (!make_marks(btf))
		return complain("check", "no memory");
	wrong = kvmw_btf_index(btf);
	if (wrong)
		return complain(subject->kvm_path, "%s in %s; give vmlinux of the same build, %s",
				wrong, subject->vmlinux_path, subject->kvm.release);
	return EXIT_DONE;
}

static int read_types(struct subject *subject, const char *given)
{
	const char *wrong;

	if (given)
		snprintf(subject->vmlinux_path, MAX_PATH, "%s", given);
	else if (!find_vmlinux(subject->vmlinux_path, subject->kvm_path, subject->kvm.release))
		return complain(subject->kvm_path,
				"its types need those of vmlinux; give its path as second: vmlinuz of Linux %s, or vmlinux",
				subject->kvm.release);
	wrong = vmlinux_types_read(&subject->vmlinux, subject->vmlinux_path);
	if (wrong)
		return complain(subject->vmlinux_path, "%s", wrong);
	return index_types(subject);
}

static int read_subject(struct subject *subject, const struct options *options)
{
	struct utsname name;
	const char *wrong;

	if (options->operand) {
		snprintf(subject->kvm_path, MAX_PATH, "%s", options->operand);
	} else {
		if (uname(&name))
			return complain("check", "%m");
		if (!find_running_kvm(subject->kvm_path, name.release))
			return complain_no_kvm(name.release);
	}
	wrong = kvm_file_read(&subject->kvm, subject->kvm_path);
	if (wrong)
		return complain(subject->kvm_path, "%s", wrong);
	if (!subject->kvm.types.data)
		return EXIT_DONE;
	return read_types(subject, options->second);
}

static void free_subject(struct subject *subject)
{
	free(subject->btf.base.marks);
	blob_free(&subject->vmlinux);
	kvm_file_free(&subject->kvm);
	free(subject);
}

/* --- show ------------------------------------------------------------------ */

static __u64 count(const struct kvmw_judgement *judgement, enum kvmw_trust trust)
{
	__u64 nr = 0;
	size_t i;

	for (i = 0; i < judgement->nr; i++)
		nr += judgement->verdicts[i].trust == trust;
	return nr;
}

static void show_kernel(struct output *out, const struct subject *subject,
			const struct kvmw_judgement *judgement)
{
	output_begin(out, NULL, kernel_columns, NR_COLS);
	output_string(out, COL_KIND, "kernel");
	output_string(out, COL_NAME, subject->kvm.release);
	output_string(out, COL_BY, judgement->typed ? "BTF" : "none");
	output_string(out, COL_KVM, subject->kvm_path);
	if (*subject->vmlinux_path)
		output_string(out, COL_VMLINUX, subject->vmlinux_path);
	output_u64(out, COL_PROVEN, count(judgement, KVMW_PROVEN), NULL);
	output_u64(out, COL_TESTED, count(judgement, KVMW_TESTED), NULL);
	output_u64(out, COL_ABSENT, count(judgement, KVMW_ABSENT), NULL);
	output_u64(out, COL_UNAVAILABLE, count(judgement, KVMW_UNAVAILABLE), NULL);
	output_u64(out, COL_TIME, now_ns(), NULL);
	output_row(out);
	output_end(out);
}

static const char *via(const struct subject *subject, const struct kvmw_verdict *verdict)
{
	if (verdict->event)
		return "tracepoint";
	if (verdict->whole)
		return "kretprobe";
	return kvm_file_traced(&subject->kvm, verdict->symbol) ? "ftrace" : "kprobe";
}

static void show_verdict(struct output *out, const struct subject *subject,
			 const struct kvmw_verdict *verdict)
{
	output_string(out, COL_KIND, "hook");
	output_string(out, COL_NAME, verdict->hook);
	output_string(out, COL_TRUST, kvmw_trust_name(verdict->trust));
	if (verdict->symbol)
		output_string(out, COL_FUNCTION, verdict->symbol);
	if (verdict->trust >= KVMW_TESTED) {
		output_string(out, COL_FORM, verdict->form);
		output_string(out, COL_VIA, via(subject, verdict));
		output_string(out, COL_BY, verdict->by);
	} else {
		output_string(out, COL_REASON, verdict->reason);
	}
	output_u64(out, COL_TIME, now_ns(), NULL);
	output_row(out);
}

static int show(const struct subject *subject, const struct kvmw_judgement *judgement,
		const struct options *options)
{
	struct output out;
	size_t i;
	int err;

	err = options_output(options, &out);
	if (err)
		return err;
	show_kernel(&out, subject, judgement);
	output_begin(&out, NULL, hook_columns, NR_COLS);
	for (i = 0; i < judgement->nr; i++)
		show_verdict(&out, subject, &judgement->verdicts[i]);
	output_end(&out);
	err = output_flush(&out);
	if (err)
		return complain_output(err);
	return count(judgement, KVMW_UNAVAILABLE) ? EXIT_DOES_NOT : EXIT_DONE;
}

static int check(struct subject *subject, const struct options *options)
{
	struct kvmw_subject judged = {
		.release = subject->kvm.release,
		.symbols = &subject->kvm.symbols,
		.complete = true,
		.untyped = "kvm.ko has no types (BTF)",
	};
	struct kvmw_judgement judgement;
	const char *wrong;
	int code;

	code = read_subject(subject, options);
	if (code)
		return code;
	judged.code = subject->kvm.code;
	judged.nr_code = subject->kvm.nr_code;
	if (subject->kvm.types.data)
		judged.btf = &subject->btf;
	wrong = kvmw_judge(&judgement, &judged);
	if (wrong)
		return complain(subject->kvm_path, "%s", wrong);
	return show(subject, &judgement, options);
}

static int run(const struct cmd *cmd, int argc, char **argv)
{
	struct subject *subject;
	struct options options;
	int code;

	code = options_parse(cmd, argc, argv, &options);
	if (code >= 0)
		return code;
	subject = calloc(1, sizeof(*subject));
	if (!subject)
		return complain("check", "no memory");
	code = check(subject, &options);
	free_subject(subject);
	return code;
}

static const struct output_columns tables[] = { OUTPUT_COLUMNS(hook_columns), { } };

static const struct opt *const options[] = {
	OPTS_TABLE, &opt_help, NULL
};

const struct cmd cmd_check = {
	.name		= "check",
	.summary	= "which hooks a kvm.ko would get, and by what proof",
	.about		=
		"Judge a kvm.ko that is installed, or only unpacked somewhere: which hooks kvmwatch would\n"
		"have there. Nothing is loaded; the module need not be. Without a path, the kvm.ko of\n"
		"the running kernel. VMLINUX is the kernel's image (vmlinuz), vmlinux, or its BTF alone;\n"
		"it is found where distributions have it. Each hook is proven (kvm.ko itself says so),\n"
		"tested (kvm.ko does not say; kvmwatch's tests pass on that build), absent (this KVM\n"
		"has no such thing, or needs none) or unavailable. Exit status 3: one is unavailable.",
	.operand	= "KVM.KO",
	.second		= "VMLINUX",
	.options	= options,
	.tables		= tables,
	.run		= run,
};
