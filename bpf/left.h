/* SPDX-License-Identifier: GPL-2.0-only */
/* What a process leaves to the kernel when it ends: sockets on which it never called close(). */
#ifndef TCPTRAIL_LEFT_H
#define TCPTRAIL_LEFT_H

#include "family.h"
#include "owner.h"
#include "reason.h"

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

/* close() with unread data, in which no FIN is exchanged: __tcp_close() resets. */
static __always_inline bool is_aborted(const struct sock *sk, const struct tcp_sock *tp, __u8 old, __u8 reason)
{
	if (old == TCP_ESTABLISHED || old == TCP_CLOSE_WAIT)
		return reason == REASON_PROCESS_EXIT || reason == REASON_LISTENER_CLOSED;
	return old == TCP_FIN_WAIT2 && !(sk->__sk_common.skc_flags & (1 << SOCK_DONE | 1 << SOCK_DEAD)) &&
	       has_unread(tp, old);
}

/* Returns what is to be said of the transition in flags of enum record_flags; notes what comes to CLOSE and stays held. */
static __always_inline __u8 look_for_left(const struct sock *sk, const struct tcp_sock *tp, struct entry *entry,
					  const struct task_struct *task, __u8 old, __u8 new)
{
	bool left = proven_by(old, new) == EVIDENCE_CLOSE && new != TCP_CLOSE;
	__u8 reason = REASON_NONE;

	if (new == TCP_CLOSE) {
		reason = close_reason(sk, tp, old, entry->signs);
		if (stays_held(sk, old, reason))
			entry->signs |= SIGN_HELD;
		left = is_aborted(sk, tp, old, reason);
	}
	if (!left || !(task->flags & PF_EXITING) || !is_family(task))
		return 0;
	if (reason == REASON_LISTENER_CLOSED)
		return RECORD_LEFT | RECORD_UNACCEPTED;
	own(entry, task, EVIDENCE_CLOSE);
	return RECORD_LEFT;
}

/* At the end of a socket: it came to CLOSE long ago, and its last holder ends only now. */
static __always_inline bool is_left_zombie(const struct tcp_sock *tp, const struct entry *entry,
					   const struct task_struct *task)
{
	return entry->signs & SIGN_HELD && tp->rcv_nxt && task->flags & PF_EXITING && is_family(task);
}

#endif
