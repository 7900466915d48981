// SPDX-License-Identifier: GPL-2.0
/*
 * Load a kvm.ko that lies about itself, in place of the right one: the kernel's own, with some
 * bytes of its types (BTF) or of its names of functions changed, so that all code is right and what
 * it says is not. kvmwatch must refuse the hooks that it cannot prove then, and attach the others;
 * what depends on a refused hook is unavailable, never a number.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "machine.h"
#include "proof/btf.h"
#include "proof/judge.h"
#include "proof/rules.h"
#include "subject.h"
#include "vendor.h"
#include "watch.h"

#define VMLINUX_TYPES	"/sys/kernel/btf/vmlinux"
#define SIGNATURE	"~Module signature appended~\n"

/* --- kvm.ko, in memory ----------------------------------------------------- */

struct file {
	char *data;
	size_t size;
};

static int read_file(const char *path, struct file *file)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t room = 256 << 20;
	ssize_t got;

	file->data = fd < 0 ? NULL : malloc(room);
	file->size = 0;
	while (file->data && (got = read(fd, file->data + file->size, room - file->size)) > 0)
		file->size += got;
	close(fd);
	return file->size ? 0 : -EIO;
}

static int read_kvm(struct file *kvm)
{
	int err = -ENOENT;
	glob_t found;

	if (!glob("/lib/modules/*/kernel/arch/x86/kvm/kvm.ko", 0, NULL, &found))
		err = read_file(found.gl_pathv[0], kvm);
	globfree(&found);
	return err;
}

static Elf64_Shdr *section(const struct file *kvm, const char *name)
{
	Elf64_Ehdr *header = (void *)kvm->data;
	Elf64_Shdr *all = (void *)(kvm->data + header->e_shoff);
	const char *names = kvm->data + all[header->e_shstrndx].sh_offset;
	unsigned int i;

	for (i = 0; i < header->e_shnum; i++)
		if (!strcmp(names + all[i].sh_name, name))
			return &all[i];
	return NULL;
}

static char *name_of(const struct file *kvm, const Elf64_Sym *symbol)
{
	return kvm->data + section(kvm, ".strtab")->sh_offset + symbol->st_name;
}

/* A signature that does not fit is refused; without one the module taints the kernel. */
static void unsign(struct file *kvm)
{
	const size_t mark = sizeof(SIGNATURE) - 1, info = 12;
	unsigned char *end = (unsigned char *)kvm->data + kvm->size;

	if (memcmp(end - mark, SIGNATURE, mark))
		return;
	end -= mark;
	kvm->size -= mark + info + (end[-4] << 24 | end[-3] << 16 | end[-2] << 8 | end[-1]);
}

/* --- its types --------------------------------------------------------------- */

struct types {
	struct file vmlinux;
	struct kvmw_btf btf;
	size_t base;
};

static bool read_types(struct file *kvm, struct types *types)
{
	Elf64_Shdr *btf = section(kvm, ".BTF");
	size_t base;

	if (!btf || read_file(VMLINUX_TYPES, &types->vmlinux) ||
	    !kvmw_btf_part(&types->btf.split, kvm->data + btf->sh_offset, btf->sh_size) ||
	    !kvmw_btf_part(&types->btf.base, types->vmlinux.data, types->vmlinux.size))
		return false;
	base = kvmw_btf_marks(&types->btf.base);
	types->btf.base.marks = calloc(base + kvmw_btf_marks(&types->btf.split), sizeof(__u32));
	types->btf.split.marks = types->btf.base.marks + base;
	return !kvmw_btf_index(&types->btf);
}

/* What stands behind the first type of that kind and name; NULL: there is none. */
static __u32 *type(struct types *types, __u32 kind, const char *name, struct kvmw_btf_type *it)
{
	__u32 id = 0;

	while ((id = kvmw_btf_next(&types->btf, kind, id + 1, it)))
		if (!strcmp(it->name, name))
			return (__u32 *)it->more;
	return NULL;
}

