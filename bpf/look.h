/* SPDX-License-Identifier: GPL-2.0-only */
/* From a socket to a row. Times stay in the kernel's units: only the loader knows how many jiffies make a second. */
#ifndef TCPTRAIL_LOOK_H
#define TCPTRAIL_LOOK_H

#include "address.h"
#include "cgroup.h"
#include "cell.h"
#include "row.h"
#include "sequence.h"

/* Set by the loader before the programs are verified. */
volatile const bool traced; /* entries belongs to a tracer, */
volatile const bool live;   /* which is at work */

/* What stands in struct sock_common, which all three kinds begin with. */
static __always_inline void look_at_common(struct socket_row *row, const struct sock_common *skc)
{
	row->family = skc->skc_family;
	row->address = (__u64)skc;
	row->cookie = skc->skc_cookie.counter;
	row->now_ns = bpf_ktime_get_ns();
	row->jiffies = bpf_jiffies64();
	row->lport = skc->skc_num;
	row->rport = bpf_ntohs(skc->skc_dport);
	row->netns = skc->skc_net.net->ns.inum;
	row->device = skc->skc_bound_dev_if;
	if (skc->skc_family == AF_INET6) {
		put_v6(row->laddr, &skc->skc_v6_rcv_saddr);
		put_v6(row->raddr, &skc->skc_v6_daddr);
	} else {
		put_v4(row->laddr, skc->skc_rcv_saddr);
		put_v4(row->raddr, skc->skc_daddr);
	}
}

static __always_inline bool is_pending(const struct timer_list *timer)
{
	return timer->entry.pprev != NULL;
}

/* A timer list counts in the lower bits of jiffies where a long is short; here it never is. */
static __always_inline void take_timer(struct socket_row *row, const struct timer_list *timer, __u8 kind, __u8 retries)
{
	row->timer = kind;
	row->retries = retries;
	row->timer_left = timer->expires - row->jiffies;
}

/* What ss -o shows (net/ipv4/inet_diag.c, inet_sk_diag_fill). */
static __always_inline void look_at_timers(struct socket_row *row, const struct inet_connection_sock *icsk)
{
	const struct sock *sk = &icsk->icsk_inet.sk;
	const struct timer_list *retransmit = bpf_core_field_exists(icsk->icsk_retransmit_timer)
						      ? &icsk->icsk_retransmit_timer
						      : &sk->tcp_retransmit_timer;
	const struct timer_list *keepalive =
		bpf_core_field_exists(icsk->icsk_keepalive_timer) ? &icsk->icsk_keepalive_timer : &sk->sk_timer;

	switch (icsk->icsk_pending) {
	case ICSK_TIME_RETRANS:
	case ICSK_TIME_LOSS_PROBE:
	case ICSK_TIME_REO_TIMEOUT:
		take_timer(row, retransmit, ROW_TIMER_RETRANSMIT, icsk->icsk_retransmits);
		return;
	case ICSK_TIME_PROBE0:
		take_timer(row, retransmit, ROW_TIMER_PROBE, icsk->icsk_probes_out);
		return;
	}
	if (is_pending(keepalive))
		take_timer(row, keepalive, ROW_TIMER_KEEPALIVE, icsk->icsk_probes_out);
}

static __always_inline void look_at_queues(struct full_row *row, const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;

	if (row->head.state == TCP_LISTEN) {
		row->recv_q = sk->sk_ack_backlog;
		row->send_q = sk->sk_max_ack_backlog;
		return;
	}
	row->recv_q = distance(tp->copied_seq, tp->rcv_nxt);
	row->send_q = distance(tp->snd_una, tp->write_seq);
}

static __always_inline void look_at_traffic(struct full_row *row, const struct tcp_sock *tp)
{
	__u32 now = row->head.jiffies;

	row->bytes_sent = tp->bytes_sent - tp->bytes_retrans;
	/* Sequence numbers are counted, of which a FIN takes one (net/ipv4/tcp_input.c, tcp_rcv_nxt_update). */
	row->bytes_received = tp->bytes_received - (tp->inet_conn.icsk_inet.sk.__sk_common.skc_flags >> SOCK_DONE & 1);
	row->retransmits = tp->total_retrans;
	row->srtt_us = tp->srtt_us >> 3;
	row->rttvar_us = tp->rttvar_us >> 2;
	row->last_sent = now - tp->lsndtime;
	row->last_received = now - tp->inet_conn.icsk_ack.lrcvtime;
	row->last_ack = now - tp->rcv_tstamp;
}

