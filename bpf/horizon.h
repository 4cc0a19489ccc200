/* SPDX-License-Identifier: GPL-2.0-only */
/* Leaves out sockets that came to be in their state too recently to matter, so that a look costs what it finds. */
#ifndef TCPTRAIL_HORIZON_H
#define TCPTRAIL_HORIZON_H

#include "look.h"

/* Set by the loader before each walk, by state: what came later is beyond the horizon. 0: nothing is. */
__u64 horizon_ns[TCP_STATES];	   /* CLOCK_MONOTONIC, where a tracer knows the time */
__u32 horizon_jiffies[TCP_STATES]; /* ago, where only the kernel's notes bound it */

static __always_inline const struct entry *entry_of(struct tcp_sock *tp)
{
	return traced ? find_entry(&tp->inet_conn.icsk_inet.sk) : NULL;
}

/*
 * The first moment, in jiffies, at which the socket can have come to be in its state, as tcp.Age has it; of ESTABLISHED,
 * where idleness matters, the last one at which it was not idle. 0: none is known.
 */
static __always_inline __u32 earliest_of(const struct tcp_sock *tp, __u8 state)
{
	__u32 sent = tp->lsndtime, received = tp->inet_conn.icsk_ack.lrcvtime;

	switch (state) {
	case TCP_CLOSE_WAIT:
	case TCP_CLOSING:
	case TCP_LAST_ACK:
		return received;
	case TCP_FIN_WAIT2:
		return sent;
	case TCP_ESTABLISHED:
		return sent && (__s32)(sent - received) > 0 ? sent : received;
	}
	return 0;
}

static __always_inline bool is_beyond(struct tcp_sock *tp)
{
	if (!tp)
		return false;

	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	__u8 state = sk->__sk_common.skc_state & (TCP_STATES - 1);

	if (!horizon_ns[state])
		return false;

	const struct entry *entry = entry_of(tp);

	if (entry && entry->since_ns && is_true_of(entry, sk))
		return entry->since_ns > horizon_ns[state];

	__u32 earliest = earliest_of(tp, state);

	return earliest && (__u32)bpf_jiffies64() - earliest < horizon_jiffies[state];
}

#endif
