/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What kvmwatch's hooks are worth on a kvm.ko, by the rules of rules.h. The module asks when it
 * attaches, "kvmwatch check" of a file.
 */
#ifndef KVMW_PROOF_JUDGE_H
#define KVMW_PROOF_JUDGE_H

#include "proof/btf.h"
#include "proof/code.h"
#include "proof/symbols.h"

enum kvmw_trust {
	KVMW_UNAVAILABLE,	/* why says reason */
	KVMW_ABSENT,		/* there is none, and none is needed: reason */
	KVMW_TESTED,		/* kvm.ko does not say; the tests passed on such builds */
	KVMW_PROVEN,		/* kvm.ko says so itself */
};

#define KVMW_WHY_SIZE	320

struct kvmw_verdict {
	const char *hook;
	bool event;		/* a tracepoint, not a function */
	enum kvmw_trust trust;
	const char *symbol;	/* in kvm.ko; NULL: there is none */
	const char *form;	/* which handler's; NULL: unknown */
	const char *by;		/* what proves it */
	bool whole;		/* from its entry to its return */
	bool needless;		/* absent, as others see it all */
	char reason[KVMW_WHY_SIZE];
};

#define KVMW_MAX_VERDICTS	40

struct kvmw_judgement {
	const char *tested;	/* forms on tested builds, if it is like one; or NULL */
	bool typed;		/* kvm.ko has types, and they could be read */
	struct kvmw_verdict verdicts[KVMW_MAX_VERDICTS];
	size_t nr;
};

/* What is judged: a kvm.ko. */
struct kvmw_subject {
	const char *release;		/* NULL: of whoever it is, the tests were not run on it */
	struct kvmw_symbols *symbols;
	bool complete;			/* what only initialises it has not gone yet */
	const struct kvmw_code *code;	/* all that runs after it was loaded */
	size_t nr_code;
	const struct kvmw_btf *btf;	/* based on vmlinux's; NULL: untyped says why */
	const char *untyped;
	/* Do public headers that we were built with have what the form says? NULL: nobody knows. */
	bool (*declared)(const char *hook, const char *form);
};

/* Judge all hooks. Returns NULL, or why nothing can be said. */
const char *kvmw_judge(struct kvmw_judgement *judgement, const struct kvmw_subject *subject);

/* NULL: no rule is about such a hook. */
const struct kvmw_verdict *kvmw_verdict_of(const struct kvmw_judgement *judgement,
					   const char *hook);

const char *kvmw_trust_name(enum kvmw_trust trust);

/* Does a release look like "6.12.#+deb12-amd64"? # is any number, * all the rest. */
bool kvmw_release_is(const char *release, const char *pattern);

#endif /* KVMW_PROOF_JUDGE_H */
