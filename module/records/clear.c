// SPDX-License-Identifier: GPL-2.0
/* When dirty logs were last cleared. See clear.h. */
#include <linux/compiler.h>
#include <uapi/linux/kvmwatch.h>

#include "kernel/clock.h"
#include "records/clear.h"
#include "records/list.h"
#include "records/record.h"

void kvmw_clear_now(struct kvmw_clear *clear)
{
	u64 now = kvmw_now();

	WRITE_ONCE(clear->since, now ?: 1);
	WRITE_ONCE(clear->moment, kvmw_moment());
}

void kvmw_moments_lost(void)
{
	struct kvmw_object **vms, **slots;
	int nr_vms, nr_slots, i, j;

	nr_vms = kvmw_get_vms(&vms);
	for (i = 0; i < nr_vms; i++) {
		WRITE_ONCE(kvmw_to_vm(vms[i])->clear.moment, KVMW_NO_MOMENT);
		nr_slots = kvmw_get_children(kvmw_to_vm(vms[i]), KVMWATCH_KIND_SLOT, &slots);
		for (j = 0; j < nr_slots; j++)
			WRITE_ONCE(kvmw_to_slot(slots[j])->clear.moment, KVMW_NO_MOMENT);
		if (nr_slots >= 0)
			kvmw_put_all(slots, nr_slots);
	}
	if (nr_vms >= 0)
		kvmw_put_all(vms, nr_vms);
}
