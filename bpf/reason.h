/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why a socket went to CLOSE, from what is in the socket at that moment and the signs noted before.
 *
 * Several resets leave only after the transition (tcp_close(), tcp_disconnect(), data for a closed socket), so they
 * are told by what leads to them and not by tp_btf/tcp_send_reset, which sees only those that leave before.
 */
#ifndef TCPTRAIL_REASON_H
#define TCPTRAIL_REASON_H

#include "maps.h"

/* Payload that came and was not read. A FIN takes one sequence number and has come in the states named here. */
static __always_inline bool has_unread(const struct tcp_sock *tp, __u8 old)
{
	bool fin = old == TCP_CLOSE_WAIT || old == TCP_LAST_ACK || old == TCP_CLOSING;

	return (__s32)(tp->rcv_nxt - tp->copied_seq) > (fin ? 1 : 0);
}

static __always_inline bool is_exiting(void)
{
	return bpf_get_current_task_btf()->flags & PF_EXITING;
}

/* tcp_reset() and tcp_v4_err() and tcp_write_err() and tcp_abort() set sk_err before they close. */
static __always_inline __u8 error_reason(int err, __u8 old)
{
	switch (err) {
	case ETIMEDOUT: /* tcp_write_err(): retransmissions, probes or keepalives went unanswered */
		return REASON_TIMEOUT;
	case ECONNREFUSED: /* tcp_v4_err(): port unreachable */
		return old == TCP_SYN_SENT ? REASON_REFUSED : REASON_UNREACHABLE;
	case EHOSTUNREACH: /* tcp_v4_err(), or tcp_write_err() with the last ICMP error in sk_err_soft */
	case ENETUNREACH:
	case EHOSTDOWN:
		return REASON_UNREACHABLE;
	case ECONNABORTED: /* tcp_abort(): ss -K, bpf_sock_destroy() */
		return REASON_KILLED;
	}
	return REASON_NONE;
}

/* No error, no reset seen: what our side did, or the orderly end. */
static __always_inline __u8 orderly_reason(const struct sock *sk, const struct tcp_sock *tp, __u8 old, __u8 signs)
{
	switch (old) {
	case TCP_FIN_WAIT2:
		/* Neither has the peer ended nor is it an orphan: __tcp_close() or tcp_disconnect() gives the rest up. */
		if (!(sk->__sk_common.skc_flags & (1 << SOCK_DONE | 1 << SOCK_DEAD))) {
			if (is_exiting())
				return REASON_PROCESS_EXIT;
			return has_unread(tp, old) ? REASON_ABORT_UNREAD : REASON_RESET_SENT;
		}
		return signs & SIGN_EXITING ? REASON_PROCESS_EXIT : REASON_FIN_LOCAL; /* tcp_time_wait() */
	case TCP_CLOSING:
		return signs & SIGN_EXITING ? REASON_PROCESS_EXIT : REASON_FIN_LOCAL;
	case TCP_SYN_SENT: /* tcp_close_state(), tcp_disconnect() */
		return is_exiting() ? REASON_PROCESS_EXIT : REASON_ABANDONED;
	case TCP_LISTEN:
		return is_exiting() ? REASON_PROCESS_EXIT : REASON_LISTENER_CLOSED;
	case TCP_FIN_WAIT1: /* data came for a closed socket, or linger ran out: tcp_rcv_state_process() resets */
		return REASON_RESET_SENT;
	case TCP_ESTABLISHED:
	case TCP_CLOSE_WAIT:
		if (!sk->sk_socket) /* inet_child_forget(): the listener went away before accept() */
			return REASON_LISTENER_CLOSED;
		if (is_exiting())
			return REASON_PROCESS_EXIT;
		/* __tcp_close() with data in the receive queue; else SO_LINGER 0 or AF_UNSPEC: tcp_disconnect() */
		return sk->sk_shutdown == SHUTDOWN_MASK && has_unread(tp, old) ? REASON_ABORT_UNREAD
									       : REASON_RESET_SENT;
	}
	return REASON_NONE;
}

/* What was noted on the way, or left in sk_err: as good after the transition as at it. */
static __always_inline __u8 noted_reason(const struct sock *sk, __u8 old, __u8 signs)
{
	__u8 reason;

	if (signs & SIGN_RESET_RECEIVED) /* tp_btf/tcp_receive_reset, in tcp_reset() before the transition */
		return old == TCP_SYN_SENT ? REASON_REFUSED : REASON_RESET_RECEIVED;
	reason = error_reason(sk->sk_err, old);
	if (reason != REASON_NONE)
		return reason;
	/* tp_btf/tcp_send_reset, where it leaves before the transition */
	return signs & SIGN_RESET_SENT ? REASON_RESET_SENT : REASON_NONE;
}

static __always_inline __u8 close_reason(const struct sock *sk, const struct tcp_sock *tp, __u8 old, __u8 signs)
{
	/* tcp_rcv_state_process(): the ACK of our FIN. An error left by an ICMP message earlier does not change it. */
	if (old == TCP_LAST_ACK && tp->snd_una == tp->write_seq && !(signs & SIGN_RESET_RECEIVED))
		return REASON_FIN_REMOTE;

	__u8 reason = noted_reason(sk, old, signs);

	return reason != REASON_NONE ? reason : orderly_reason(sk, tp, old, signs);
}

/*
 * The state of the minisock that carries the connection on, or 0. tcp_fin() hands over to TIME_WAIT after setting
 * SOCK_DONE; tcp_rcv_state_process() and tcp_keepalive_timer() hand an orphan over to FIN_WAIT2 without it.
 */
static __always_inline __u8 next_state(const struct sock *sk, __u8 old, __u8 reason)
{
	if (reason != REASON_FIN_LOCAL && reason != REASON_PROCESS_EXIT)
		return 0;
	if (old != TCP_FIN_WAIT2 && old != TCP_CLOSING)
		return 0;
	if (sk->__sk_common.skc_flags & 1 << SOCK_DONE)
		return TCP_TIME_WAIT;
	return old == TCP_FIN_WAIT2 && sk->__sk_common.skc_flags & 1 << SOCK_DEAD ? TCP_FIN_WAIT2 : 0;
}

#endif
