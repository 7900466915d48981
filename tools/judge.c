// SPDX-License-Identifier: GPL-2.0
/* What kvmwatch's hooks would be worth on a kvm.ko. See judge.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "judge.h"
#include "proof/rules.h"

struct rule {
	const char *hook;
	const char *form;
	const char *symbol;
	const char *prototype;
};

#define RULE(hook, form, symbol, prototype)	{ #hook, #form, symbol, prototype },
static const struct rule function_rules[] = { KVMW_FUNCTION_RULES(RULE) };
static const struct rule event_rules[] = { KVMW_EVENT_RULES(RULE) };
#undef RULE

#define NR(array)	(sizeof(array) / sizeof(*(array)))

static const struct {
	const char *hook;
	const char *why;
} optional_hooks[] = {
#define HOOK(hook, why)	{ #hook, why },
	KVMW_OPTIONAL_HOOKS(HOOK)
#undef HOOK
};

static const struct member_rule {
	const char *hook;
	const char *form;	/* NULL: any */
	const char *structure;
	const char *member;
	__u32 offset;
	__u32 size, other_size;
} member_rules[] = {
#define MEMBER(hook, structure, member, offset, size, other)	\
	{ #hook, NULL, structure, member, offset, size, other },
	KVMW_MEMBER_RULES(MEMBER)
#undef MEMBER
#define MEMBER(hook, structure, member, offset, size, other)	\
	{ #hook, "page", structure, member, offset, size, other },
	KVMW_MEMBER_RULES_PAGE(MEMBER)
#undef MEMBER
};

static const char *const pages_hooks[] = {
#define HOOK(hook)	#hook,
	KVMW_PAGES_HOOKS(HOOK)
#undef HOOK
};

static const struct {
	const char *hook;
	const char *called;
	const char *other;	/* may call it too; NULL: none */
} called_rules[] = {
#define CALLED(hook, called, other)	{ #hook, called, other },
	KVMW_CALLED_RULES(CALLED)
#undef CALLED
};

static const struct {
	const char *pattern;
	const char *forms;
} tested_builds[] = {
#define BUILD(pattern, forms)	{ pattern, forms },
	KVMW_TESTED_BUILDS(BUILD)
#undef BUILD
};

/* What is judged, and what was found so far */
struct court {
	const struct kvm_file *kvm;
	const struct kvmw_btf *btf;
	struct judgement *judgement;
};

const char *trust_name(enum trust trust)
{
	static const char *const names[] = {
		[TRUST_UNAVAILABLE] = "unavailable", [TRUST_ABSENT] = "absent",
		[TRUST_TESTED] = "tested", [TRUST_PROVEN] = "proven",
	};

	return names[trust];
}

bool release_is(const char *release, const char *pattern)
{
	size_t digits;

	for (; *pattern; pattern++) {
		if (*pattern != '#') {
			if (*release++ != *pattern)
				return false;
			continue;
		}
		digits = strspn(release, "0123456789");
		if (!digits)
			return false;
		release += digits;
	}
	return !*release;
}

/* The forms on tested builds like this one, or NULL */
static const char *tested_forms(const char *release)
{
	size_t i;

	for (i = 0; i < NR(tested_builds); i++)
		if (release_is(release, tested_builds[i].pattern))
			return tested_builds[i].forms;
	return NULL;
}

static bool is_among(const char *forms, const char *form)
{
	size_t length = strlen(form);

	for (; *forms; forms += strspn(forms, " ")) {
		if (strcspn(forms, " ") == length && !memcmp(forms, form, length))
			return true;
		forms += strcspn(forms, " ");
	}
	return false;
}

static void __printf(3, 4) say(struct verdict *verdict, enum trust trust, const char *why, ...)
{
	va_list args;

	verdict->trust = trust;
	va_start(args, why);
	vsnprintf(verdict->reason, sizeof(verdict->reason), why, args);
	va_end(args);
}

static struct verdict *verdict_of(struct judgement *judgement, const char *hook)
{
	size_t i;

	for (i = 0; i < judgement->nr; i++)
		if (!strcmp(judgement->verdicts[i].hook, hook))
			return &judgement->verdicts[i];
	return NULL;
}

static bool is_there(const struct verdict *verdict)
{
	return verdict && verdict->trust >= TRUST_TESTED;
}

static const char *optional_why(const char *hook)
{
	size_t i;

	for (i = 0; i < NR(optional_hooks); i++)
		if (!strcmp(optional_hooks[i].hook, hook))
			return optional_hooks[i].why;
	return NULL;
}

static void prove(struct verdict *verdict, const struct rule *rule, const char *by)
{
	verdict->trust = TRUST_PROVEN;
	verdict->form = rule->form;
	verdict->by = by;
}

/* kvm.ko tells nothing: believed on builds that the tests were run on. */
static void believe(const struct court *court, struct verdict *verdict, const struct rule *rule)
{
	const char *forms = court->judgement->tested;

	if (forms && is_among(forms, rule->form)) {
		verdict->trust = TRUST_TESTED;
		verdict->form = rule->form;
		verdict->by = "release";
		return;
	}
	say(verdict, TRUST_UNAVAILABLE,
	    "kvm.ko has no types (BTF), and the tests were not run on such a build");
}

/* --- functions ------------------------------------------------------------- */

/* What the compiler made of a function besides it, or instead: what it calls it, or NULL. */
static const char *clone_of(const struct kvm_file *kvm, const char *name)
{
	static const char *const suffixes[] = { ".part.", ".isra.", ".constprop.", ".llvm." };
	size_t length = strlen(name), i, j;
	const char *its;

	for (i = 0; i < kvm->nr_symbols; i++) {
		its = kvm->symbols[i].name;
		if (!kvm->symbols[i].function || strncmp(its, name, length))
			continue;
		/* Its unlikely part is a part of it. */
		if (strstr(its, ".cold"))
			continue;
		for (j = 0; j < NR(suffixes); j++)
			if (!strncmp(its + length, suffixes[j], strlen(suffixes[j])))
				return its;
	}
	return NULL;
}

/* Is the first function that the hook's rules name, and kvm.ko has, whole? */
static bool is_whole(const struct court *court, struct verdict *verdict, const char *symbol)
{
	const char *clone = clone_of(court->kvm, symbol);
	const struct kvm_symbol *function;
	bool several;

	function = kvm_file_function(court->kvm, symbol, &several);
	if (several) {
		say(verdict, TRUST_UNAVAILABLE, "kvm.ko has more than one function %s", symbol);
		return false;
	}
	if (clone) {
		say(verdict, TRUST_UNAVAILABLE,
		    "the compiler made %s besides %s: some may call that", clone, symbol);
		return false;
	}
	verdict->traced = kvm_file_traced(court->kvm, function);
	return true;
}

static bool has_function(const struct court *court, const char *symbol)
{
	bool several;

	return kvm_file_function(court->kvm, symbol, &several) || several;
}

/* All functions of kvm.ko have their types there; of two with one name it is not known whose. */
static __u32 function_type(const struct court *court, const char *symbol)
{
	__u32 first = court->btf->base.nr + 1, id, other;

	id = kvmw_btf_find(court->btf, KVMW_BTF_FUNC, symbol, first);
	if (!id)
		return 0;
	other = kvmw_btf_find(court->btf, KVMW_BTF_FUNC, symbol, id + 1);
	return other ? 0 : id;
}

static bool needs_no_arguments(const struct rule *rule)
{
	return !strcmp(rule->prototype, "? (...)");
}

static void judge_arguments(const struct court *court, struct verdict *verdict,
			    const struct rule *rule)
{
	char found[200];
	__u32 id;

	if (needs_no_arguments(rule)) {
		verdict->whole = true;
		prove(verdict, rule, "symbol");
		return;
	}
	if (!court->btf) {
		believe(court, verdict, rule);
		return;
	}
	id = function_type(court, rule->symbol);
	if (!id) {
		say(verdict, TRUST_UNAVAILABLE, "kvm.ko's types (BTF) have no function %s, or two",
		    rule->symbol);
		return;
	}
	if (kvmw_btf_is_function(court->btf, id, rule->prototype, 0)) {
		prove(verdict, rule, "BTF");
		return;
	}
	kvmw_btf_print_function(court->btf, id, found, sizeof(found));
	say(verdict, TRUST_UNAVAILABLE, "it is not the function that kvmwatch knows: %s", found);
}

/* No function of those names: is it known, by another name? */
static void judge_missing(const struct court *court, struct verdict *verdict,
			  const struct rule *rule)
{
	const char *optional = optional_why(rule->hook);
	const char *clone = clone_of(court->kvm, rule->symbol);

	if (clone)
		say(verdict, TRUST_UNAVAILABLE,
		    "kvm.ko has %s only as %s, which the compiler changed", rule->symbol, clone);
	else if (optional)
		say(verdict, TRUST_ABSENT, "%s", optional);
	else
		say(verdict, TRUST_UNAVAILABLE, "kvm.ko has no function %s", rule->symbol);
}

/*
 * The first rule that holds. What is said when none does is about the first function that is there.
 */
static void judge_function(const struct court *court, struct verdict *verdict,
			   const struct rule *rule, const struct rule *end)
{
	const struct rule *first = rule;
	struct verdict tried;

	for (; rule < end && !strcmp(rule->hook, first->hook); rule++) {
		if (!has_function(court, rule->symbol))
			continue;
		tried = (struct verdict){ .hook = verdict->hook, .symbol = rule->symbol };
		if (is_whole(court, &tried, rule->symbol))
			judge_arguments(court, &tried, rule);
		if (!verdict->symbol || is_there(&tried))
			*verdict = tried;
		if (is_there(verdict))
			return;
	}
	if (!verdict->symbol)
		judge_missing(court, verdict, first);
}

/* --- events ---------------------------------------------------------------- */

static void judge_event_types(const struct court *court, struct verdict *verdict,
			      const struct rule *rule)
{
	char name[96], found[200];
	__u32 id;

	if (!court->btf) {
		believe(court, verdict, rule);
		return;
	}
	snprintf(name, sizeof(name), "btf_trace_%s", rule->symbol);
	id = kvmw_btf_find(court->btf, KVMW_BTF_TYPEDEF, name, court->btf->base.nr + 1);
	if (!id) {
		say(verdict, TRUST_UNAVAILABLE, "kvm.ko's types (BTF) have no %s", name);
		return;
	}
	/* The first argument is the one that its handler was registered with. */
	if (kvmw_btf_is_function(court->btf, id, rule->prototype, 1)) {
		prove(verdict, rule, "BTF");
		return;
	}
	kvmw_btf_print_function(court->btf, id, found, sizeof(found));
	say(verdict, TRUST_UNAVAILABLE, "it is not the event that kvmwatch knows: %s", found);
}

static void judge_event(const struct court *court, struct verdict *verdict,
			const struct rule *rule, const struct rule *end)
{
	const char *optional = optional_why(rule->hook);
	const struct rule *first = rule;
	char name[96];

	verdict->event = true;
	snprintf(name, sizeof(name), "__tracepoint_%s", rule->symbol);
	if (!kvm_file_has(court->kvm, name)) {
		if (optional)
			say(verdict, TRUST_ABSENT, "%s", optional);
		else
			say(verdict, TRUST_UNAVAILABLE, "kvm.ko has no tracepoint %s",
			    rule->symbol);
		return;
	}
	verdict->symbol = rule->symbol;
	for (; rule < end && !strcmp(rule->hook, first->hook) && !is_there(verdict); rule++)
		judge_event_types(court, verdict, rule);
	if (is_there(verdict))
		*verdict->reason = '\0';
}

/* --- structures ------------------------------------------------------------ */

static void judge_member(const struct court *court, struct verdict *verdict,
			 const struct member_rule *rule)
{
	struct kvmw_btf_member member;
	__u32 id = kvmw_btf_find(court->btf, KVMW_BTF_STRUCT, rule->structure, 0);

	if (!id || !kvmw_btf_member(court->btf, id, rule->member, &member))
		say(verdict, TRUST_UNAVAILABLE, "struct %s has no member %s", rule->structure,
		    rule->member);
	else if (member.bit != 8 * rule->offset)
		say(verdict, TRUST_UNAVAILABLE, "struct %s has %s at %u, not at %u",
		    rule->structure, rule->member, member.bit / 8, rule->offset);
	else if (member.size != rule->size && member.size != rule->other_size)
		say(verdict, TRUST_UNAVAILABLE, "%s of struct %s has %u bytes, not %u",
		    rule->member, rule->structure, member.size, rule->size);
}

static void judge_members(const struct court *court)
{
	const struct member_rule *rule;
	struct verdict *verdict;

	if (!court->btf)
		return;
	for (rule = member_rules; rule < member_rules + NR(member_rules); rule++) {
		verdict = verdict_of(court->judgement, rule->hook);
		if (!is_there(verdict) || (rule->form && strcmp(rule->form, verdict->form)))
			continue;
		judge_member(court, verdict, rule);
		if (is_there(verdict))
			verdict->by = "BTF, layout";
	}
}

/* --- the census ------------------------------------------------------------ */

static bool is_pages_hook(const char *hook)
{
	size_t i;

	for (i = 0; i < NR(pages_hooks); i++)
		if (!strcmp(pages_hooks[i], hook))
			return true;
	return false;
}

/* Of all hooks on page tables: what one of them misses makes their sums wrong. */
static void refuse_pages(const struct court *court, const char *why)
{
	struct verdict *verdict;
	size_t i;

	for (i = 0; i < NR(pages_hooks); i++) {
		verdict = verdict_of(court->judgement, pages_hooks[i]);
		if (is_there(verdict))
			say(verdict, TRUST_UNAVAILABLE, "%s", why);
	}
}

/* Where kvm->stat.pages[] is; false: there is no such thing, or one and another. */
static bool find_pages(const struct kvmw_btf *btf, __u32 *offset)
{
	__u32 kvm = kvmw_btf_find(btf, KVMW_BTF_STRUCT, "kvm", 0), other;
	__u32 stat = kvmw_btf_find(btf, KVMW_BTF_STRUCT, "kvm_vm_stat", 0);
	struct kvmw_btf_member in_kvm, in_stat, again;

	if (!kvm || !stat || !kvmw_btf_member(btf, kvm, "stat", &in_kvm) ||
	    !kvmw_btf_member(btf, stat, "pages", &in_stat) ||
	    in_stat.size != 8 * KVMW_PAGES_LEVELS)
		return false;
	/* Linkers of types at times keep copies of one structure. */
	for (other = kvm; other; other = kvmw_btf_find(btf, KVMW_BTF_STRUCT, "kvm", other + 1))
		if (!kvmw_btf_member(btf, other, "stat", &again) || again.bit != in_kvm.bit)
			return false;
	*offset = (in_kvm.bit + in_stat.bit) / 8;
	return true;
}

/* Is an address in the function of that name, or in its unlikely part? */
static bool is_in(const struct kvm_symbol *owner, const char *name)
{
	size_t length = strlen(name);

	return owner && !strncmp(owner->name, name, length) &&
	       (!owner->name[length] || !strcmp(owner->name + length, ".cold"));
}

/* The hook of those on page tables whose function an address is in, or NULL. */
static struct verdict *pages_hook_at(const struct court *court, const struct kvm_symbol *owner)
{
	struct verdict *verdict;
	size_t i;

	for (i = 0; i < NR(pages_hooks); i++) {
		verdict = verdict_of(court->judgement, pages_hooks[i]);
		if (is_there(verdict) && is_in(owner, verdict->symbol))
			return verdict;
	}
	return NULL;
}

static bool is_split(const struct kvmw_change *change, const struct kvm_symbol *owner)
{
	return change->constant && change->by == KVMW_SPLIT_PARTS && owner &&
	       !strncmp(owner->name, KVMW_SPLIT_FUNCTIONS, strlen(KVMW_SPLIT_FUNCTIONS));
}

/* Returns how many changes were in functions of hooks, or -1: others change it, too. */
static int count_changes(const struct court *court, const struct kvmw_code *code, __u32 offset,
			 bool seen[MAX_VERDICTS])
{
	const struct kvm_symbol *owner;
	struct kvmw_change change;
	struct verdict *verdict;
	char why[320];
	size_t at = 0;
	int nr = 0;

	for (; kvmw_code_change(code, at, offset, KVMW_PAGES_LEVELS, &change); at = change.at + 1) {
		owner = kvm_file_owner(court->kvm, code->address + change.at);
		verdict = pages_hook_at(court, owner);
		if (verdict) {
			seen[verdict - court->judgement->verdicts] = true;
			nr++;
			continue;
		}
		if (is_split(&change, owner))
			continue;
		snprintf(why, sizeof(why),
			 "%s changes kvm->stat.pages[], and is not one of the functions that are hooked",
			 owner ? owner->name : "code without a symbol");
		refuse_pages(court, why);
		return -1;
	}
	return nr;
}

static void judge_pages(const struct court *court)
{
	bool seen[MAX_VERDICTS] = { false };
	struct verdict *verdict;
	__u32 offset;
	size_t i;

	if (!court->btf)
		return;
	if (!find_pages(court->btf, &offset)) {
		refuse_pages(court,
			     "KVM keeps no kvm->stat.pages[], so nothing proves that hooks see all");
		return;
	}
	for (i = 0; i < court->kvm->nr_code; i++)
		if (count_changes(court, &court->kvm->code[i], offset, seen) < 0)
			return;
	for (i = 0; i < court->judgement->nr; i++) {
		verdict = &court->judgement->verdicts[i];
		if (!is_pages_hook(verdict->hook) || !is_there(verdict))
			continue;
		if (seen[i] || optional_why(verdict->hook))
			verdict->by = !strcmp(verdict->by, "BTF") ? "BTF, census" :
				      "BTF, layout, census";
		else
			say(verdict, TRUST_UNAVAILABLE, "%s does not change kvm->stat.pages[]",
			    verdict->symbol);
	}
}

/*
 * A caller of it that is neither the hook's function nor @other. Counts the calls of the hook's
 * function.
 */
static const char *other_caller(const struct court *court, const struct verdict *verdict,
				const char *called, const char *other, int *calls)
{
	const struct kvm_symbol *target, *owner;
	const struct kvmw_code *code;
	bool several;
	size_t at;

	*calls = 0;
	target = kvm_file_function(court->kvm, called, &several);
	if (!target)
		return NULL;
	for (code = court->kvm->code; code < court->kvm->code + court->kvm->nr_code; code++) {
		for (at = 0; kvmw_code_call(code, at, target->address, &at); at++) {
			owner = kvm_file_owner(court->kvm, code->address + at);
			if (owner == target)
				continue;
			if (is_in(owner, verdict->symbol))
				++*calls;
			else if (!other || !is_in(owner, other))
				return owner ? owner->name : "code without a symbol";
		}
	}
	return NULL;
}

static void judge_calls(const struct court *court)
{
	struct verdict *verdict;
	const char *other;
	size_t i;
	int calls;

	for (i = 0; i < NR(called_rules); i++) {
		verdict = verdict_of(court->judgement, called_rules[i].hook);
		if (!verdict || verdict->trust != TRUST_PROVEN)
			continue;
		other = other_caller(court, verdict, called_rules[i].called,
				     called_rules[i].other, &calls);
		if (other)
			say(verdict, TRUST_UNAVAILABLE, "%s calls %s, as if it were %s", other,
			    called_rules[i].called, verdict->symbol);
		else if (calls != 1)
			say(verdict, TRUST_UNAVAILABLE, "%s calls %s %d times, not once",
			    verdict->symbol, called_rules[i].called, calls);
		else
			verdict->by = "BTF, census";
	}
}

/* --- all of it ------------------------------------------------------------- */

/* Where the mark has the VM among its arguments, it is one function; the other two call it. */
static void judge_marks(const struct court *court)
{
	static const char *const others[] = { "dirty_mark_vm", "dirty_mark_vcpu" };
	struct verdict *mark = verdict_of(court->judgement, "dirty_mark"), *verdict;
	size_t i;

	if (!mark->form || !strcmp(mark->form, "bare"))
		return;
	for (i = 0; i < NR(others); i++) {
		verdict = verdict_of(court->judgement, others[i]);
		verdict->symbol = NULL;
		verdict->form = NULL;
		verdict->by = NULL;
		say(verdict, TRUST_ABSENT, "%s", optional_why(others[i]));
	}
}

static void judge_all(const struct court *court, const struct rule *rules, size_t nr,
		      void (*judge_one)(const struct court *court, struct verdict *verdict,
					const struct rule *rule, const struct rule *end))
{
	struct judgement *judgement = court->judgement;
	struct verdict *verdict;
	size_t i;

	for (i = 0; i < nr; i++) {
		if (verdict_of(judgement, rules[i].hook) || judgement->nr == MAX_VERDICTS)
			continue;
		verdict = &judgement->verdicts[judgement->nr++];
		verdict->hook = rules[i].hook;
		judge_one(court, verdict, rules + i, rules + nr);
	}
}

/* Are the types those of this kvm.ko? All functions that they have, it has, or changed. */
static const char *foreign_function(const struct court *court)
{
	struct kvmw_btf_type type;
	__u32 id = court->btf->base.nr + 1;

	for (; id <= court->btf->base.nr + court->btf->split.nr; id++) {
		kvmw_btf_get(court->btf, id, &type);
		if (type.kind == KVMW_BTF_FUNC && !kvm_file_has(court->kvm, type.name) &&
		    !clone_of(court->kvm, type.name))
			return type.name;
	}
	return NULL;
}

const char *judge(struct judgement *judgement, const struct kvm_file *kvm,
		  const struct kvmw_btf *btf)
{
	const struct court court = { kvm, btf, judgement };

	memset(judgement, 0, sizeof(*judgement));
	judgement->tested = tested_forms(kvm->release);
	judgement->typed = btf;
	if (btf && foreign_function(&court))
		return "its types (BTF) are of another build: they have functions that it lacks";
	judge_all(&court, function_rules, NR(function_rules), judge_function);
	judge_all(&court, event_rules, NR(event_rules), judge_event);
	judge_marks(&court);
	judge_members(&court);
	judge_pages(&court);
	judge_calls(&court);
	return NULL;
}
