/* SPDX-License-Identifier: GPL-2.0-only */
/* How long sockets were in the states that they left. */
#ifndef TCPTRAIL_STAY_H
#define TCPTRAIL_STAY_H

#include "maps.h"

#define STAY_BUCKETS 64
#define NS_PER_S 1000000000ULL

/*
 * Life: as that of counts. Bucket i has stays above 2^(i-31) s, up to and including 2^(i-30) s: bounds that Prometheus'
 * native histograms have, too. The sum is of 128 bits, for in ns a million sockets fill 64 of them in five hours.
 */
struct durations {
	__u64 counts[TCP_STATES][STAY_BUCKETS];
	__u64 low_ns[TCP_STATES];
	__u64 high_ns[TCP_STATES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct durations);
} stays SEC(".maps");

/*
 * Moves ns up so that bit 63 is set, and returns which bit it was; 0 for 0. Without branches: each would double what the
 * verifier has to walk through.
 */
static __always_inline __u64 highest_bit(__u64 *ns)
{
	__u64 bit = 63;

#pragma unroll
	for (int width = 32; width; width >>= 1) {
		__u64 is_clear = ((*ns >> (64 - width)) - 1) >> 63;
		__u64 shift;

		barrier_var(is_clear);
		shift = is_clear * width;
		*ns <<= shift;
		bit -= shift;
	}
	return bit;
}

/* A second is 1.86 times 2^29 ns: so is every bound some power of two, and one comparison tells the two buckets apart. */
static __always_inline __u64 stay_bucket(__u64 ns)
{
	__u64 bit = highest_bit(&ns);
	__u64 is_over = ((NS_PER_S << 33) - (ns >> 1)) >> 63;

	barrier_var(is_over);
	return bit + (ns >> 63) + is_over;
}

static __always_inline void count_stay(__u8 state, __u64 since_ns, __u64 until_ns)
{
	__u32 zero = 0;
	/* The clock may go back a little when it is being adjusted: ktime_get_mono_fast_ns(). */
	__u64 ns = until_ns > since_ns ? until_ns - since_ns : 0;
	__u64 bucket = stay_bucket(ns);
	struct durations *mine = bpf_map_lookup_elem(&stays, &zero);

	if (!mine)
		return;
	state &= TCP_STATES - 1;
	add_one(&mine->counts[state][bucket & (STAY_BUCKETS - 1)]);
	if (add(&mine->low_ns[state], ns) + ns < ns)
		add_one(&mine->high_ns[state]);
}

#endif
