// SPDX-License-Identifier: GPL-2.0
/* What kvmwatch's hooks are worth on a kvm.ko. See judge.h. */
#include "proof/judge.h"
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
	bool needless;
	const char *why;
} optional_hooks[] = {
#define HOOK(hook, needless, why)	{ #hook, needless, why },
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

static const struct {
	const char *hook;
	const char *symbol;
	const char *part;
} part_rules[] = {
#define PART(hook, symbol, part)	{ #hook, symbol, part },
	KVMW_PART_RULES(PART)
#undef PART
};

static const char nameless[] = "code without a symbol";

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

static const char *const pointer_hooks[] = {
#define HOOK(hook)	#hook,
	KVMW_POINTER_HOOKS(HOOK)
#undef HOOK
};

static const struct {
	const char *function;
	const char *caller;
} caller_rules[] = {
#define CALLER(function, caller)	{ function, caller },
	KVMW_CALLER_RULES(CALLER)
#undef CALLER
};

static const struct {
	const char *pattern;
	const char *forms;
} tested_builds[] = {
#define BUILD(pattern, forms)	{ pattern, forms },
	KVMW_TESTED_BUILDS(BUILD)
#undef BUILD
};

/* Members' structures, then events' types, a row of event_rules each. */
enum { MMU_PAGE, RMAP_HEAD, LIST_DESC, NR_STRUCTURES };
#define NR_WANTED	(NR_STRUCTURES + NR(event_rules))

/* What is judged, and what was found so far */
struct court {
	const struct kvmw_subject *subject;
	const struct kvmw_symbols *symbols;
	const struct kvmw_btf *btf;
	struct kvmw_judgement *judgement;
	struct kvmw_btf_wanted wanted[NR_WANTED];
	struct kvmw_callee callees[NR(function_rules)];	/* a row's; 0: none */
};

const char *kvmw_trust_name(enum kvmw_trust trust)
{
	static const char *const names[] = {
		[KVMW_UNAVAILABLE] = "unavailable", [KVMW_ABSENT] = "absent",
		[KVMW_TESTED] = "tested", [KVMW_PROVEN] = "proven",
	};

	return names[trust];
}

bool kvmw_release_is(const char *release, const char *pattern)
{
	size_t digits;

	for (; *pattern && *pattern != '*'; pattern++) {
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
	return *pattern || !*release;
}

/* The forms on tested builds like this one, or NULL */
static const char *tested_forms(const char *release)
{
	size_t i;

	for (i = 0; release && i < NR(tested_builds); i++)
		if (kvmw_release_is(release, tested_builds[i].pattern))
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

static bool is_one_of(const char *const *hooks, size_t nr, const char *hook)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (!strcmp(hooks[i], hook))
			return true;
	return false;
}

static void __printf(3, 4) say(struct kvmw_verdict *verdict, enum kvmw_trust trust,
			       const char *why, ...)
{
	va_list args;

	verdict->trust = trust;
	va_start(args, why);
	vsnprintf(verdict->reason, sizeof(verdict->reason), why, args);
	va_end(args);
}

static struct kvmw_verdict *verdict_of(struct kvmw_judgement *judgement, const char *hook)
{
	size_t i;

	for (i = 0; i < judgement->nr; i++)
		if (!strcmp(judgement->verdicts[i].hook, hook))
			return &judgement->verdicts[i];
	return NULL;
}

const struct kvmw_verdict *kvmw_verdict_of(const struct kvmw_judgement *judgement,
					   const char *hook)
{
	return verdict_of((struct kvmw_judgement *)judgement, hook);
}

static bool is_there(const struct kvmw_verdict *verdict)
{
	return verdict && verdict->trust >= KVMW_TESTED;
}

/* False: it is not one of those that a kvm.ko can do without. */
static bool is_optional(const char *hook)
{
	size_t i;

	for (i = 0; i < NR(optional_hooks); i++)
		if (!strcmp(optional_hooks[i].hook, hook))
			return true;
	return false;
}

static void be_absent(struct kvmw_verdict *verdict)
{
	size_t i;

	for (i = 0; i < NR(optional_hooks); i++) {
		if (strcmp(optional_hooks[i].hook, verdict->hook))
			continue;
		verdict->needless = optional_hooks[i].needless;
		say(verdict, KVMW_ABSENT, "%s", optional_hooks[i].why);
	}
}

static void prove(struct kvmw_verdict *verdict, const struct rule *rule, const char *by)
{
	verdict->trust = KVMW_PROVEN;
	verdict->form = rule->form;
	verdict->by = by;
}

/*
 * kvm.ko tells nothing: proven where the compiler has compared with its public headers, believed
 * on builds that the tests were run on.
 */
static void believe(const struct court *court, struct kvmw_verdict *verdict,
		    const struct rule *rule)
{
	const char *forms = court->judgement->tested;

	if (forms && is_among(forms, rule->form)) {
		verdict->trust = KVMW_TESTED;
		verdict->form = rule->form;
		verdict->by = "release";
		return;
	}
	if (court->subject->declared && court->subject->declared(rule->hook, rule->form)) {
		prove(verdict, rule, "headers");
		return;
	}
	say(verdict, KVMW_UNAVAILABLE, "%s, and the tests were not run on such a build",
	    court->subject->untyped);
}

/* --- functions ------------------------------------------------------------- */

static void refuse_clone(struct kvmw_verdict *verdict, const char *clone)
{
	say(verdict, KVMW_UNAVAILABLE, "the compiler made %s besides %s: some may call that",
	    clone, verdict->symbol);
}

/* Is the function the only one of its name, and did the compiler make no other but @part of it? */
static bool is_whole(const struct court *court, struct kvmw_verdict *verdict, const char *part)
{
	const struct kvmw_symbol *clone;
	bool several;

	kvmw_symbols_function(court->symbols, verdict->symbol, &several);
	if (several) {
		say(verdict, KVMW_UNAVAILABLE, "kvm.ko has more than one function %s",
		    verdict->symbol);
		return false;
	}
	clone = kvmw_symbols_clone(court->symbols, verdict->symbol, part);
	if (clone)
		refuse_clone(verdict, clone->name);
	return !clone;
}

/* The code that a function is in; false: it is in none. */
static bool code_of(const struct court *court, const struct kvmw_symbol *function,
		    struct kvmw_code *body)
{
	const struct kvmw_subject *subject = court->subject;
	const struct kvmw_code *code;
	unsigned long at;

	for (code = subject->code; code < subject->code + subject->nr_code; code++) {
		at = function->address - code->address;
		if (at >= code->size || function->size > code->size - at)
			continue;
		*body = (struct kvmw_code){ code->bytes + at, function->size, function->address };
		return true;
	}
	return false;
}

/* Not just bytes of another one. Yes, if nobody knows what function it is in. */
static bool is_instruction(const void *court, const struct kvmw_code *code, size_t at)
{
	const struct kvmw_symbols *symbols = ((const struct court *)court)->symbols;
	const struct kvmw_symbol *function = kvmw_symbols_at(symbols, code->address + at);

	return !function || function->address < code->address ||
	       kvmw_code_begins(code, function->address - code->address, at);
}

/* Does a function call another one, or one that does, @between of them at most? */
static bool leads_to(const struct court *court, const struct kvmw_symbol *from,
		     unsigned long target, int between)
{
	const struct kvmw_symbol *next;
	struct kvmw_callee callee = { target, 0, false };
	struct kvmw_code body;
	unsigned long to;
	size_t at;

	if (!code_of(court, from, &body))
		return false;
	kvmw_code_callees(&body, &callee, 1, is_instruction, court);
	for (at = 0; between && !callee.called && kvmw_code_branch(&body, at, &at, &to); at++) {
		next = to - from->address < from->size ? NULL : kvmw_symbols_at(court->symbols, to);
		callee.called = next && leads_to(court, next, target, between - 1) &&
				is_instruction(court, &body, at);
	}
	return callee.called;
}

/* A caller that does not call a function, as it has a copy of it; NULL: none is known. */
static const char *copying_caller(const struct court *court, const char *function,
				  unsigned long address)
{
	const struct kvmw_symbol *caller;
	bool several;
	size_t i;

	for (i = 0; i < NR(caller_rules); i++) {
		if (strcmp(caller_rules[i].function, function))
			continue;
		caller = kvmw_symbols_function(court->symbols, caller_rules[i].caller, &several);
		if (caller && !leads_to(court, caller, address, 1))
			return caller->name;
	}
	return NULL;
}

/* Do others call the function, so that what it does is not done by copies? */
static bool is_called(const struct court *court, struct kvmw_verdict *verdict,
		      const struct rule *rule)
{
	const struct kvmw_callee *callee = &court->callees[rule - function_rules];
	const char *caller;

	if (is_one_of(pointer_hooks, NR(pointer_hooks), rule->hook))
		return true;
	if (!callee->called) {
		say(verdict, KVMW_UNAVAILABLE,
		    "nothing in kvm.ko calls %s: the compiler put it into its callers",
		    rule->symbol);
		return false;
	}
	caller = copying_caller(court, rule->symbol, callee->address);
	if (caller)
		say(verdict, KVMW_UNAVAILABLE, "%s does not call %s, as if it were in there",
		    caller, rule->symbol);
	return !caller;
}

/* The part of the rule's function that the compiler has split off, if it has; or NULL. */
static const char *part_of(const struct court *court, const struct rule *rule)
{
	bool several;
	size_t i;

	for (i = 0; i < NR(part_rules); i++)
		if (!strcmp(part_rules[i].hook, rule->hook) &&
		    !strcmp(part_rules[i].symbol, rule->symbol) &&
		    kvmw_symbols_function(court->symbols, part_rules[i].part, &several))
			return part_rules[i].part;
	return NULL;
}

static bool passes_on(const struct court *court, const char *from, const char *to)
{
	const struct kvmw_symbol *function, *target;
	struct kvmw_code body;
	bool several;

	function = kvmw_symbols_function(court->symbols, from, &several);
	target = kvmw_symbols_function(court->symbols, to, &several);
	return code_of(court, function, &body) &&
	       kvmw_code_passes_on(&body, 0, body.size, target->address);
}

/* The function is proven. Is its part, too? Then that is hooked, as some call it directly. */
static void judge_part(const struct court *court, struct kvmw_verdict *verdict, const char *part)
{
	if (verdict->trust == KVMW_PROVEN && passes_on(court, verdict->symbol, part))
		verdict->symbol = part;
	else
		refuse_clone(verdict, part);
}

static bool has_function(const struct court *court, const char *symbol)
{
	bool several;

	return kvmw_symbols_function(court->symbols, symbol, &several) || several;
}

#define SEVERAL		0xffffffffU

/* All functions of kvm.ko have their types there; of two with one name it is not known whose. */
static __u32 function_type(const struct court *court, const char *symbol)
{
	const struct kvmw_symbol *found = kvmw_symbols_find(court->symbols, symbol);

	return found && found->type != SEVERAL ? found->type : 0;
}

static bool needs_no_arguments(const struct rule *rule)
{
	return !strcmp(rule->prototype, "? (...)");
}

static void judge_arguments(const struct court *court, struct kvmw_verdict *verdict,
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
		say(verdict, KVMW_UNAVAILABLE, "kvm.ko's types (BTF) have no function %s, or two",
		    rule->symbol);
		return;
	}
	if (kvmw_btf_is_function(court->btf, id, rule->prototype, 0)) {
		prove(verdict, rule, "BTF");
		return;
	}
	kvmw_btf_print_function(court->btf, id, found, sizeof(found));
	say(verdict, KVMW_UNAVAILABLE, "it is not the function that kvmwatch knows: %s", found);
}

/* No function of those names: is it known, by another name? */
static void judge_missing(const struct court *court, struct kvmw_verdict *verdict,
			  const struct rule *rule)
{
	const struct kvmw_symbol *clone = kvmw_symbols_clone(court->symbols, rule->symbol, NULL);

	if (clone)
		say(verdict, KVMW_UNAVAILABLE,
		    "kvm.ko has %s only as %s, which the compiler changed", rule->symbol,
		    clone->name);
	else if (is_optional(rule->hook))
		be_absent(verdict);
	else
		say(verdict, KVMW_UNAVAILABLE, "kvm.ko has no function %s", rule->symbol);
}

/*
 * The first rule that holds. What is said when none does is about the first function that is there.
 */
static void judge_function(const struct court *court, struct kvmw_verdict *verdict,
			   const struct rule *rule, const struct rule *end)
{
	const struct rule *first = rule;
	struct kvmw_verdict tried;
	const char *part;

	for (; rule < end && !strcmp(rule->hook, first->hook); rule++) {
		if (!has_function(court, rule->symbol))
			continue;
		tried = (struct kvmw_verdict){ .hook = verdict->hook, .symbol = rule->symbol };
		part = part_of(court, rule);
		if (is_whole(court, &tried, part) &&
		    (part || is_called(court, &tried, rule)))
			judge_arguments(court, &tried, rule);
		if (part && is_there(&tried))
			judge_part(court, &tried, part);
		if (!verdict->symbol || is_there(&tried))
			*verdict = tried;
		if (is_there(verdict))
			return;
	}
	if (!verdict->symbol)
		judge_missing(court, verdict, first);
}

/* --- events ---------------------------------------------------------------- */

static void judge_event_types(const struct court *court, struct kvmw_verdict *verdict,
			      const struct rule *rule)
{
	char found[200];
	__u32 id;

	if (!court->btf) {
		believe(court, verdict, rule);
		return;
	}
	id = court->wanted[NR_STRUCTURES + (rule - event_rules)].id;
	if (!id) {
		say(verdict, KVMW_UNAVAILABLE, "kvm.ko's types (BTF) have no btf_trace_%s",
		    rule->symbol);
		return;
	}
	/* The first argument is the one that its handler was registered with. */
	if (kvmw_btf_is_function(court->btf, id, rule->prototype, 1)) {
		prove(verdict, rule, "BTF");
		return;
	}
	kvmw_btf_print_function(court->btf, id, found, sizeof(found));
	say(verdict, KVMW_UNAVAILABLE, "it is not the event that kvmwatch knows: %s", found);
}

static void judge_event(const struct court *court, struct kvmw_verdict *verdict,
			const struct rule *rule, const struct rule *end)
{
	const struct rule *first = rule;
	char name[96];

	verdict->event = true;
	snprintf(name, sizeof(name), "__tracepoint_%s", rule->symbol);
	if (!kvmw_symbols_find(court->symbols, name)) {
		if (is_optional(rule->hook))
			be_absent(verdict);
		else
			say(verdict, KVMW_UNAVAILABLE, "kvm.ko has no tracepoint %s",
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

/* @names: "name", or "name|older name" */
static bool find_member(const struct court *court, __u32 id, const char *names,
			struct kvmw_btf_member *member)
{
	size_t length = strcspn(names, "|");
	char name[32];

	snprintf(name, sizeof(name), "%.*s", (int)length, names);
	return kvmw_btf_member(court->btf, id, name, member) ||
	       (names[length] && kvmw_btf_member(court->btf, id, names + length + 1, member));
}

static void judge_member(const struct court *court, struct kvmw_verdict *verdict,
			 const struct member_rule *rule)
{
	struct kvmw_btf_member member;
	__u32 id = 0;
	size_t i;

	for (i = 0; i < NR_STRUCTURES; i++)
		if (!strcmp(court->wanted[i].name, rule->structure))
			id = court->wanted[i].id;
	if (!id || !find_member(court, id, rule->member, &member))
		say(verdict, KVMW_UNAVAILABLE, "struct %s has no member %s", rule->structure,
		    rule->member);
	else if (member.bit != 8 * rule->offset)
		say(verdict, KVMW_UNAVAILABLE, "struct %s has %s at %u, not at %u",
		    rule->structure, rule->member, member.bit / 8, rule->offset);
	else if (member.size != rule->size && member.size != rule->other_size)
		say(verdict, KVMW_UNAVAILABLE, "%s of struct %s has %u bytes, not %u",
		    rule->member, rule->structure, member.size, rule->size);
}

static void judge_members(const struct court *court)
{
	const struct member_rule *rule;
	struct kvmw_verdict *verdict;

	if (!court->btf)
		return;
	for (rule = member_rules; rule < member_rules + NR(member_rules); rule++) {
		verdict = verdict_of(court->judgement, rule->hook);
		if (!is_there(verdict) || (rule->form && strcmp(rule->form, verdict->form)))
			continue;
		judge_member(court, verdict, rule);
		if (is_there(verdict))
			verdict->by = "BTF+layout";
	}
}

/* --- the census ------------------------------------------------------------ */

/* Of all hooks on page tables: what one of them misses makes their sums wrong. */
static void refuse_pages(const struct court *court, const char *why)
{
	struct kvmw_verdict *verdict;
	size_t i;

	for (i = 0; i < NR(pages_hooks); i++) {
		verdict = verdict_of(court->judgement, pages_hooks[i]);
		if (is_there(verdict))
			say(verdict, KVMW_UNAVAILABLE, "%s", why);
	}
}

/*
 * Where kvm->stat.pages[] is; false: there is no such thing, or one and another. Who links types at
 * times keeps copies of one structure.
 */
static bool find_pages(const struct court *court, __u32 *offset)
{
	__u32 kvm = kvmw_btf_first_structure(court->btf, function_type(court, "kvm_arch_init_vm"));
	struct kvmw_btf_member in_kvm, in_stat, again;
	struct kvmw_btf_type type;
	__u32 other = 0;

	if (!kvm || !kvmw_btf_member(court->btf, kvm, "stat", &in_kvm) ||
	    !kvmw_btf_member(court->btf, in_kvm.type, "pages", &in_stat) ||
	    in_stat.size != 8 * KVMW_PAGES_LEVELS)
		return false;
	while ((other = kvmw_btf_next(court->btf, KVMW_BTF_STRUCT, other + 1, &type))) {
		if (strcmp(type.name, "kvm"))
			continue;
		if (!kvmw_btf_member(court->btf, other, "stat", &again) || again.bit != in_kvm.bit)
			return false;
	}
	*offset = (in_kvm.bit + in_stat.bit) / 8;
	return true;
}

/* Is an address in the function of that name, or in its unlikely part? */
static bool is_in(const struct court *court, unsigned long address, const char *name)
{
	const struct kvmw_symbol *symbol;
	char cold[96];
	bool several;

	symbol = kvmw_symbols_function(court->symbols, name, &several);
	if (symbol && kvmw_symbol_has(symbol, address))
		return true;
	snprintf(cold, sizeof(cold), "%s.cold", name);
	symbol = kvmw_symbols_function(court->symbols, cold, &several);
	return symbol && kvmw_symbol_has(symbol, address);
}

/* The hook of those on page tables whose function an address is in, or NULL. */
static struct kvmw_verdict *pages_hook_at(const struct court *court, unsigned long address)
{
	struct kvmw_verdict *verdict;
	size_t i;

	for (i = 0; i < NR(pages_hooks); i++) {
		verdict = verdict_of(court->judgement, pages_hooks[i]);
		if (is_there(verdict) && is_in(court, address, verdict->symbol))
			return verdict;
	}
	return NULL;
}

static bool is_split(const struct kvmw_change *change, const struct kvmw_symbol *owner)
{
	return change->constant && change->by == KVMW_SPLIT_PARTS && owner &&
	       !strncmp(owner->name, KVMW_SPLIT_FUNCTIONS, strlen(KVMW_SPLIT_FUNCTIONS));
}

/* Returns how many changes were in functions of hooks, or -1: others change it, too. */
static int count_changes(const struct court *court, const struct kvmw_code *code, __u32 offset,
			 bool seen[KVMW_MAX_VERDICTS])
{
	const struct kvmw_symbol *owner;
	struct kvmw_change change;
	struct kvmw_verdict *verdict;
	char why[320];
	size_t at = 0;
	int nr = 0;

	for (; kvmw_code_change(code, at, offset, KVMW_PAGES_LEVELS, &change); at = change.at + 1) {
		verdict = pages_hook_at(court, code->address + change.at);
		if (verdict) {
			seen[verdict - court->judgement->verdicts] = true;
			nr++;
			continue;
		}
		owner = kvmw_symbols_at(court->symbols, code->address + change.at);
		if (is_split(&change, owner))
			continue;
		snprintf(why, sizeof(why),
			 "%s changes kvm->stat.pages[], and is not one of the functions that are hooked",
			 owner ? owner->name : nameless);
		refuse_pages(court, why);
		return -1;
	}
	return nr;
}

static void judge_pages(const struct court *court)
{
	bool seen[KVMW_MAX_VERDICTS] = { false };
	struct kvmw_verdict *verdict;
	__u32 offset;
	size_t i;

	if (!court->btf)
		return;
	if (!find_pages(court, &offset)) {
		refuse_pages(court,
			     "KVM keeps no kvm->stat.pages[], so nothing proves that hooks see all");
		return;
	}
	for (i = 0; i < court->subject->nr_code; i++)
		if (count_changes(court, &court->subject->code[i], offset, seen) < 0)
			return;
	for (i = 0; i < court->judgement->nr; i++) {
		verdict = &court->judgement->verdicts[i];
		if (!is_one_of(pages_hooks, NR(pages_hooks), verdict->hook) || !is_there(verdict))
			continue;
		if (seen[i] || is_optional(verdict->hook))
			verdict->by = !strcmp(verdict->by, "BTF") ? "BTF+census" :
				      "BTF+layout+census";
		else
			say(verdict, KVMW_UNAVAILABLE, "%s does not change kvm->stat.pages[]",
			    verdict->symbol);
	}
}

/*
 * A caller of it that is neither the hook's function nor @other. Counts the calls of the hook's
 * function.
 */
static const char *other_caller(const struct court *court, const struct kvmw_verdict *verdict,
				const char *called, const char *other, int *calls)
{
	const struct kvmw_subject *subject = court->subject;
	const struct kvmw_symbol *target, *owner;
	const struct kvmw_code *code;
	unsigned long from;
	bool several;
	size_t at;

	*calls = 0;
	target = kvmw_symbols_function(court->symbols, called, &several);
	if (!target)
		return NULL;
	for (code = subject->code; code < subject->code + subject->nr_code; code++) {
		for (at = 0; kvmw_code_call(code, at, target->address, &at); at++) {
			from = code->address + at;
			owner = kvmw_symbols_at(court->symbols, from);
			if (kvmw_symbol_has(target, from) || !is_instruction(court, code, at))
				continue;
			if (is_in(court, from, verdict->symbol)) {
				++*calls;
				continue;
			}
			if (other && is_in(court, from, other))
				continue;
			return owner ? owner->name : nameless;
		}
	}
	return NULL;
}

static void judge_calls(const struct court *court)
{
	struct kvmw_verdict *verdict;
	const char *other;
	size_t i;
	int calls;

	for (i = 0; i < NR(called_rules); i++) {
		verdict = verdict_of(court->judgement, called_rules[i].hook);
		if (!verdict || verdict->trust != KVMW_PROVEN)
			continue;
		other = other_caller(court, verdict, called_rules[i].called,
				     called_rules[i].other, &calls);
		if (other)
			say(verdict, KVMW_UNAVAILABLE, "%s calls %s, as if it were %s", other,
			    called_rules[i].called, verdict->symbol);
		else if (calls != 1)
			say(verdict, KVMW_UNAVAILABLE, "%s calls %s %d times, not once",
			    verdict->symbol, called_rules[i].called, calls);
		else
			verdict->by = court->btf ? "BTF+census" : "headers+census";
	}
}

/* --- all of it ------------------------------------------------------------- */

/* Where the mark has the VM among its arguments, it is one function; the other two call it. */
static void judge_marks(const struct court *court)
{
	static const char *const others[] = { "dirty_mark_vm", "dirty_mark_vcpu" };
	struct kvmw_verdict *mark = verdict_of(court->judgement, "dirty_mark"), *verdict;
	size_t i;

	if (!mark->form || !strcmp(mark->form, "bare"))
		return;
	for (i = 0; i < NR(others); i++) {
		verdict = verdict_of(court->judgement, others[i]);
		verdict->symbol = NULL;
		verdict->form = NULL;
		verdict->by = NULL;
		be_absent(verdict);
	}
}

/* Where only VMs that came to be are seen to end, only those may begin. */
static void judge_births(const struct court *court)
{
	struct kvmw_verdict *init = verdict_of(court->judgement, "vm_init");
	const struct kvmw_verdict *end = verdict_of(court->judgement, "vm_free");
	size_t i;

	if (!is_there(end) || strcmp(end->form, "came_to_be"))
		return;
	*init = (struct kvmw_verdict){ .hook = init->hook };
	for (i = 0; i < NR(function_rules); i++)
		if (!strcmp(function_rules[i].hook, init->hook) &&
		    !strcmp(function_rules[i].form, "event"))
			judge_function(court, init, &function_rules[i], &function_rules[i + 1]);
}

static void judge_all(const struct court *court, const struct rule *rules, size_t nr,
		      void (*judge_one)(const struct court *court, struct kvmw_verdict *verdict,
					const struct rule *rule, const struct rule *end))
{
	struct kvmw_judgement *judgement = court->judgement;
	struct kvmw_verdict *verdict;
	size_t i;

	for (i = 0; i < nr; i++) {
		if (verdict_of(judgement, rules[i].hook) || judgement->nr == KVMW_MAX_VERDICTS)
			continue;
		verdict = &judgement->verdicts[judgement->nr++];
		verdict->hook = rules[i].hook;
		judge_one(court, verdict, rules + i, rules + nr);
	}
}

/*
 * Have each function's symbol lead to its type. Are the types those of this kvm.ko? All functions
 * that they have, it has, or changed. NULL, or one that it lacks.
 */
static const char *match_types(const struct court *court)
{
	struct kvmw_btf_type type;
	const struct kvmw_symbol *found;
	struct kvmw_symbol *symbol;
	__u32 id = 0;

	while ((id = kvmw_btf_next(court->btf, KVMW_BTF_FUNC, id + 1, &type))) {
		found = kvmw_symbols_find(court->symbols, type.name);
		if (!found && court->subject->complete &&
		    !kvmw_symbols_clone(court->symbols, type.name, NULL))
			return type.name;
		if (!found)
			continue;
		symbol = &court->symbols->all[found - court->symbols->all];
		symbol->type = symbol->type ? SEVERAL : id;
	}
	return NULL;
}

/* Structures, and events' types, which have a name each. */
static void find_types(struct court *court)
{
	static const char *const names[NR_STRUCTURES] = {
		[MMU_PAGE] = "kvm_mmu_page", [RMAP_HEAD] = "kvm_rmap_head",
		[LIST_DESC] = "pte_list_desc",
	};
	struct kvmw_btf_type type;
	const char *behind;
	__u32 id = 0;
	size_t i;

	for (i = 0; i < NR_STRUCTURES; i++) {
		court->wanted[i].kind = KVMW_BTF_STRUCT;
		court->wanted[i].name = names[i];
	}
	kvmw_btf_find(court->btf, court->wanted, NR_STRUCTURES);
	while ((id = kvmw_btf_next(court->btf, KVMW_BTF_TYPEDEF, id + 1, &type))) {
		if (strncmp(type.name, "btf_trace_", 10))
			continue;
		behind = type.name + 10;
		for (i = 0; i < NR(event_rules); i++)
			if (!strcmp(behind, event_rules[i].symbol))
				court->wanted[NR_STRUCTURES + i].id = id;
	}
}

/* Of all functions that rules name, which do others call? */
static void find_calls(struct court *court)
{
	const struct kvmw_subject *subject = court->subject;
	const struct kvmw_symbol *function;
	const char *name;
	bool several;
	size_t i;

	for (i = 0; i < NR(function_rules); i++) {
		name = function_rules[i].symbol;
		function = kvmw_symbols_function(court->symbols, name, &several);
		if (function)
			court->callees[i] = (struct kvmw_callee){
				.address = function->address, .size = function->size,
			};
	}
	for (i = 0; i < subject->nr_code; i++)
		kvmw_code_callees(&subject->code[i], court->callees, NR(function_rules),
				  is_instruction, court);
}

static void judge_hooks(const struct court *court)
{
	judge_all(court, function_rules, NR(function_rules), judge_function);
	judge_all(court, event_rules, NR(event_rules), judge_event);
	judge_births(court);
	judge_marks(court);
	judge_members(court);
	judge_pages(court);
	judge_calls(court);
}

const char *kvmw_judge(struct kvmw_judgement *judgement, const struct kvmw_subject *subject)
{
	struct court court = {
		.subject = subject, .symbols = subject->symbols, .btf = subject->btf,
		.judgement = judgement,
	};

	memset(judgement, 0, sizeof(*judgement));
	judgement->tested = tested_forms(subject->release);
	judgement->typed = subject->btf;
	if (court.btf && match_types(&court))
		return "its types (BTF) are of another build: they have functions that it lacks";
	if (court.btf)
		find_types(&court);
	find_calls(&court);
	judge_hooks(&court);
	return NULL;
}