/* Parameters of a function: a name and a type each */
static __u32 *parameters(struct types *types, const char *function)
{
	struct kvmw_btf_type it;

	if (!type(types, KVMW_BTF_FUNC, function, &it) ||
	    !kvmw_btf_get(&types->btf, it.size_or_type, &it))
		return NULL;
	return (__u32 *)it.more;
}

static void swap(__u32 *one, __u32 *other)
{
	__u32 kept = *one;

	*one = *other;
	*other = kept;
}

/* --- lies: true if this kvm.ko has what is to be changed ------------------------ */

static bool tell_nothing(struct file *kvm, struct types *types)
{
	return true;
}

static bool swap_old_and_new(struct file *kvm, struct types *types)
{
	__u32 *them = parameters(types, "__handle_changed_spte") ?:
		      parameters(types, "handle_changed_spte");

	if (them)
		swap(&them[2 * 3], &them[2 * 4]);
	return them;
}

/* The mark's slot and gfn change places, types and all. */
static bool swap_slot_and_gfn(struct file *kvm, struct types *types)
{
	__u32 *them = parameters(types, "mark_page_dirty_in_slot");

	if (them) {
		swap(&them[2 * 1], &them[2 * 2]);
		swap(&them[2 * 1 + 1], &them[2 * 2 + 1]);
	}
	return them;
}

/* gfn of struct kvm_mmu_page is four bytes further. */
static bool move_member(struct file *kvm, struct types *types)
{
	struct kvmw_btf_type it;
	__u32 *members = type(types, KVMW_BTF_STRUCT, "kvm_mmu_page", &it), i;

	for (i = 0; members && i < it.count; i++)
		if ((members[3 * i + 2] & 0xffffff) == 8 * 40) {
			members[3 * i + 2] += 8 * 4;
			return true;
		}
	return false;
}

static bool hide_types(struct file *kvm, struct types *types)
{
	Elf64_Ehdr *header = (void *)kvm->data;
	Elf64_Shdr *all = (void *)(kvm->data + header->e_shoff);

	kvm->data[all[header->e_shstrndx].sh_offset + section(kvm, ".BTF")->sh_name + 1] = 'X';
	return true;
}

/* Types of another build have a function that this one has not. */
static bool rename_function_of_types(struct file *kvm, struct types *types)
{
	struct kvmw_btf_type it;

	if (!type(types, KVMW_BTF_FUNC, "kvm_vcpu_mark_page_dirty", &it))
		return false;
	*strstr((char *)it.name, "mark") = 'b';
	return true;
}

static Elf64_Sym *symbol(const struct file *kvm, bool (*fits)(const char *name))
{
	Elf64_Shdr *table = section(kvm, ".symtab");
	Elf64_Sym *it = (void *)(kvm->data + table->sh_offset);
	size_t i;

	for (i = 0; i < table->sh_size / sizeof(*it); i++, it++)
		if (ELF64_ST_TYPE(it->st_info) == STT_FUNC && fits(name_of(kvm, it)))
			return it;
	return NULL;
}

#define CLONE	"mark_page_dirty_in_slot.part.0"

/* Types do not name unlikely parts, and no other name ends as these do. */
static bool has_room(const char *name)
{
	size_t length = strlen(name);

	return length >= sizeof(CLONE) - 1 && !strcmp(name + length - 5, ".cold");
}

/* The compiler has made a second function of the one that marks, which others may call. */
static bool add_clone(struct file *kvm, struct types *types)
{
	Elf64_Sym *it = symbol(kvm, has_room);

	if (it)
		strcpy(name_of(kvm, it), CLONE);
	return it;
}

static bool is_load(const char *name)
{
	return !strcmp(name, "kvm_arch_vcpu_load");
}

static bool is_put(const char *name)
{
	return !strcmp(name, "kvm_arch_vcpu_put");
}

