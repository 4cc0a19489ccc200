/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs that run once, right after the others are attached: they give sockets that are older than the tracer an owner.
 * An entry that exists is left as it is: what a live event said wins, whichever came first.
 */
#ifndef TCPTRAIL_WALK_H
#define TCPTRAIL_WALK_H

#include "books.h"
#include "maps.h"
#include "owner.h"

static __always_inline void adopt(struct sock *sk, const struct task_struct *task)
{
	struct entry *entry = settled_entry(sk);

	if (entry && entry->evidence == EVIDENCE_NONE)
		own(entry, task, EVIDENCE_FD);
}

/*
 * An MPTCP socket holds the descriptor of TCP subflows that have none themselves; Go listens that way by default. The
 * verifier lets no program turn the one into the other, so the subflow is noted here and met in adopt_subflows.
 */
static __always_inline void note_subflow(struct sock *sk, const struct task_struct *task)
{
	struct subflow subflow = {.pid = task->tgid, .netns = sk->__sk_common.skc_net.net->ns.inum};
	__u64 key;

	if (!bpf_core_type_exists(struct mptcp_sock))
		return;
	key = (__u64)BPF_CORE_READ((struct mptcp_sock *)sk, first);
	copy_comm(subflow.comm, task->group_leader);
	if (key)
		bpf_map_update_elem(&subflows, &key, &subflow, BPF_ANY);
}

/* Every descriptor of every process, in all network namespaces. */
SEC("iter/task_file")
int walk_descriptors(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;

	if (!task || !file)
		return 0;

	struct socket *socket = bpf_sock_from_file(file);

	if (!socket)
		return 0;

	struct sock *sk = socket->sk;

	if (!sk)
		return 0;
	if (sk->sk_protocol == IPPROTO_TCP)
		adopt(sk, task);
	else if (sk->sk_protocol == IPPROTO_MPTCP)
		note_subflow(sk, task);
	return 0;
}

/* Every TCP socket of the reader's network namespace; meets the subflows that walk_descriptors noted. */
SEC("iter/tcp")
int adopt_subflows(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;

	if (!skc)
		return 0;

	__u64 key = (__u64)skc;
	struct subflow *subflow = bpf_map_lookup_elem(&subflows, &key);
	struct tcp_sock *tp = subflow ? bpf_skc_to_tcp_sock(skc) : NULL;

	if (!tp)
		return 0;

	struct entry *entry = settled_entry(&tp->inet_conn.icsk_inet.sk);

	if (!entry || entry->evidence != EVIDENCE_NONE)
		return 0;
	entry->pid = subflow->pid;
	entry->evidence = EVIDENCE_FD;
	__builtin_memcpy(entry->comm, subflow->comm, sizeof(entry->comm));
	return 0;
}

/*
 * Every full socket of the reader's network namespace comes into the gauges. The iterator holds the socket's lock (from 5.15
 * on, 04c7820b776f), under which transitions are made, so none comes between the state read here and the count.
 */
SEC("iter/tcp")
int watch_sockets(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	struct counters *counters = my_counters();
	struct tcp_sock *tp = skc ? bpf_skc_to_tcp_sock(skc) : NULL;

	if (!tp || !counters)
		return 0;

	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct entry *entry = settled_entry(sk);

	if (!entry) {
		add_one(&counters->untracked);
		return 0;
	}
	take_over(entry, sk, sk->__sk_common.skc_state);
	if (entry->signs & SIGN_COUNTED)
		return 0;
	if (entry->state != sk->__sk_common.skc_state) { /* made without the lock */
		entry->state = sk->__sk_common.skc_state;
		entry->since_ns = 0;
	}
	entry->signs |= SIGN_COUNTED;
	add_one(&counters->adopted[entry->state & (TCP_STATES - 1)]);
	return 0;
}

#endif
