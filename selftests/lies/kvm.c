// SPDX-License-Identifier: GPL-2.0
/*
 * A kvm.ko to judge: it has the functions, types and events that kvmwatch looks at, as KVM 6.1 and
 * later have them, and no more. -DNAME plants a lie; see host/check_test.sh. Nothing runs it.
 */
#include "kvm.h"

#define __section(name)	__attribute((section(name)))
#define __used		__attribute((used))
#define __aligned(n)	__attribute((aligned(n)))

#ifndef RELEASE
#define RELEASE "6.8.0-45-generic"
#endif

#define INFO(name, text)							\
	static const char info_##name[]						\
	__section(".modinfo") __used __aligned(1) = #name "=" text
#ifdef NAME
INFO(name, NAME);
#else
INFO(name, "kvm");
#endif
INFO(vermagic, RELEASE " SMP preempt mod_unload");

/* --- types ----------------------------------------------------------------- */

struct kvm_vm_stat {
	u64 generic[9];
	union {
		struct {
			atomic64_t pages_4k, pages_2m, pages_1g;
		};
		atomic64_t pages[3];
	};
	u64 max_pages;
};

struct kvm {
	char before[4096];
#ifdef UNCOUNTED
	u64 other_stat[13];
#else
	struct kvm_vm_stat stat;
#endif
	char behind[512];
};

struct kvm_vcpu {
	struct kvm *kvm;
	int cpu;
};

union kvm_mmu_page_role {
	u32 word;
	struct {
		unsigned level:4, has_4_byte_gpte:1, quadrant:2, direct:1;
		unsigned unused:16, smm:8;
	};
};

struct kvm_mmu_page {
	struct list_head link;
	struct hlist_node hash_link;
	bool tdp_mmu_page, unsync, flag;
#ifdef MOVED
	gfn_t gfn;
	union kvm_mmu_page_role role;
#else
	union kvm_mmu_page_role role;
	gfn_t gfn;
#endif
	u64 *spt;
#ifdef GFNS
	gfn_t *gfns;
#else
	u64 *shadowed_translation;
#endif
};

struct kvm_rmap_head {
	unsigned long val;
};

struct pte_list_desc {
	struct pte_list_desc *more;
#ifdef WIDE
	u64 spte_count;
#else
	u32 spte_count, tail_count;
#endif
	u64 *sptes[14];
};

struct kvm_memory_slot {
	gfn_t base_gfn;
};

struct kvm_userspace_memory_region {
	u32 slot;
};

struct kvm_mmu_memory_cache {
	int nobjs;
};

struct kvm_dirty_log {
	u32 slot;
};

struct kvm_clear_dirty_log {
	u32 slot;
};

struct kvm_dirty_ring {
	u32 index;
};

enum kvm_mr_change { KVM_MR_CREATE };

/* --- events ---------------------------------------------------------------- */

