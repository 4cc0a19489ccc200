/* SPDX-License-Identifier: GPL-2.0-only */
/* What a process leaves to the kernel when it ends, for it never called close(); and what it closed long overdue. */
#ifndef TCPTRAIL_LEFT_H
#define TCPTRAIL_LEFT_H

#include "emit.h"
#include "family.h"
#include "owner.h"

/*
 * A socket that comes to CLOSE while a descriptor on it stays open. close() itself aborts from ESTABLISHED and
 * CLOSE_WAIT; all else happens to a socket, and once it is closed it is dead (sock_orphan() in __tcp_close()).
 */
static __always_inline bool stays_held(const struct sock *sk, __u8 old, __u8 reason)
{
	if (!sk->sk_socket || sk->__sk_common.skc_flags & 1 << SOCK_DEAD || old == TCP_LISTEN)
		return false;
	switch (reason) {
	case REASON_ABORT_UNREAD:
	case REASON_RESET_SENT:
	case REASON_LISTENER_CLOSED:
	case REASON_ABANDONED:
		return false;
	case REASON_PROCESS_EXIT:
		return old == TCP_FIN_WAIT2 || old == TCP_CLOSING;
	}
	return true;
}

/* close() that exchanges no FIN: with unread data, or of a listener with what it did not accept. */
static __always_inline bool is_aborted(const struct sock *sk, __u8 old, __u8 reason)
{
	if (old == TCP_FIN_WAIT2 && sk->__sk_common.skc_flags & (1 << SOCK_DONE | 1 << SOCK_DEAD))
		return false;
	return (old == TCP_ESTABLISHED || old == TCP_CLOSE_WAIT || old == TCP_FIN_WAIT2) &&
	       (reason == REASON_PROCESS_EXIT || reason == REASON_LISTENER_CLOSED || reason == REASON_ABORT_UNREAD);
}

/* What is to be said of a socket that the running task closes, in flags of enum record_flags. */
static __always_inline __u8 judge_close(const struct task_struct *task, const struct transition *transition)
{
	if (!is_family())
		return 0;
	if (task->flags & PF_EXITING)
		return RECORD_LEFT;
	if (!overdue_ns || !transition->since_ns || transition->time_ns - transition->since_ns < overdue_ns)
		return 0;
	return transition->old == TCP_CLOSE_WAIT || transition->old == TCP_FIN_WAIT2 || transition->old == TCP_CLOSE
		       ? RECORD_OVERDUE
		       : 0;
}

/* Judges a transition that is a close(), and notes what comes to CLOSE and stays held. */
static __always_inline __u8 look_for_left(const struct sock *sk, const struct tcp_sock *tp, struct entry *entry,
					  const struct task_struct *task, const struct transition *transition)
{
	__u8 old = transition->old, reason = REASON_NONE, flags;
	bool closed = proven_by(old, transition->new) == EVIDENCE_CLOSE;

	if (transition->new == TCP_CLOSE) {
		reason = close_reason(sk, tp, old, entry->signs);
		closed = is_aborted(sk, old, reason);
		if (!closed && stays_held(sk, old, reason))
			entry->signs |= SIGN_HELD;
	}
	flags = closed ? judge_close(task, transition) : 0;
	if (!flags)
		return 0;
	if (reason == REASON_LISTENER_CLOSED)
		return flags | RECORD_UNACCEPTED;
	own(entry, task, EVIDENCE_CLOSE);
	return flags;
}

/* The same at the end of a socket, which is no transition if it came to CLOSE long ago and was held until now. */
static __always_inline __u8 look_for_zombie(const struct tcp_sock *tp, struct entry *entry,
					    const struct task_struct *task, const struct transition *transition)
{
	__u8 flags = entry->signs & SIGN_HELD && tp->rcv_nxt ? judge_close(task, transition) : 0;

	if (flags)
		own(entry, task, EVIDENCE_CLOSE);
	return flags;
}

#endif