/* Names and types agree, and are those of another function: only hits can tell. */
static bool swap_names(struct file *kvm, bool (*is_one)(const char *name),
		       bool (*is_other)(const char *name))
{
	Elf64_Sym *one = symbol(kvm, is_one), *other = symbol(kvm, is_other);

	if (one && other)
		swap(&one->st_name, &other->st_name);
	return one && other;
}

static bool swap_load_and_put(struct file *kvm, struct types *types)
{
	return swap_names(kvm, is_load, is_put);
}

static bool is_commit(const char *name)
{
	return !strcmp(name, "kvm_arch_commit_memory_region");
}

static bool is_mask(const char *name)
{
	return !strcmp(name, "kvm_arch_mmu_enable_log_dirty_pt_masked");
}

/* Both are called seldom. */
static bool swap_commit_and_mask(struct file *kvm, struct types *types)
{
	return swap_names(kvm, is_commit, is_mask);
}

static const struct lie {
	const char *what;
	bool (*tell)(struct file *kvm, struct types *types);
	const char *hook;	/* that is refused; NULL: all of them, "": none */
	const char *why;
	const char *statistic;	/* that is unavailable then */
	const char *other;	/* one that is not */
} lies[] = {
	{ "none", tell_nothing, "", "", NULL, "halts" },
	{ "arguments of one type in another order", swap_old_and_new, "spte_change",
	  "it is not the function that kvmwatch knows", "mapped_4k", "halts" },
	{ "arguments in another order", swap_slot_and_gfn, "dirty_mark",
	  "it is not the function that kvmwatch knows", "dirty_marks", "halts" },
	{ "a member that has moved", move_member, "rmap_zap",
	  "struct kvm_mmu_page has gfn at 44, not at 40", "mapped_4k", "halts" },
	{ "a clone that others may call", add_clone, "dirty_mark", "the compiler made " CLONE,
	  "dirty_marks", "halts" },
	{ "functions that have changed their names", swap_load_and_put, "vcpu_load",
	  " does not call kvm_arch_vcpu_load", "loads", "mapped_4k" },
	{ "functions of slots that have changed their names", swap_commit_and_mask, "slot_commit",
	  "was called with what it cannot be called with", "mapped_4k", "halts" },
	{ "types of another build", rename_function_of_types, NULL, "are of another build", NULL,
	  NULL },
	{ "no types", hide_types, NULL, "there are no types (BTF)", NULL, NULL },
};

/* --- the test ------------------------------------------------------------------ */

static int load(const struct file *kvm)
{
	return syscall(SYS_init_module, kvm->data, kvm->size, "") ? -errno : 0;
}

/* Why a hook is not attached; "": it is. */
static const char *refusal(const char *name)
{
	static char why[sizeof(((struct kvmwatch_hook *)0)->why)];
	struct kvmwatch_hook *hooks;
	int nr = watch_list(KVMWATCH_KIND_HOOK, 0, (void **)&hooks, sizeof(*hooks)), i;

	strcpy(why, "no such hook");
	for (i = 0; i < nr; i++)
		if (!strcmp(hooks[i].name, name))
			strcpy(why, hooks[i].flags & KVMWATCH_HOOK_ATTACHED ? "" : hooks[i].why);
	if (nr >= 0)
		free(hooks);
	return why;
}

/* There a kvm.ko without types is believed, and first hits are not looked at. */
static bool is_tested_build(void)
{
#define BUILD(pattern, forms)	pattern,
	static const char *const tested[] = { KVMW_TESTED_BUILDS(BUILD) };
#undef BUILD
	struct utsname name;
	size_t i;

	uname(&name);
	for (i = 0; i < ARRAY_SIZE(tested); i++)
		if (kvmw_release_is(name.release, tested[i]))
			return true;
	return false;
}

