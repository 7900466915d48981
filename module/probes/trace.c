// SPDX-License-Identifier: GPL-2.0
/* Instantiate the trace events. See trace.h. */
#define CREATE_TRACE_POINTS
#include "probes/trace.h"
