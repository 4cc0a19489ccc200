// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that follow every TCP socket of the host, in all network namespaces, and put what passes the filter into a
 * per-CPU rings. Linux 5.12 or newer with BTF: bpf_get_socket_cookie() for tracing (c5dbb89fc2ac), tp_btf, ring buffer.
 *
 * Attach before walking descriptors: a live event makes the entry, and the walk only fills in what no event has said.
 */
#include "kernel.h"
#include "record.h"
#include "config.h"
#include "maps.h"
#include "books.h"
#include "owner.h"
#include "filter.h"
#include "reason.h"
#include "emit.h"
#include "stack.h"
#include "stay.h"
#include "left.h"
#include "walk.h"

static __always_inline void count_transition(struct counters *counters, __u8 old, __u8 new)
{
	__u64 index = old * TCP_STATES + new;

	/* Kept in sight of the verifier: before 6.10 it knows no bound of two registers joined by "or". */
	barrier_var(index);
	add_one(&counters->transitions[index & (TCP_STATES * TCP_STATES - 1)]);
}

/*
 * The kernel skips a tracing program that already runs on this CPU, so an event can pass unseen. An entry made just now
 * has no state yet: that is cheaper than to hand its first value to the helper each time.
 */
static __always_inline bool heal(struct counters *counters, struct entry *entry, __u8 old)
{
	if (entry->state == old)
		return false;
	if (!entry->state)
		return false;
	add_one(&counters->missed);
	if (entry->state == TCP_LISTEN && old != TCP_SYN_RECV && old != TCP_CLOSE) {
		/* A child whose birth was missed, too: its entry is still its listener's, which stays in LISTEN. */
		count_transition(counters, TCP_LISTEN, TCP_SYN_RECV);
		entry->state = TCP_SYN_RECV;
	}
	count_transition(counters, entry->state, old);
	entry->since_ns = 0;
	return true;
}

/* Makes a socket part of the gauges, in the state in which it is before the transition. */
static __always_inline void adopt_into_gauge(struct counters *counters, struct entry *entry, const struct sock *sk,
					     __u8 old, __u8 new)
{
	bool is_birth = old == TCP_LISTEN && new == TCP_SYN_RECV;

	if (entry->signs & SIGN_COUNTED && !is_birth)
		return;
	entry->signs |= SIGN_COUNTED;
	if (!entry->state) /* made just now */
		entry->disconnects = disconnects_of(sk);
	if (!is_birth)
		add_one(&counters->adopted[old & (TCP_STATES - 1)]);
}

/*
 * Ports that are not there yet. Before 6.15 (a3a128f611a9) a child is traced before its addresses and its cookie are
 * set; a connecting socket has no local port until after CLOSE to SYN_SENT, which matters when ports are asked for.
 */
static __always_inline bool is_too_early(const struct sock *sk, const struct tcp_sock *tp, __u8 old, __u8 new)
{
	if (old == TCP_LISTEN && new == TCP_SYN_RECV)
		return sk->__sk_common.skc_dport == 0;
	return filter_lport && new == TCP_SYN_SENT && tp->inet_conn.icsk_inet.inet_sport == 0;
}

static __always_inline void hold(struct entry *entry, const struct transition *transition)
{
	entry->held_old = transition->old;
	entry->held_ns = transition->time_ns;
	entry->held_since_ns = transition->since_ns;
}

/* For what is rare: one more copy of emit() would cost every start milliseconds in the verifier. */
static __noinline int emit_late(struct counters *counters, const struct sock *sk, struct entry *entry,
				const struct transition *transition)
{
	const struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)sk);

	if (tp)
		emit(counters, sk, tp, entry, transition);
	return 0;
}

static __always_inline void emit_held(struct counters *counters, const struct sock *sk, struct entry *entry, __u8 new)
{
	struct transition transition = {
		.time_ns = entry->held_ns,
		.since_ns = entry->held_since_ns,
		.old = entry->held_old,
		.new = new,
		.flags = RECORD_LATE,
	};

	entry->held_old = 0;
	emit_late(counters, sk, entry, &transition);
}

static __always_inline void advance(struct entry *entry, const struct sock *sk, const struct transition *transition)
{
	entry->state = transition->new;
	if (transition->old == transition->new)
		return; /* close() after shutdown(): the state goes on and so does its clock */
	entry->since_ns = transition->time_ns;
	if (transition->new == TCP_SYN_SENT || transition->new == TCP_SYN_RECV) {
		/* a new connection; connect(AF_UNSPEC) lets one socket have several */
		entry->signs &= SIGN_COUNTED;
		entry->disconnects = disconnects_of(sk);
	}
}

