/* SPDX-License-Identifier: GPL-2.0-only */
/* Where an entry begins, and where it is taken over from a tracer before us. */
#ifndef TCPTRAIL_BOOKS_H
#define TCPTRAIL_BOOKS_H

#include "config.h"
#include "maps.h"

/* What is known of a socket that was there before us. */
static __always_inline struct entry fresh_entry(const struct sock *sk)
{
	struct entry fresh = {
		.state = sk->__sk_common.skc_state, .session = session, .disconnects = disconnects_of(sk)};

	return fresh;
}

/* The entry of a socket that was there before us, mostly: made as that if there is none. NULL for want of memory. */
static __always_inline struct entry *settled_entry(const struct sock *sk)
{
	struct entry *entry = find_entry(sk);
	struct entry fresh;

	if (entry)
		return entry;
	fresh = fresh_entry(sk);
	return bpf_sk_storage_get(&entries, (void *)sk, &fresh, BPF_SK_STORAGE_GET_F_CREATE);
}

/*
 * An entry that another tracer left behind, which nobody brought up to date since: what it says of a state is worth
 * something only if the socket did not leave it meanwhile. That is no missed event.
 */
static __always_inline void take_over(struct entry *entry, const struct sock *sk, __u8 old)
{
	if (!session || entry->session == session)
		return;
	entry->session = session;
	entry->held_old = 0;
	entry->signs = 0;
	entry->stack = 0; /* a number of the other's */
	if (entry->state == old && entry->disconnects == disconnects_of(sk))
		return;
	entry->state = old;
	entry->since_ns = 0;
}

#endif
