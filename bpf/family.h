/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The processes that descend from one of interest. That one has made itself a subreaper (PR_SET_CHILD_SUBREAPER), so a
 * process whose parent has ended is still its descendant: nothing needs to be followed or remembered.
 */
#ifndef TCPTRAIL_FAMILY_H
#define TCPTRAIL_FAMILY_H

#include "config.h"

#define FAMILY_DEPTH 64 /* generations; build tools and test runners nest a dozen */

/* Global, and so verified once: inlined, each way that leads here would be followed through all generations. */
__noinline int is_family(void)
{
	const struct task_struct *task = bpf_get_current_task_btf();

	if (!family)
		return true;
	for (int i = 0; i < FAMILY_DEPTH && task; i++) {
		if (task->tgid == family)
			return i > 0; /* not the one itself */
		if (task->tgid <= 1)
			return false;
		task = task->real_parent;
	}
	return false;
}

#endif