static __always_inline int follow(const struct sock *sk, __u8 old, __u8 new, enum desk desk)
{
	const struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)sk); /* NULL unless all 16 bits say TCP */
	struct counters *counters = my_counters();

	if (!tp || !counters)
		return 0;

	bool is_birth = old == TCP_LISTEN && new == TCP_SYN_RECV;
	struct entry *entry = is_birth ? bear_entry(sk, tp, desk) : borrow_entry(sk, desk);
	const struct task_struct *task = bpf_get_current_task_btf();
	struct transition transition = {
		.time_ns = bpf_ktime_get_ns(),
		.running_pid = task->tgid,
		.old = old,
		.new = new,
	};

	count_transition(counters, old, new);
	if (!entry) {
		add_one(&counters->untracked);
		/* To the gauges it comes and goes at once. */
		if (old != TCP_LISTEN || new != TCP_SYN_RECV)
			add_one(&counters->adopted[old & (TCP_STATES - 1)]);
		add_one(&counters->gone[new &(TCP_STATES - 1)]);
		emit(counters, sk, tp, NULL, &transition);
		return 0;
	}
	take_over(entry, sk, old);
	adopt_into_gauge(counters, entry, sk, old, new);
	if (heal(counters, entry, old))
		transition.flags |= RECORD_MISSED;
	if (entry->held_old)
		emit_held(counters, sk, entry, old);
	note_owner(entry, task, old, new);
	if (old != TCP_LISTEN || new != TCP_SYN_RECV) /* a child was never in LISTEN itself */
		transition.since_ns = entry->since_ns;
	if (with_stays && transition.since_ns && old != new)
		count_stay(old, transition.since_ns, transition.time_ns);
	advance(entry, sk, &transition);
	if (is_too_early(sk, tp, old, new))
		hold(entry, &transition);
	else
		emit(counters, sk, tp, entry, &transition);
	give_back(sk, entry);
	return 0;
}

static __always_inline int follow_undisturbed(const struct sock *sk, __u8 old, __u8 new, enum desk desk)
{
	if (!preemptible || !bpf_preempt_disable || !bpf_preempt_enable)
		return follow(sk, old, new, desk);
	bpf_preempt_disable(); /* from the time stamp to the commit */
	follow(sk, old, new, desk);
	bpf_preempt_enable();
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(inet_sock_set_state, const struct sock *sk, int old, int new)
{
	return follow_undisturbed(sk, old, new, DESK_SET_STATE);
}

/*
 * Attached after the one above where that may be preempted: it runs for the same events, and takes care of those that
 * the kernel hid from the other. It is short, so hardly anything is hidden from both.
 */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(second_look, const struct sock *sk, int old, int new)
{
	struct entry *entry = find_entry(sk);

	if (entry && entry->state == new)
		return 0;
	return follow_undisturbed(sk, old, new, DESK_SECOND_LOOK);
}

static __always_inline void close_books(struct counters *counters, struct sock *sk, struct entry *entry)
{
	struct transition transition = {
		.time_ns = bpf_ktime_get_ns(),
		.old = entry->state,
		.new = TCP_CLOSE,
		.flags = RECORD_MISSED | RECORD_LATE,
	};

	add_one(&counters->missed);
	count_transition(counters, transition.old, TCP_CLOSE);
	if (entry->held_old)
		emit_held(counters, sk, entry, entry->state);
	advance(entry, sk, &transition);
	emit_late(counters, sk, entry, &transition);
}

/* The end of every full socket; also closes the books of one whose transition to CLOSE was missed. */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(tcp_destroy_sock, struct sock *sk)
{
	struct entry *entry = find_in_cell(sk);
	struct counters *counters = my_counters();

	if (!entry)
		entry = borrow(bpf_sk_storage_get(&entries, sk, NULL, 0), DESK_DESTROY);
	if (!entry || !counters)
		return 0;
	take_over(entry, sk, TCP_CLOSE);
	if (entry->state != TCP_CLOSE)
		close_books(counters, sk, entry);
	if (entry->signs & SIGN_COUNTED)
		add_one(&counters->gone[TCP_CLOSE]);
	leave_cell(sk);
	return 0;
}

static __always_inline int note_sign(const struct sock *sk, __u8 sign)
{
	if (!sk)
		return 0;

	const struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)sk);

	if (!tp)
		return 0; /* a minisock, or not TCP */

	struct entry *entry = settled_entry(sk);

	if (entry)
		entry->signs |= sign;
	return 0;
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(tcp_receive_reset, struct sock *sk)
{
	return note_sign(sk, SIGN_RESET_RECEIVED);
}

