// SPDX-License-Identifier: GPL-2.0
/* What a kernel has of KVM's types: the base of those of kvm.c. With -DOTHER another build. */
#include "kvm.h"

#ifdef OTHER
struct of_another_build {
	int member_of_another_build;
};

struct of_another_build another_build(struct of_another_build it)
{
	return it;
}
#endif

void kernel_function(struct list_head *list, u64 number)
{
	list->next = number ? list : list->prev;
}
