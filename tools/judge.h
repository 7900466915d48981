/* SPDX-License-Identifier: GPL-2.0 */
/* What kvmwatch's hooks would be worth on a kvm.ko, by the rules of tools/proof/rules.h. */
#ifndef KVMWATCH_JUDGE_H
#define KVMWATCH_JUDGE_H

#include "kvm_file.h"

enum trust {
	TRUST_UNAVAILABLE,	/* why says reason */
	TRUST_ABSENT,		/* there is none, and none is needed: reason */
	TRUST_TESTED,		/* kvm.ko does not say; the tests passed on such builds */
	TRUST_PROVEN,		/* kvm.ko says so itself */
};

struct verdict {
	const char *hook;
	bool event;		/* a tracepoint, not a function */
	enum trust trust;
	const char *symbol;	/* in kvm.ko; NULL: there is none */
	const char *form;	/* which handler's; NULL: unknown */
	const char *by;		/* what proves it */
	bool traced;		/* a function with a site of ftrace's */
	bool whole;		/* from its entry to its return */
	char reason[320];
};

#define MAX_VERDICTS	40

struct judgement {
	const char *tested;	/* forms on tested builds, if it is like one; or NULL */
	bool typed;		/* kvm.ko has types, and they could be read */
	struct verdict verdicts[MAX_VERDICTS];
	size_t nr;
};

/*
 * Judge all hooks. @btf: of kvm.ko, based on vmlinux's; NULL: kvm.ko has none. Returns NULL, or why
 * nothing can be said.
 */
const char *judge(struct judgement *judgement, const struct kvm_file *kvm,
		  const struct kvmw_btf *btf);

const char *trust_name(enum trust trust);

/* Does a release look like "6.12.#+deb12-amd64", where # is any number? */
bool release_is(const char *release, const char *pattern);

#endif /* KVMWATCH_JUDGE_H */