/* sk is NULL when the reset answers a packet that belongs to no socket; a reason is added from 6.10 on. */
SEC("tp_btf/tcp_send_reset")
int BPF_PROG(tcp_send_reset, const struct sock *sk)
{
	return note_sign(sk, SIGN_RESET_SENT);
}

/*
 * Optional, and attached before those that follow transitions, so that their records have the stack. connect() and
 * listen() are what the transition itself proves to be run by this task.
 */
static __always_inline int note_opener(void *ctx, const struct sock *sk, int new)
{
	struct counters *counters = my_counters();
	struct entry *entry;
	__u32 stack;

	if (!counters || !bpf_skc_to_tcp_sock((void *)sk))
		return 0;
	stack = take_stack(ctx, counters, bpf_get_current_task_btf(), new == TCP_LISTEN ? STACK_LISTEN : STACK_CONNECT);
	entry = make_entry(sk);
	if (entry)
		entry->stack = stack;
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(note_stack, const struct sock *sk, int old, int new)
{
	if (old != TCP_CLOSE || (new != TCP_SYN_SENT &&new != TCP_LISTEN))
		return 0;
	if (!preemptible || !bpf_preempt_disable || !bpf_preempt_enable)
		return note_opener(ctx, sk, new);
	bpf_preempt_disable(); /* a draft is this CPU's */
	note_opener(ctx, sk, new);
	bpf_preempt_enable();
	return 0;
}

/* Optional: a program of a family may have ended by the time that its first stack is told. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(note_exec, const struct task_struct *task)
{
	struct new_program new = {.started_ns = task->group_leader->start_boottime, .pid = task->tgid};

	if (is_family())
		bpf_ringbuf_output(&fresh_stacks, &new, sizeof(new), 0);
	return 0;
}

/* Optional, and attached before those that follow transitions: it needs what they knew before this one. */
static __always_inline int tell_left(const struct sock *sk, int old, int new, bool ended)
{
	const struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)sk);
	struct counters *counters = my_counters();
	struct entry *entry = find_entry(sk);
	const struct task_struct *task = bpf_get_current_task_btf();
	struct transition transition = {
		.time_ns = bpf_ktime_get_ns(),
		.running_pid = task->tgid,
		.old = old,
		.new = new,
	};

	if (!tp || !counters || !entry)
		return 0;
	transition.since_ns = entry->state == old ? entry->since_ns : 0;
	transition.flags =
		ended ? look_for_zombie(tp, entry, task, &transition) : look_for_left(sk, tp, entry, task, &transition);
	if (!transition.flags)
		return 0;
	add_one(&counters->seen);
	send(counters, sk, tp, entry, &transition);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(tell_left_open, const struct sock *sk, int old, int new)
{
	return tell_left(sk, old, new, false);
}

/* Zombies make no transition when they are closed at last. */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(tell_left_zombie, const struct sock *sk)
{
	return tell_left(sk, TCP_CLOSE, TCP_CLOSE, true);
}

static __always_inline int note_accept(void *ctx, struct sock *sk)
{
	if (!sk)
		return 0;

	struct entry *entry = find_entry(sk);

	if (!entry)
		return 0;

	const struct task_struct *task = bpf_get_current_task_btf();

	own(entry, task, EVIDENCE_ACCEPT);
	if (with_stacks)
		note_accept_stack(ctx, entry, task);
	return 0;
}

/* Optional: needs trampolines, which some kernels refuse. The loader keeps the one that fits the kernel. */
SEC("fexit/inet_csk_accept")
int BPF_PROG(inet_csk_accept_flags, struct sock *listener, int flags, int *err, bool kern, struct sock *sk)
{
	return note_accept(ctx, sk);
}

SEC("fexit/inet_csk_accept") /* from 6.10 on (92ef0fd55ac8) */
int BPF_PROG(inet_csk_accept_arg, struct sock *listener, struct proto_accept_arg *arg, struct sock *sk)
{
	return note_accept(ctx, sk);
}

/* Never used: a type reaches Go only through a map or a variable. */
const enum evidence *evidence_for_go;
const enum reason *reason_for_go;
const enum record_flags *record_flags_for_go;
const enum stack_call *stack_call_for_go;
const struct new_program *new_program_for_go;
const struct ring *ring_for_go;
const struct slot *slot_for_go;

char LICENSE[] SEC("license") = "GPL";
