/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TCPTRAIL_SEQUENCE_H
#define TCPTRAIL_SEQUENCE_H

#include "kernel.h"

/* From one sequence number to a later one, which may have wrapped; 0 if it is not later. */
static __always_inline __u32 distance(__u32 from, __u32 to)
{
	return (__s32)(to - from) > 0 ? to - from : 0;
}

#endif
