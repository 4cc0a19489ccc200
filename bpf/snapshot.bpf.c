// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that run when asked and look at what is there: iter/tcp gives every TCP socket of the reader's network
 * namespace, minisocks and requests included; iter/task_file every descriptor of every process in all of them;
 * iter/task the namespaces themselves. Linux 5.14 or newer: iter/tcp may run with the socket locked (04c7820b776f), so
 * that state, queues and entry belong together.
 */
#include "kernel.h"
#include "row.h"
#include "entry.h"
#include "address.h"
#include "look.h"
#include "horizon.h"

/* Set by the loader before the programs are verified. */
volatile const __u32 wanted; /* states, bit per state as it is shown; bit TCP_CLOSE is zombies, too */

/* Sockets by state, of one run of count_sockets: reset and read by the loader. */
__u64 tally_full[TCP_STATES];
__u64 tally_bare[TCP_STATES]; /* minisocks and requests */

static __always_inline bool is_wanted(__u8 state)
{
	return wanted >> (state & 31) & 1;
}

/* The state by which ss knows it. */
static __always_inline __u8 shown_state(struct sock_common *skc)
{
	__u8 state = skc->skc_state;

	if (state == TCP_NEW_SYN_RECV)
		return TCP_SYN_RECV;
	if (state == TCP_TIME_WAIT)
		return BPF_CORE_READ((struct inet_timewait_sock *)skc, tw_substate);
	return state;
}

static __noinline int write_full(struct seq_file *seq, struct tcp_sock *tp)
{
	struct full_row row = {};

	if (!tp || !seq)
		return 0;
	look_at_full(&row, tp, entry_of(tp));
	row.head.cookie = bpf_get_socket_cookie(tp);
	bpf_seq_write(seq, &row, sizeof(row));
	return 0;
}

static __always_inline void write_minisock(struct seq_file *seq, struct tcp_timewait_sock *tw)
{
	struct socket_row row = {};

	look_at_minisock(&row, &tw->tw_sk);
	bpf_seq_write(seq, &row, sizeof(row));
}

static __always_inline void write_request(struct seq_file *seq, struct tcp_request_sock *req)
{
	struct socket_row row = {};

	look_at_request(&row, req);
	bpf_seq_write(seq, &row, sizeof(row));
}

SEC("iter/tcp")
int list_sockets(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	struct seq_file *seq = ctx->meta->seq;

	if (!skc || !is_wanted(shown_state(skc)))
		return 0;

	struct tcp_sock *tp = bpf_skc_to_tcp_sock(skc);

	if (tp) {
		if (!is_beyond(tp))
			write_full(seq, tp);
		return 0;
	}

	struct tcp_timewait_sock *tw = bpf_skc_to_tcp_timewait_sock(skc);

	if (tw) {
		write_minisock(seq, tw);
		return 0;
	}

	struct tcp_request_sock *req = bpf_skc_to_tcp_request_sock(skc);

	if (req)
		write_request(seq, req);
	return 0;
}

SEC("iter/tcp")
int count_sockets(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;

	if (!skc)
		return 0;

	__u8 state = shown_state(skc) & (TCP_STATES - 1);

	if (skc->skc_state == TCP_NEW_SYN_RECV || skc->skc_state == TCP_TIME_WAIT)
		tally_bare[state]++;
	else
		tally_full[state]++;
	return 0;
}

static __always_inline void write_holder(struct seq_file *seq, const struct task_struct *task, __u32 fd,
					 struct sock *sk)
{
	struct holder_row row = {
		.kind = ROW_HOLDER,
		.state = sk->__sk_common.skc_state,
		.lport = sk->__sk_common.skc_num,
		.pid = task->tgid,
		.fd = fd,
		.netns = sk->__sk_common.skc_net.net->ns.inum,
	};

	if (sk->sk_protocol == IPPROTO_TCP)
		row.cookie = bpf_get_socket_cookie(sk);
	else
		row.address = (__u64)sk;
	copy_comm(row.comm, task->group_leader);
	bpf_seq_write(seq, &row, sizeof(row));
}

