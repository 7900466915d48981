/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the test guest share; ../guest.h has the interface for tests.
 *
 * Slot 0 holds the guest's code, its descriptor and page tables, and a page per vCPU with its
 * mailbox at the start and its stack at the end. The accessed and dirty bits of all tables are set
 * from the start, so that no CPU ever writes to them. Page tables only get entries where they had
 * none.
 */
#ifndef GUEST_PARTS_H
#define GUEST_PARTS_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "guest.h"

#define SZ_2M		0x200000ULL
#define SZ_1G		0x40000000ULL

/* Pages of slot 0, which starts at address 0. */
#define CODE_PAGE	0
#define TABLE_PAGE	1
#define PML4_PAGE	2
#define PDPT_PAGE	3
#define VCPU_PAGE	4
#define PD_PAGE		(VCPU_PAGE + GUEST_MAX_VCPUS)

#define IDT_OFFSET	0x100	/* in the table page, behind the GDT */

#define PTE_TABLE	0x63ULL	/* present, writable, accessed, dirty */
#define PTE_HUGE	0xe3ULL	/* the same, and maps a page */

#define CODE_SEL	0x08
#define DATA_SEL	0x10
#define WAKE_VECTOR	0x30

/* The only slot of SMM's address space that the test guest itself makes; SMBASE after a reset. */
#define SMRAM_BASE	0x30000ULL
#define SMRAM_PAGES	16
#define SMM_ENTRY	0x8000	/* in SMRAM */
#define SMM_MAIL	0x8100
#define SMM_STATE	0xfe00	/* state that KVM saves there */

#define PORT_DONE	0xe9	/* the command is done */
#define PIT_HZ		1193182ULL

#define SIG_KICK	SIGRTMIN	/* makes a vCPU leave KVM_RUN */

#define NR_EXITS	64
#define NR_SLOTS	(2 * GUEST_MAX_SLOTS)

/* The mailbox between host and guest, at the start of a vCPU's page. */
struct mailbox {
	__u64 op;
	__u64 rounds;
	__u64 gpa;
	__u64 pages;
	__u64 stride;
	__u64 value;		/* written: this, and the round's number */
	__u64 vmcb;		/* run it in the nested guest, with this VMCB; 0: run it here */
	__u64 why;		/* guest: why the nested guest ended too early */
	__u64 timer;		/* LAPIC timer count before each halt; 0: none */
	__u64 stop;		/* host: stop after this round */
	__u64 progress;		/* guest: rounds done */
};

/* Work of the handler of SMIs, at SMM_MAIL. */
struct smm_mail {
	__u32 gpa;
	__u32 pages;
	__u32 done;		/* handler: number of SMIs so far */
};

enum state {
	IDLE,
	BUSY,
	DONE,			/* its thread has a result to collect */
};

struct vcpu {
	struct guest *guest;
	unsigned int index;
	int fd;
	struct kvm_run *run;
	struct mailbox *mail;
	struct kvm_dirty_gfn *ring;
	__u32 ring_next;	/* number of the next entry, not wrapped */
	long ring_taken;	/* harvested but not yet reported */
	bool lost;		/* stopped in the middle of a command */

	pthread_mutex_t lock;	/* protects the ring and what follows */
	pthread_cond_t cond;	/* state, kicks or quit changed */
	unsigned int state;	/* enum state */
	int result;
	bool quit;
	bool has_thread;
	pthread_t thread;
	int tid;
	__u64 kicks;		/* taken by the thread */

	/* counters, accessed atomically */
	__u64 runs;
	__u64 ioctls;
	__u64 exits[NR_EXITS];
};

struct slot {
	bool used;
	__u32 flags;
	__u64 gpa;
	__u64 size;
	void *host;
	void *area;		/* @host with its guards; NULL: another slot owns the memory */
	size_t area_size;
};

struct guest {
	int dev_fd;
	int vm_fd;
	bool irqchip;
	bool nested;
	char name[32];
	struct kvm_cpuid2 *cpuid;
	size_t run_size;
	__u32 ring_bytes;
	unsigned int nr_vcpus;
	unsigned int nr_gibs;
	struct vcpu *pit_user;	/* accessed atomically */
	const struct slot *nest;	/* slot of guest_nest() */
	unsigned int nest_pages;	/* pages of that slot in use */
	struct slot slots[NR_SLOTS];	/* slots of both address spaces */
	struct vcpu vcpus[GUEST_MAX_VCPUS];
};

/* --- parts.c: ioctls and look-up ------------------------------------------------ */

int kvm_ioctl(int fd, unsigned long request, void *arg);
int vm_ioctl(struct guest *g, unsigned long request, void *arg);
/* For all ioctls that load the vCPU except KVM_RUN. */
int vcpu_ioctl(struct vcpu *v, unsigned long request, void *arg);
__u64 deadline_ns(int timeout_ms);
void nap(void);
struct vcpu *get_vcpu(const struct guest *g, unsigned int index);
/* The place of slot @id, which may be unused; NULL: the number is not valid. */
struct slot *slot_place(const struct guest *g, unsigned int id);
struct slot *get_slot(const struct guest *g, unsigned int id);

/* --- program.c ----------------------------------------------------------------- */

struct blob {
	const char *start;
	const char *irq;
	const char *end;
};

struct blob smm_blob(void);
void *slot0_page(const struct guest *g, unsigned int page);
__u64 page_gpa(unsigned int page);
/* Map the GiBs that hold [@gpa, @gpa + @size) one to one, with 2M pages. */
int identity_map(struct guest *g, __u64 gpa, __u64 size);
int load_guest(struct guest *g);

/* --- other files ------------------------------------------------------------------ */

int add_slot(struct guest *g, unsigned int id, __u64 gpa, __u64 pages, enum guest_mem mem,
	     __u32 flags);
__u64 nest_gpa(const struct guest *g, unsigned int page);
void harvest(struct vcpu *v);
int kvm_run(struct vcpu *v);
int create_irqchip(struct guest *g);
int start_pit(struct vcpu *v, __u64 period_ns);
void stop_pit(struct vcpu *v);

#endif /* GUEST_PARTS_H */