/* The first SYN of a connection that waits for an answer (net/ipv4/tcp_output.c, tcp_connect). */
static __always_inline void look_at_first_syn(struct socket_row *row, const struct tcp_sock *tp)
{
	__u32 stamp = tp->retrans_stamp;

	if (row->state != TCP_SYN_SENT || !stamp)
		return;
	if (bpf_core_field_exists(tp->tcp_usec_ts) && BPF_CORE_READ_BITFIELD(tp, tcp_usec_ts)) {
		__u64 now_us = row->now_ns / 1000;

		row->stamp_us = now_us - (__u32)((__u32)now_us - stamp);
		return;
	}
	row->stamp_ms = stamp;
}

static __always_inline void look_at_descriptor(struct full_row *row, const struct sock *sk)
{
	struct socket *socket = sk->sk_socket;

	if (socket) {
		row->inode = BPF_CORE_READ((struct socket_alloc *)socket, vfs_inode.i_ino);
		return;
	}
	row->head.flags |= sk->__sk_common.skc_flags >> SOCK_DEAD & 1 ? ROW_ORPHAN : ROW_UNACCEPTED;
}

/*
 * Whether the socket still is where its entry has it, in the same connection. When nobody has brought entries up to date
 * for a while, only the kernel's count of disconnects can tell that there was no other in between.
 */
static __always_inline bool is_true_of(const struct entry *entry, const struct sock *sk)
{
	if (!live && !bpf_core_field_exists(sk->sk_disconnects))
		return false;
	return entry->state == sk->__sk_common.skc_state && entry->disconnects == disconnects_of(sk);
}

static __always_inline void look_at_entry(struct full_row *row, const struct sock *sk, const struct entry *entry)
{
	row->pid = entry->pid;
	row->evidence = entry->evidence;
	row->stack = entry->stack;
	__builtin_memcpy(row->comm, entry->comm, sizeof(row->comm));
	if (is_true_of(entry, sk))
		row->since_ns = entry->since_ns;
}

static __always_inline void look_at_full(struct full_row *row, struct tcp_sock *tp, const struct entry *entry)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	const struct cgroup *cgroup = cgroup_of(sk);

	row->head.kind = ROW_FULL;
	row->head.state = sk->__sk_common.skc_state;
	look_at_common(&row->head, &sk->__sk_common);
	row->head.lport = bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport);
	row->head.mark = sk->sk_mark;
	row->head.shutdown = sk->sk_shutdown;
	if (cgroup)
		row->head.cgroup_id = cgroup->kn->id;
	if (!(BPF_CORE_READ_BITFIELD_PROBED(sk, sk_userlocks) & SOCK_BINDPORT_LOCK))
		row->head.flags |= ROW_AUTOBOUND;
	if (tp->rcv_nxt)
		row->head.flags |= ROW_CONNECTED;
	row->uid = sk->sk_uid.val;
	row->sk_err = sk->sk_err;
	if (tp->is_mptcp)
		row->mptcp = (__u64)BPF_CORE_READ((struct mptcp_subflow_context *)tp->inet_conn.icsk_ulp_data, conn);
	look_at_descriptor(row, sk);
	look_at_queues(row, tp);
	look_at_traffic(row, tp);
	look_at_timers(&row->head, &tp->inet_conn);
	look_at_first_syn(&row->head, tp);
	if (entry)
		look_at_entry(row, sk, entry);
}

static __always_inline void look_at_minisock(struct socket_row *row, const struct inet_timewait_sock *tw)
{
	row->kind = ROW_MINISOCK;
	row->state = tw->tw_substate;
	look_at_common(row, &tw->__tw_common);
	row->mark = tw->tw_mark;
	if (bpf_core_field_exists(tw->tw_entry_stamp))
		row->stamp_ms = tw->tw_entry_stamp;
	take_timer(row, &tw->tw_timer, ROW_TIMER_TIMEWAIT, 0);
}

static __always_inline void look_at_request(struct socket_row *row, const struct tcp_request_sock *req)
{
	const struct request_sock *rsk = &req->req.req;

	row->kind = ROW_REQUEST;
	row->state = TCP_SYN_RECV;
	look_at_common(row, &rsk->__req_common);
	row->listener = BPF_CORE_READ(rsk, __req_common.skc_listener, __sk_common.skc_cookie.counter);
	row->stamp_us = req->snt_synack;
	take_timer(row, &rsk->rsk_timer, ROW_TIMER_RETRANSMIT, BPF_CORE_READ_BITFIELD(rsk, num_timeout));
}

#endif
