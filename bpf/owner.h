/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who is responsible for a socket. The running task proves something only in transitions that the kernel makes inside
 * a system call of an opener or a holder; in all others it is whoever was interrupted, on loopback often the peer.
 */
#ifndef TCPTRAIL_OWNER_H
#define TCPTRAIL_OWNER_H

#include "config.h"
#include "maps.h"

/* What the running task proves by being the one that made this transition. */
static __always_inline __u8 proven_by(__u8 old, __u8 new)
{
	if (old == TCP_CLOSE && new == TCP_SYN_SENT)
		return EVIDENCE_CONNECT; /* tcp_v4_connect(), tcp_v6_connect() */
	if (old == TCP_CLOSE && new == TCP_LISTEN)
		return EVIDENCE_LISTEN; /* inet_csk_listen_start() */
	/* tcp_close_state(), from close() and shutdown(); its table makes close() after shutdown() a self-transition. */
	if (new == TCP_FIN_WAIT1 || new == TCP_LAST_ACK || old == new || (old == TCP_LISTEN && new == TCP_CLOSE))
		return EVIDENCE_CLOSE;
	return EVIDENCE_NONE;
}

/* The name that ps and ss show: the thread group leader's, not the thread's. */
static __always_inline void own(struct entry *entry, const struct task_struct *task, __u8 evidence)
{
	entry->pid = task->tgid;
	entry->evidence = evidence;
	copy_comm(entry->comm, task->group_leader);
}

static __always_inline void note_owner(struct entry *entry, const struct task_struct *task, __u8 old, __u8 new)
{
	__u8 evidence = proven_by(old, new);

	if (old == TCP_LISTEN && new == TCP_SYN_RECV && entry->pid)
		entry->evidence = EVIDENCE_LISTEN; /* a child, born with a copy of its listener's entry */
	if (evidence == EVIDENCE_NONE)
		return;
	if (evidence == EVIDENCE_CLOSE) {
		/* A kernel worker closes for others: delayed fput, MPTCP's worker, descriptors in flight. */
		if (task->flags & PF_KTHREAD || task->tgid == walker_pid)
			return;
		if (task->flags & PF_EXITING)
			entry->signs |= SIGN_EXITING;
	}
	own(entry, task, evidence);
}

#endif
