/* SPDX-License-Identifier: GPL-2.0 */
/* The workqueue of kvmwatch's work items. */
#ifndef KVMW_WORK_H
#define KVMW_WORK_H

#include <linux/workqueue.h>

#include "kernel/facts.h"

/* Its workers run on any CPU. Later kernels warn when the old name is used. */
#if KVMW_HAS_SYSTEM_DFL_WQ
#define kvmw_unbound_wq		system_dfl_wq
#else
#define kvmw_unbound_wq		system_unbound_wq
#endif

#endif /* KVMW_WORK_H */
