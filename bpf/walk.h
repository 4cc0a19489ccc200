/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs that run once, right after the others are attached: they give sockets that are older than the tracer an owner.
 * An entry that exists is left as it is: what a live event said wins, whichever came first.
 */
#ifndef TCPTRAIL_WALK_H
#define TCPTRAIL_WALK_H

#include "maps.h"
#include "owner.h"

static __always_inline void adopt(struct sock *sk, const struct task_struct *task)
{
	struct entry fresh = {.state = sk->__sk_common.skc_state};
	struct entry *entry = bpf_sk_storage_get(&entries, sk, &fresh, BPF_SK_STORAGE_GET_F_CREATE);

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

	struct entry fresh = {.state = skc->skc_state};
	struct entry *entry = bpf_sk_storage_get(&entries, tp, &fresh, BPF_SK_STORAGE_GET_F_CREATE);

	if (!entry || entry->evidence != EVIDENCE_NONE)
		return 0;
	entry->pid = subflow->pid;
	entry->evidence = EVIDENCE_FD;
	__builtin_memcpy(entry->comm, subflow->comm, sizeof(entry->comm));
	return 0;
}

#endif
