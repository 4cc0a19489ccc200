/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TCPTRAIL_CGROUP_H
#define TCPTRAIL_CGROUP_H

#include "kernel.h"

/* NULL where the kernel does not say it plainly. */
static __always_inline struct cgroup *cgroup_of(const struct sock *sk)
{
	return bpf_core_field_exists(sk->sk_cgrp_data.cgroup) ? sk->sk_cgrp_data.cgroup : NULL;
}

#endif