/* Was it proven by its first hits, too? */
static bool is_live(const char *name)
{
	struct kvmwatch_hook *hooks;
	int nr = watch_list(KVMWATCH_KIND_HOOK, 0, (void **)&hooks, sizeof(*hooks)), i;
	bool live = false;

	for (i = 0; i < nr; i++)
		live |= !strcmp(hooks[i].name, name) && strstr(hooks[i].by, "+live");
	if (nr >= 0)
		free(hooks);
	return live;
}

#define CHANGES		40	/* two each: more than first hits are looked at */

/* A VM at work, so that hooks are hit */
static int run_guest(struct subject *s)
{
	int err, i;

	memset(s, 0, sizeof(*s));
	err = subject_init(s, false, 0) ?:
	      guest_slot_add(s->g, 1, GPA_A, 128, GUEST_MEM_4K, KVM_MEM_LOG_DIRTY_PAGES);
	for (i = 0; i < 128 && !err; i++)
		err = touch(s, GPA_A + i * GUEST_PAGE, 1);
	return err;
}

/* Many changes of a slot, and collections of its log */
static int change_slot(struct subject *s)
{
	int err = 0, i;

	for (i = 0; i < CHANGES && !err; i++)
		err = guest_dirty_log(s->g, 1, 0) ?: guest_dirty_log(s->g, 1, 1);
	return err;
}

FIXTURE(lies) { };

FIXTURE_SETUP(lies)
{
	NEEDS_VM(FROM_SETUP, "it loads another kvm.ko");
	if (access(VMLINUX_TYPES, R_OK))
		SKIP(FROM_SETUP, "this kernel has no types (BTF)");
}

FIXTURE_TEARDOWN(lies)
{
	vendor_unload_kvm();
	vendor_load("");
	machine_expected_messages();
}

static void check(struct __test_metadata *_metadata, const struct lie *lie, bool hidden)
{
	const char *refused = lie->hook ?: "vm_init";
	__u64 before = UNKNOWN, bitmap[2];
	struct subject s;
	int fd = -1;

	if (lie->hook) {
		EXPECT_STREQ("", refusal("vm_init"));
		ASSERT_EQ(0, run_guest(&s));
		fd = watch_vm(s.g);
		if (lie->statistic)
			before = number(fd, lie->statistic, "");
		/* A hit that is wrong withdraws at once what somebody reads. */
		EXPECT_EQ(128, guest_dirty_get(s.g, 1, bitmap));
		if (lie->tell == swap_commit_and_mask) {
			EXPECT_NE(UNKNOWN, before);
			EXPECT_EQ(KVMWATCH_WITHDRAWN, number(fd, lie->statistic, ""));
		}
		EXPECT_EQ(0, change_slot(&s));
	}
	if (*refused) {
		EXPECT_TRUE(WATCH_EVENTUALLY(strstr(refusal(refused), lie->why))) {
			TH_LOG("%s: %s", refused, refusal(refused));
		}
	} else {
		EXPECT_STREQ("", refusal("spte_change"));
		EXPECT_STREQ("", refusal("vcpu_load"));
		if (!is_tested_build()) {
			EXPECT_TRUE(WATCH_EVENTUALLY(is_live("spte_change")));
			EXPECT_TRUE(WATCH_EVENTUALLY(is_live("vcpu_load")));
			EXPECT_TRUE(hidden || WATCH_EVENTUALLY(is_live("dirty_mark")));
			EXPECT_TRUE(WATCH_EVENTUALLY(is_live("slot_commit")));
		}
	}
	if (!lie->hook)
		return;
	EXPECT_NE(UNKNOWN, watch_vm_stat(s.g, lie->other));
	if (lie->statistic)
		EXPECT_EQ(UNKNOWN, watch_vm_stat(s.g, lie->statistic));
	if (before != UNKNOWN)
		EXPECT_EQ(KVMWATCH_WITHDRAWN, number(fd, lie->statistic, ""));
	close(fd);
	if (!lie->statistic)
		EXPECT_STREQ("", untrue(&s));
	guest_free(s.g);
}

