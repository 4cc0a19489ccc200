/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TCPTRAIL_MAPS_H
#define TCPTRAIL_MAPS_H

#include "config.h"
#include "cell.h"
#include "record.h"

#define MAX_TARGETS 256	   /* values of one filter flag: a command line, not a database */
#define MAX_SUBFLOWS 65536 /* MPTCP sockets at start; a host has few, and one too many loses only its owner */

/*
 * Life: only ever incremented, each CPU its own, from programs that do not migrate; summed by the reader.
 *
 * transitions counts what the kernel did, whatever the filter and the ring make of it. LISTEN to SYN_RECV is a birth:
 * the listener stays. One more is counted for a transition that was missed, from the state we had to the one it must
 * have come to, so that the gauge of every state follows from this matrix alone.
 */
struct counters {
	__u64 transitions[TCP_STATES * TCP_STATES]; /* [old * TCP_STATES + new] */
	__u64 seen;				    /* = submitted to the ring + lost + filtered */
	__u64 lost;
	__u64 filtered;
	__u64 missed;
	__u64 untracked; /* events of sockets for which no entry could be had */
	__u64 unstacked; /* sockets opened of which the stack could not be had, when stacks are wanted */
	/*
	 * The gauges of full sockets, together with the matrix: how many sockets that were there before came to be counted
	 * in each state, and how many counted ones ended in it. A socket is counted from its birth, its first event or
	 * watch_sockets on, whichever is first: SIGN_COUNTED sees to it that it is counted once.
	 */
	__u64 adopted[TCP_STATES];
	__u64 gone[TCP_STATES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counters);
} counts SEC(".maps");

static __always_inline struct counters *my_counters(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&counts, &zero);
}

/*
 * Returns what there was before. In one step only where a program may be interrupted by its like on the same CPU: that
 * costs more.
 */
static __always_inline __u64 add(__u64 *counter, __u64 n)
{
	__u64 before;

	if (preemptible)
		return __sync_fetch_and_add(counter, n);
	before = *counter;
	*counter = before + n;
	return before;
}

static __always_inline void add_one(__u64 *counter)
{
	if (preemptible)
		__sync_fetch_and_add(counter, 1);
	else
		(*counter)++;
}

/* Who holds the MPTCP socket of a TCP subflow. */
struct subflow {
	__u32 pid;
	__u32 netns;
	__u8 comm[TASK_COMM_LEN];
};

/* Life: filled by walk_descriptors, read by adopt_subflows, emptied by the loader right after. Key: struct sock *. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_SUBFLOWS);
	__type(key, __u64);
	__type(value, struct subflow);
} subflows SEC(".maps");

/* Life of the three: filled by the loader before anything is attached, then only read. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_TARGETS);
	__type(key, __u32);
	__type(value, __u8);
} target_pids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_TARGETS);
	__type(key, __u32);
	__type(value, __u8);
} target_netns SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_TARGETS);
	__type(key, __u64);
	__type(value, __u8);
} target_cgroups SEC(".maps");

#endif