#define EVENT(name, ...)							\
	typedef void (*btf_trace_##name)(void *__data, __VA_ARGS__);		\
	btf_trace_##name __tracepoint_##name
EVENT(kvm_vcpu_wakeup, __u64 ns, bool waited, bool valid);
EVENT(kvm_halt_poll_ns, bool grow, unsigned int vcpu_id, unsigned int new, unsigned int old);
#ifdef EXIT3
EVENT(kvm_exit, unsigned int exit_reason, struct kvm_vcpu *vcpu, u32 isa);
#elif defined(EXIT4)
EVENT(kvm_exit, unsigned int exit_reason, struct kvm_vcpu *vcpu, u32 isa, u64 extra);
#else
EVENT(kvm_exit, struct kvm_vcpu *vcpu, u32 isa);
#endif
#ifdef ENTRY1
EVENT(kvm_entry, struct kvm_vcpu *vcpu);
#else
EVENT(kvm_entry, struct kvm_vcpu *vcpu, bool force_immediate_exit);
#endif
EVENT(kvm_userspace_exit, __u32 reason, int errno);
#ifndef NORING
EVENT(kvm_dirty_ring_push, struct kvm_dirty_ring *ring, u32 slot, u64 offset);
EVENT(kvm_dirty_ring_exit, struct kvm_vcpu *vcpu);
EVENT(kvm_dirty_ring_reset, struct kvm_dirty_ring *ring);
#endif

/* --- functions ------------------------------------------------------------- */

#define noinline	__attribute((noinline, noclone, used))

/* In place of what would be there */
static u64 sink;

static inline void update_pages(struct kvm *kvm, int level, int count)
{
#ifdef UNCOUNTED
	__atomic_fetch_add(&sink, count + level, __ATOMIC_SEQ_CST);
#elif defined(FOLDED)
	/* As gcc-14 has it in KVM 6.16: the array's place is in the index. */
	long index = level - 1 + (long)__builtin_offsetof(struct kvm, stat.pages) / 8;

	asm volatile("" : "+r" (index));
	asm volatile("lock addq %2, (%0,%1,8)" : : "r" (kvm), "r" (index), "er" ((long)count)
		     : "memory");
#else
	__atomic_fetch_add(&kvm->stat.pages[level - 1].counter, count, __ATOMIC_SEQ_CST);
#endif
}

int kvm_arch_init_vm(struct kvm *kvm, unsigned long type) { return type && kvm; }
#ifdef DESTROYED	/* is put into its caller */
#define kvm_destroy_vm kvm_vm_release
#endif
static noinline void kvm_destroy_vm(struct kvm *kvm) { sink += (long)kvm; }
#ifdef PREDESTROY
void kvm_arch_pre_destroy_vm(struct kvm *kvm) { sink += (long)kvm; }
#endif
void kvm_arch_free_vm(struct kvm *kvm) { sink += (long)kvm; }
int kvm_arch_vcpu_create(struct kvm_vcpu *vcpu) { return !vcpu; }
void kvm_arch_vcpu_postcreate(struct kvm_vcpu *vcpu) { sink += (long)vcpu; }
void kvm_arch_vcpu_destroy(struct kvm_vcpu *vcpu) { sink += (long)vcpu; }
void kvm_arch_vcpu_load(struct kvm_vcpu *vcpu, int cpu) { vcpu->cpu = cpu; }
void kvm_arch_vcpu_put(struct kvm_vcpu *vcpu) { vcpu->cpu = -1; }

#ifdef OLDHALT
int kvm_vcpu_halt(struct kvm_vcpu *vcpu) { return vcpu->cpu; }
void kvm_vcpu_block(struct kvm_vcpu *vcpu) { vcpu->cpu = 0; }
#else
void kvm_vcpu_halt(struct kvm_vcpu *vcpu) { vcpu->cpu = 0; }
bool kvm_vcpu_block(struct kvm_vcpu *vcpu) { return vcpu->cpu; }
#endif

#ifdef MEM
void kvm_arch_commit_memory_region(struct kvm *kvm, const struct kvm_userspace_memory_region *mem,
				   struct kvm_memory_slot *old, const struct kvm_memory_slot *new,
				   enum kvm_mr_change change)
{
	sink += (long)kvm + (long)mem + (long)old + (long)new + change;
}
#else
void kvm_arch_commit_memory_region(struct kvm *kvm, struct kvm_memory_slot *old,
				   const struct kvm_memory_slot *new, enum kvm_mr_change change)
{
	sink += (long)kvm + (long)old + (long)new + change;
}
#endif

#if defined(SWAPPED)
#define SPTES u64 new_spte, u64 old_spte
#elif defined(UNNAMED)
#define SPTES u64 before, u64 after
#else
#define SPTES u64 old_spte, u64 new_spte
#endif
#if defined(PAGE)
#define SECOND struct kvm_mmu_page *sp
#elif defined(ROLE)
#define SECOND union kvm_mmu_page_role role
#else
#define SECOND int as_id
#endif
#ifdef LEVELFIRST
#define TAIL int level, gfn_t gfn, SPTES
#else
#define TAIL gfn_t gfn, SPTES, int level
#endif
#ifdef PAGE
#define CHANGED int __handle_changed_spte
#define RESULT 0
#elif defined(NEWNAME)
#define CHANGED void handle_changed_spte
#define RESULT
#else
#define CHANGED void __handle_changed_spte
#define RESULT
#endif

static noinline CHANGED(struct kvm *kvm, SECOND, TAIL, bool shared)
{
	sink += shared + gfn;
	update_pages(kvm, level, sink ? 1 : -1);
	return RESULT;
}

#if defined(SET) || defined(SET_SLOT)
#ifdef SET_SWAPPED
#define GFN_AND_PFN kvm_pfn_t pfn, gfn_t gfn
#else
#define GFN_AND_PFN gfn_t gfn, kvm_pfn_t pfn
#endif
#ifdef SET
#define ARGS u64 *sptep, unsigned int pte_access, bool write_fault, int level, GFN_AND_PFN
#else
#define ARGS struct kvm_memory_slot *slot, u64 *sptep, unsigned int pte_access, GFN_AND_PFN
#endif
#define __rmap_add mmu_set_spte
static noinline int mmu_set_spte(struct kvm_vcpu *vcpu, ARGS, bool prefetch)
{
	sink += *sptep + gfn + pfn + prefetch;
	update_pages(vcpu->kvm, pte_access, 1);
	return sink;
}
#else
static noinline void __rmap_add(struct kvm *kvm, struct kvm_mmu_memory_cache *cache,
				const struct kvm_memory_slot *slot, u64 *spte, gfn_t gfn,
				unsigned int access)
{
	sink += cache->nobjs + slot->base_gfn + *spte + gfn;
	update_pages(kvm, access, 1);
}
#endif

static noinline u64 mmu_spte_clear_track_bits(struct kvm *kvm, u64 *sptep)
{
	update_pages(kvm, *sptep, -1);
	return *sptep;
}

#ifndef ONEBYONE
static noinline bool kvm_zap_all_rmap_sptes(struct kvm *kvm, struct kvm_rmap_head *rmap_head)
{
	struct pte_list_desc *desc = (void *)rmap_head->val;

#ifndef CALLING
	update_pages(kvm, desc->spte_count, -1);
#endif
	return mmu_spte_clear_track_bits(kvm, desc->sptes[0]);
}
#endif

static noinline void tdp_mmu_split_huge_page(struct kvm *kvm, int level)
{
	update_pages(kvm, level, 512);
}

#ifdef COPY
/* The compiler has put a copy of a hooked function here. */
static noinline void mmu_page_zap_pte(struct kvm *kvm, u64 *sptep)
{
	update_pages(kvm, *sptep, -1);
}
#endif
#ifdef BULK
static noinline void zap_many(struct kvm *kvm, int level)
{
	update_pages(kvm, level, 512);
}
#endif

#ifdef NORING
#define PUSH
#else
#ifdef LOOKS_NEAR
/* A number in which there seems to be a jump to what is behind it, as in an address by chance. */
__section(".text.ring") noinline void looks_near(void)
{
	asm volatile(".byte 0x48, 0xb8, 0xeb\n"
		     "1: .byte kvm_dirty_ring_push - 1b - 1, 0, 0, 0, 0, 0, 0" ::: "rax");
}
#elif defined(JUMPS_NEAR)
__section(".text.ring") noinline void jumps_near(void)
{
	asm volatile("mov $1, %%eax\n"
		     ".byte 0xeb\n"
		     "1: .byte kvm_dirty_ring_push - 1b - 1" ::: "rax");
}
#endif

/* In a file of its own, so that it is called from afar */
__section(".text.ring")
noinline void kvm_dirty_ring_push(struct kvm_vcpu *vcpu, u32 slot, u64 offset)
{
	sink += vcpu->cpu + slot + offset;
}

#define PUSH	kvm_dirty_ring_push((void *)kvm, 0, gfn)
#endif

#ifdef PART
/* What gcc splits off: called by who knows that there is something to do */
static __attribute__((noipa)) void part(struct kvm *kvm, const struct kvm_memory_slot *memslot,
					gfn_t gfn) asm("mark_page_dirty_in_slot.part.0");
static void part(struct kvm *kvm, const struct kvm_memory_slot *memslot, gfn_t gfn)
{
	sink += memslot->base_gfn;
	PUSH;
}
#endif

noinline void mark_page_dirty_in_slot(struct kvm *kvm, const struct kvm_memory_slot *memslot,
				      gfn_t gfn)
{
#if defined(PART_SHIFTED)
	if (memslot && memslot->base_gfn)
		part((void *)gfn, memslot, (gfn_t)kvm);
#elif defined(PART_CALLED)
	if (memslot && memslot->base_gfn)
		part(kvm, memslot, gfn);
	sink++;
#elif defined(PART_COUNTED)
	if (memslot && memslot->base_gfn)
		part(kvm, memslot, gfn + 1);
#elif defined(PART)
	if (memslot && memslot->base_gfn)
		part(kvm, memslot, gfn);
#else
	sink += memslot->base_gfn;
	PUSH;
#endif
#ifdef PART_PUSHES
	PUSH;
#endif
}

#ifdef PART_OTHER
static __attribute__((noipa)) void other(gfn_t gfn) asm("mark_page_dirty_in_slot.constprop.0");
static void other(gfn_t gfn)
{
	sink += gfn;
}
#endif

void mark_page_dirty(struct kvm *kvm, gfn_t gfn)
{
#ifdef PUSHES
	PUSH;
#endif
#ifdef PART
	part(kvm, (void *)kvm, gfn);
#endif
#ifdef PART_OTHER
	other(gfn);
#endif
	mark_page_dirty_in_slot(kvm, (void *)kvm, gfn);
}

void kvm_vcpu_mark_page_dirty(struct kvm_vcpu *vcpu, gfn_t gfn)
{
	mark_page_dirty_in_slot(vcpu->kvm, (void *)vcpu, gfn);
}

#ifdef RENAMED
static noinline int get_log(struct kvm *kvm, struct kvm_dirty_log *log)
	asm("kvm_get_dirty_log_protect.isra.0");
static int get_log(struct kvm *kvm, struct kvm_dirty_log *log)
{
	return log->slot + !kvm;
}
#elif !defined(INLINED)
static noinline int kvm_get_dirty_log_protect(struct kvm *kvm, struct kvm_dirty_log *log)
{
	return log->slot + !kvm;
}
#endif

static noinline int kvm_clear_dirty_log_protect(struct kvm *kvm, struct kvm_clear_dirty_log *log)
{
	return log->slot + !kvm;
}

void kvm_arch_mmu_enable_log_dirty_pt_masked(struct kvm *kvm, struct kvm_memory_slot *slot,
					     gfn_t gfn_offset, unsigned long mask)
{
	sink += gfn_offset + mask + slot->base_gfn + (long)kvm;
}

/* --- callers --------------------------------------------------------------- */

#define CALL(function)	asm volatile("call " #function)

#if defined(NEWNAME) && !defined(PAGE)
#define CALL_CHANGED	CALL(handle_changed_spte)
#else
#define CALL_CHANGED	CALL(__handle_changed_spte)
#endif

#if defined(SET) || defined(SET_SLOT)
#define CALL_ADDED	CALL(mmu_set_spte)
#else
#define CALL_ADDED	CALL(__rmap_add)
#endif

static noinline void calls_all(void)
{
	CALL(kvm_arch_init_vm);
#ifndef DESTROYED
	CALL(kvm_destroy_vm);
#endif
#ifdef PREDESTROY
	CALL(kvm_arch_pre_destroy_vm);
#endif
	CALL(kvm_arch_vcpu_create);
	CALL(kvm_arch_vcpu_postcreate);
	CALL(kvm_arch_commit_memory_region);
	CALL_CHANGED;
	CALL_ADDED;
	CALL(mmu_spte_clear_track_bits);
#ifndef ONEBYONE
	CALL(kvm_zap_all_rmap_sptes);
#endif
#if !defined(RENAMED) && !defined(INLINED)
	CALL(kvm_get_dirty_log_protect);
#endif
	CALL(kvm_clear_dirty_log_protect);
	CALL(kvm_arch_mmu_enable_log_dirty_pt_masked);
	CALL(kvm_vcpu_halt);
	CALL(kvm_vcpu_block);
	CALL(mark_page_dirty);
	CALL(kvm_vcpu_mark_page_dirty);
}

static noinline void calls_destroy(void)
{
	CALL(kvm_arch_vcpu_destroy);
}

/* KVM has another function in between, too. */
noinline void kvm_destroy_vcpus(struct kvm *kvm)
{
	calls_destroy();
	sink += (long)kvm;
}

#ifdef COME_TO_BE
static noinline void kvm_uevent_notify_change(unsigned int type, struct kvm *kvm)
{
	sink += type + (long)kvm;
}

void kvm_mmu_uninit_vm(struct kvm *kvm) { sink += (long)kvm; }

noinline void kvm_arch_destroy_vm(struct kvm *kvm)
{
	CALL(kvm_uevent_notify_change);
	CALL(kvm_mmu_uninit_vm);
	sink += (long)kvm;
}
#endif

/*
 * FREED: the compiler has put the function into all of its callers; FREED_ONCE: into one.
 * FREED_LOOKS: and in both of them a number looks like a call of it. FREED_BETWEEN: or of another
 * function, which calls it.
 */
#ifdef FREED_BETWEEN
__used noinline void calls_free(void) { CALL(kvm_arch_free_vm); }
#define LOOKS_LIKE	"calls_free"
#elif defined(FREED_LOOKS)
#define LOOKS_LIKE	"kvm_arch_free_vm"
#endif

#ifdef LOOKS_LIKE
#define LOOKS_FREED()							\
	asm volatile(".byte 0x48, 0xb8, 0xe8\n"			\
		     "1: .long " LOOKS_LIKE " - 1b - 4\n"		\
		     ".byte 0, 0, 0" ::: "rax")
#else
#define LOOKS_FREED()	((void)0)
#endif

static noinline void kvm_create_vm(void)
{
	LOOKS_FREED();
#ifndef FREED
	CALL(kvm_arch_free_vm);
#endif
}

noinline void kvm_put_kvm(void)
{
	LOOKS_FREED();
#if !defined(FREED) && !defined(FREED_ONCE)
	CALL(kvm_arch_free_vm);
#endif
}

noinline void vcpu_load(void) { CALL(kvm_arch_vcpu_load); }
noinline void vcpu_put(void) { CALL(kvm_arch_vcpu_put); }
static noinline void kvm_sched_out(void) { CALL(kvm_arch_vcpu_put); }

static noinline void kvm_sched_in(void)
{
#ifndef LOADED	/* as if by a copy */
	CALL(kvm_arch_vcpu_load);
#endif
}

/* Ways to look at or change one of many numbers, at an index: of a bitmap, and of the VM's. */
#ifdef EXCHANGES
static noinline void at_index(u64 *words, long index, u64 old)
{
	asm volatile("lock cmpxchg %0, (%1,%2,8)" : "+r" (sink) : "r" (words), "r" (index),
		     "a" (old) : "memory");
}
#elif defined(COMPARES)
/* The last byte of the first instruction is what a locked one begins with. */
static noinline void at_index(u64 *words, long index, u64 old)
{
	asm volatile("movslq %%eax, %%rsi\n cmpq $0, (%0,%%rsi,8)"
		     : : "r" (words), "a" (index), "r" (old) : "rsi", "cc");
}
#elif defined(EXCHANGES_PAGES)
static noinline void at_index(struct kvm *kvm, long index, u64 old)
{
	asm volatile("lock cmpxchg %0, %c3(%1,%2,8)" : "+r" (sink) : "r" (kvm), "r" (index),
		     "i" (__builtin_offsetof(struct kvm, stat.pages)), "a" (old) : "memory");
}
#endif

/* Types that are only pointed to are not described. */
struct kvm_mmu_page a_page;

void *everything[] = {
#if defined(EXCHANGES) || defined(EXCHANGES_PAGES) || defined(COMPARES)
	at_index,
#endif
	kvm_destroy_vm, __rmap_add, mmu_spte_clear_track_bits, tdp_mmu_split_huge_page,
	kvm_clear_dirty_log_protect, calls_all, kvm_create_vm, kvm_sched_in, kvm_sched_out,
#ifdef COME_TO_BE
	kvm_uevent_notify_change,
#endif
};