TEST_F_TIMEOUT(lies, are_seen_and_nothing_else_is_refused, 300)
{
	bool hidden = watch_marks_are_hidden();
	const struct lie *lie;
	struct types types;
	struct file kvm;

	ASSERT_EQ(0, read_kvm(&kvm));
	free(kvm.data);
	for (lie = lies; lie < lies + ARRAY_SIZE(lies); lie++) {
		memset(&types, 0, sizeof(types));
		ASSERT_EQ(0, read_kvm(&kvm));
		if (!section(&kvm, ".BTF"))
			SKIP(return, "this kvm.ko has no types (BTF)");
		unsign(&kvm);
		ASSERT_TRUE(read_types(&kvm, &types));
		/* Files cannot tell the one, and the other is believed. */
		if (is_tested_build() &&
		    (lie->tell == swap_commit_and_mask || lie->tell == hide_types))
			continue;
		if (hidden && lie->hook && !strcmp(lie->hook, "dirty_mark"))
			continue;
		TH_LOG("lie: %s", lie->what);
		if (!lie->tell(&kvm, &types)) {
			/* Not every compiler has left a name with room for a clone's. */
			EXPECT_TRUE(lie->tell == add_clone);
			continue;
		}
		ASSERT_EQ(0, vendor_unload_kvm());
		ASSERT_EQ(0, load(&kvm));
		ASSERT_EQ(0, vendor_load(""));
		check(_metadata, lie, hidden);
		free(types.btf.base.marks);
		free(types.vmlinux.data);
		free(kvm.data);
	}
}

/* --- first hits ------------------------------------------------------------------ */

#define EVENTS	WATCH_TRACEFS "/kprobe_events"

/* A module that comes gets the kprobes that are waiting for it. */
static int follow_attaching(void)
{
	return watch_trace_start() ?: watch_trace_pause() ?:
	       machine_do(EVENTS,
			  "p:first_armed kvmwatch:kvmw_live_arm hook=%di:x64\n"
			  "p:then_hooked kvmwatch:kvmw_func_attach hook=%di:x64\n"
			  "p:then_looked kvmwatch:kvmw_live_attach on=@kvmw_hooks_attached:u64") ?:
	       watch_trace_also("kprobes");
}

static void follow_no_more(void)
{
	watch_trace_end();
	machine_do(EVENTS, "-:first_armed\n-:then_hooked\n-:then_looked");
}

/* How many hooks were attached without being armed just before */
static int unarmed(void)
{
	const char *line, *event, *armed = "", *hook;
	int nr = 0;

	for (line = watch_trace_text(); line; line = strchr(line + 1, '\n')) {
		event = strstr(line, "first_armed:");
		hook = strstr(line, "hook=");
		if (!hook)
			break;
		if (event && event < hook) {
			armed = hook;
			continue;
		}
		event = strstr(line, "then_hooked:");
		if (event && event < hook)
			nr += strncmp(armed, hook, strlen("hook=0x") + 16) != 0;
	}
	return nr;
}

/*
 * VMs that are there when kvmwatch comes go on all the time. A hit that came in between would have
 * been counted without a look.
 */
TEST(hooks_count_when_all_first_hits_will_be_looked_at)
{
	int err;

	NEEDS_VM(return, "it loads kvmwatch again");
	err = follow_attaching();
	if (!err) {
		ASSERT_EQ(0, watch_unload_patiently());
		ASSERT_EQ(0, watch_load(NULL));
		EXPECT_EQ(0, watch_trace_stop());
		EXPECT_LT(5, watch_trace_count("then_looked:", NULL));
		EXPECT_EQ(watch_trace_count("then_looked:", NULL),
			  watch_trace_count("then_looked:", " on=0", NULL));
		EXPECT_LT(5, watch_trace_count("then_hooked:", NULL));
		EXPECT_EQ(0, unarmed());
	}
	follow_no_more();
	if (err)
		SKIP(return, "this kernel has no events of kprobes: %d", err);
}

TEST_HARNESS_MAIN
