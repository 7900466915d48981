// SPDX-License-Identifier: GPL-2.0
/* The trace events' own code. See trace.h. */
#define CREATE_TRACE_POINTS
#include "probes/trace.h"