static __always_inline void write_namespace(struct seq_file *seq, __u8 way, __u32 pid, __u32 fd, __u32 netns)
{
	struct namespace_row row = {.kind = ROW_NAMESPACE, .way = way, .pid = pid, .fd = fd, .netns = netns};

	bpf_seq_write(seq, &row, sizeof(row));
}

/*
 * The namespace written last: neighbors in a walk mostly share theirs, and the loader takes care of repetitions. Zeroed
 * by it before each walk.
 */
__u32 last_task_netns;
__u32 last_socket_netns;

/*
 * Every descriptor of every process that the reader's PID namespace shows. A socket in CLOSE is in none of the tables
 * that iter/tcp walks, so it is written here. A namespace may live by nothing but a descriptor: of itself, or of a socket
 * in it.
 */
SEC("iter/task_file")
int list_holders(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct seq_file *seq = ctx->meta->seq;

	if (!task || !file)
		return 0;

	struct socket *socket = bpf_sock_from_file(file);

	if (!socket) {
		const struct inode *inode = file->f_inode;

		if (inode->i_sb->s_magic == NSFS_MAGIC)
			write_namespace(seq, BY_FILE, task->tgid, ctx->fd, inode->i_ino);
		return 0;
	}

	struct sock *sk = socket->sk;

	if (!sk || (sk->sk_protocol != IPPROTO_TCP && sk->sk_protocol != IPPROTO_MPTCP))
		return 0;

	__u32 netns = sk->__sk_common.skc_net.net->ns.inum;

	if (netns != last_socket_netns) {
		last_socket_netns = netns;
		write_namespace(seq, BY_SOCKET, task->tgid, ctx->fd, netns);
	}
	if (sk->sk_protocol == IPPROTO_TCP) {
		if (!is_wanted(sk->__sk_common.skc_state) || is_beyond(bpf_skc_to_tcp_sock(sk)))
			return 0;
	}
	write_holder(seq, task, ctx->fd, sk);
	if (sk->sk_protocol == IPPROTO_TCP && sk->__sk_common.skc_state == TCP_CLOSE)
		write_full(seq, bpf_skc_to_tcp_sock(sk));
	return 0;
}

/*
 * Every held socket whole: for those that were elsewhere whenever another program looked, as on their way into CLOSE, and
 * those that iter/tcp skips under churn before 6.17.
 */
SEC("iter/task_file")
int list_held(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct socket *socket = ctx->task && file ? bpf_sock_from_file(file) : NULL;
	struct sock *sk = socket ? socket->sk : NULL;

	if (sk && sk->sk_protocol == IPPROTO_TCP && is_wanted(sk->__sk_common.skc_state) &&
	    !is_beyond(bpf_skc_to_tcp_sock(sk)))
		write_full(ctx->meta->seq, bpf_skc_to_tcp_sock(sk));
	return 0;
}

SEC("iter/task")
int list_namespaces(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (!task)
		return 0;

	struct nsproxy *nsproxy = task->nsproxy;

	if (!nsproxy)
		return 0; /* it is ending */

	__u32 netns = nsproxy->net_ns->ns.inum;

	if (netns != last_task_netns) {
		last_task_netns = netns;
		write_namespace(ctx->meta->seq, BY_TASK, task->pid, 0, netns);
	}
	return 0;
}

/* Never used: a type reaches Go only through a map or a variable. */
const enum row_kind *row_kind_for_go;
const enum row_flags *row_flags_for_go;
const enum row_timer *row_timer_for_go;
const enum namespace_way *namespace_way_for_go;
const struct socket_row *socket_row_for_go;
const struct full_row *full_row_for_go;
const struct holder_row *holder_row_for_go;
const struct namespace_row *namespace_row_for_go;

char LICENSE[] SEC("license") = "GPL";
