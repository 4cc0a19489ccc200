/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the entry of a socket is. Most sockets are gone after a moment, and to make and free socket-local storage for one costs
 * more than all else that is done about it. So a socket that is seen from its first transition on has its entry in a cell of
 * a table, if the one that its cookie falls on is free, and in its storage otherwise. Cookies are counted up and never used
 * again: sockets that come one after the other fall on different cells, and no cell is ever taken for another socket's.
 *
 * Off where a child's cookie is not settled when it is born (before 6.15, a3a128f611a9), and where entries outlive tracers.
 */
#ifndef TCPTRAIL_CELL_H
#define TCPTRAIL_CELL_H

#include "entry.h"

#define CELLS 65536 /* a power of two: 4 MiB, for as many sockets at a time; the others have storage */

volatile const bool with_cells;

struct cell {
	__u64 cookie; /* 0: free, and the entry is all zero */
	struct entry entry;
};

/*
 * Life: taken by make_entry() and bear_entry(), given back by tcp_destroy_sock. If that was missed, which it can be as any
 * event, the cell stays taken, and sockets that fall on it have storage.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CELLS);
	__type(key, __u32);
	__type(value, struct cell);
} cells SEC(".maps");

static __always_inline struct cell *cell_of(__u64 cookie)
{
	__u32 number = cookie & (CELLS - 1);

	return bpf_map_lookup_elem(&cells, &number);
}

static __always_inline struct entry *find_in_cell(const struct sock *sk)
{
	__u64 cookie = with_cells ? sk->__sk_common.skc_cookie.counter : 0;
	struct cell *cell = cookie ? cell_of(cookie) : NULL;

	return cell && cell->cookie == cookie ? &cell->entry : NULL;
}

/* The entry of a socket, or NULL. */
static __always_inline struct entry *find_entry(const struct sock *sk)
{
	struct entry *entry = find_in_cell(sk);

	return entry ? entry : bpf_sk_storage_get(&entries, (void *)sk, NULL, 0);
}

/* The cell of a socket that has no entry, if it is free. */
static __always_inline struct entry *take_cell(const struct sock *sk)
{
	__u64 cookie = bpf_get_socket_cookie((void *)sk);
	struct cell *cell = cell_of(cookie);

	if (!cell)
		return NULL;

	__u64 before = __sync_val_compare_and_swap(&cell->cookie, 0, cookie);

	return !before || before == cookie ? &cell->entry : NULL;
}

static __always_inline struct entry *make_storage(const struct sock *sk)
{
	return bpf_sk_storage_get(&entries, (void *)sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
}

/* The entry of a socket, made if there is none: all zero then. NULL for want of memory. */
static __always_inline struct entry *make_entry(const struct sock *sk)
{
	struct entry *entry = find_entry(sk);

	if (!entry && with_cells)
		entry = take_cell(sk);
	return entry ? entry : make_storage(sk);
}

/*
 * The listener that a child is a copy of. inet_csk_clone_lock() has copied all of struct tcp_sock, and until
 * tcp_create_openreq_child() goes on the child's list of what was sent, empty as a listener's is, still points to that of the
 * listener. That it is one, the cell has to say.
 */
static __always_inline const struct entry *entry_of_listener(const struct tcp_sock *child)
{
	const struct list_head *sent = child->tsorted_sent_queue.next;
	const struct tcp_sock *listener =
		(const void *)sent - bpf_core_field_offset(struct tcp_sock, tsorted_sent_queue);
	__u64 cookie = BPF_CORE_READ(listener, inet_conn.icsk_inet.sk.__sk_common.skc_cookie.counter);
	struct cell *cell = cookie ? cell_of(cookie) : NULL;

	if (!cell || cell->cookie != cookie || cell->entry.state != TCP_LISTEN)
		return NULL;
	return &cell->entry;
}

/*
 * Who works on an entry at length does so in a cell, with a copy of what is in storage: the verifier then walks through that
 * work once and not twice. There is a cell for it behind the others for each CPU and each program, as programs may interrupt
 * one another. What a walk writes to the storage meanwhile, which is without a lock, is lost.
 */
enum desk {
	DESK_SET_STATE,
	DESK_SECOND_LOOK,
	DESK_DESTROY,
	DESKS,
};

#define COPIED (~0ULL) /* for a cookie: a copy from storage */

static __always_inline struct entry *borrow(struct entry *entry, enum desk desk)
{
	__u32 number = CELLS + bpf_get_smp_processor_id() * DESKS + desk;
	struct cell *cell;

	if (!entry || !with_cells)
		return entry;
	cell = bpf_map_lookup_elem(&cells, &number);
	if (!cell)
		return NULL;
	cell->cookie = COPIED;
	cell->entry = *entry;
	return &cell->entry;
}

static __always_inline void give_back(const struct sock *sk, const struct entry *entry)
{
	const struct cell *cell = container_of(entry, struct cell, entry);
	struct entry *stored;

	if (!with_cells || cell->cookie != COPIED)
		return;
	stored = bpf_sk_storage_get(&entries, (void *)sk, NULL, 0);
	if (stored)
		*stored = cell->entry;
}

/* The entry of a socket to work on at length, made if there is none. To be given back. */
static __always_inline struct entry *borrow_entry(const struct sock *sk, enum desk desk)
{
	struct entry *entry = find_in_cell(sk);

	if (entry)
		return entry;
	entry = bpf_sk_storage_get(&entries, (void *)sk, NULL, 0);
	if (entry)
		return borrow(entry, desk);
	if (with_cells)
		entry = take_cell(sk);
	return entry ? entry : borrow(make_storage(sk), desk);
}

/* The same at a child's birth: a copy of its listener's, which the kernel made if that has storage. */
static __always_inline struct entry *bear_entry(const struct sock *sk, const struct tcp_sock *tp, enum desk desk)
{
	struct entry *stored = bpf_sk_storage_get(&entries, (void *)sk, NULL, 0);
	const struct entry *listener;
	struct entry *entry;

	if (stored || !with_cells)
		return borrow(stored ? stored : make_storage(sk), desk);
	listener = entry_of_listener(tp);
	entry = take_cell(sk);
	if (!entry)
		entry = borrow(make_storage(sk), desk);
	if (entry && listener)
		*entry = *listener;
	return entry;
}

/* Gives a cell back when its socket ends. Whoever takes it next finds it as new. */
static __always_inline void leave_cell(const struct sock *sk)
{
	__u64 cookie = with_cells ? sk->__sk_common.skc_cookie.counter : 0;
	struct cell *cell = cookie ? cell_of(cookie) : NULL;

	if (!cell || cell->cookie != cookie)
		return;
	__builtin_memset(&cell->entry, 0, sizeof(cell->entry));
	__sync_lock_test_and_set(&cell->cookie, 0); /* a full barrier */
}

#endif
