/* SPDX-License-Identifier: GPL-2.0-only */
/* From a transition to a record in the ring. */
#ifndef TCPTRAIL_EMIT_H
#define TCPTRAIL_EMIT_H

#include "address.h"
#include "filter.h"
#include "reason.h"
#include "ring.h"
#include "sequence.h"

/* One transition on its way out. */
struct transition {
	__u64 time_ns;
	__u64 since_ns;
	__u32 running_pid;
	__u8 old;
	__u8 new;
	__u8 flags; /* enum record_flags */
};

static __always_inline void fill_addresses(struct record *record, const struct sock *sk, const struct tcp_sock *tp)
{
	if (sk->__sk_common.skc_family == AF_INET6) {
		put_v6(record->laddr, &sk->__sk_common.skc_v6_rcv_saddr);
		put_v6(record->raddr, &sk->__sk_common.skc_v6_daddr);
	} else {
		put_v4(record->laddr, tp->inet_conn.icsk_inet.inet_saddr);
		put_v4(record->raddr, sk->__sk_common.skc_daddr);
	}
}

static __always_inline void fill_owner(struct record *record, const struct entry *entry)
{
	__u64 *comm = (__u64 *)record->comm;

	if (!entry) {
		record->pid = 0;
		record->evidence = EVIDENCE_NONE;
		comm[0] = 0;
		comm[1] = 0;
		return;
	}
	record->pid = entry->pid;
	record->evidence = entry->evidence;
	comm[0] = ((const __u64 *)entry->comm)[0];
	comm[1] = ((const __u64 *)entry->comm)[1];
}

static __always_inline void fill_record(struct record *record, const struct sock *sk, const struct tcp_sock *tp,
					const struct entry *entry, const struct transition *transition)
{
	const struct cgroup *cgroup = cgroup_of(sk);
	__u64 cookie = sk->__sk_common.skc_cookie.counter;

	/* The helper would make one; asking for it only the first time saves a call in all other transitions. */
	record->cookie = cookie ? cookie : bpf_get_socket_cookie((void *)sk);
	record->time_ns = transition->time_ns;
	record->since_ns = transition->since_ns;
	record->cgroup_id = cgroup ? cgroup->kn->id : 0;
	record->netns = sk->__sk_common.skc_net.net->ns.inum;
	record->uid = sk->sk_uid.val;
	record->running_pid = transition->running_pid;
	fill_owner(record, entry);
	fill_addresses(record, sk, tp);
	record->lport = bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport);
	record->rport = bpf_ntohs(sk->__sk_common.skc_dport);
	record->family = sk->__sk_common.skc_family;
	record->sk_err = sk->sk_err;
	record->old = transition->old;
	record->new = transition->new;
	record->flags = transition->flags;
	record->reason = REASON_NONE;
	record->next = 0;
	record->pad = 0;
	record->stack = entry ? entry->stack : 0;
	record->recv_q = 0;
	if (transition->flags & (RECORD_LEFT | RECORD_OVERDUE))
		record->recv_q = distance(tp->copied_seq, tp->rcv_nxt);
}

static __always_inline void fill_closing(struct closing_record *closing, const struct sock *sk,
					 const struct tcp_sock *tp, const struct entry *entry,
					 const struct transition *transition)
{
	__u8 signs = entry ? entry->signs : 0;

	if (transition->flags & RECORD_LATE) { /* the socket has changed since: what it looks like proves nothing */
		closing->head.reason = noted_reason(sk, transition->old, signs);
	} else {
		closing->head.reason = close_reason(sk, tp, transition->old, signs);
		closing->head.next = next_state(sk, transition->old, closing->head.reason);
	}
	closing->bytes_sent = tp->bytes_sent - tp->bytes_retrans;
	/* tcp_rcv_nxt_update() counts sequence numbers, of which a FIN takes one. */
	closing->bytes_received = tp->bytes_received - !!(sk->__sk_common.skc_flags & 1 << SOCK_DONE);
	closing->retransmits = tp->total_retrans;
	closing->srtt_us = tp->srtt_us >> 3; /* kept times eight: tcp_rtt_estimator() */
}

/* Without asking the filter. */
static __always_inline void send(struct counters *counters, const struct sock *sk, const struct tcp_sock *tp,
				 const struct entry *entry, const struct transition *transition)
{
	__u64 index;
	struct slot *slot = reserve(&index);

	if (!slot) {
		add_one(&counters->lost);
		return;
	}
	fill_record(&slot->record.head, sk, tp, entry, transition);
	if (transition->new == TCP_CLOSE)
		fill_closing(&slot->record, sk, tp, entry, transition);
	commit(slot, index);
	wake_reader();
}

static __always_inline void emit(struct counters *counters, const struct sock *sk, const struct tcp_sock *tp,
				 const struct entry *entry, const struct transition *transition)
{
	add_one(&counters->seen);
	if (silent || !is_wanted(sk, tp, entry, transition->old, transition->new,
				 bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport), bpf_ntohs(sk->__sk_common.skc_dport))) {
		add_one(&counters->filtered);
		return;
	}
	send(counters, sk, tp, entry, transition);
}

#endif
