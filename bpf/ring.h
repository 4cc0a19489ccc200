/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Records on their way to the reader: a ring of slots for each CPU, in memory that both sides map.
 *
 * BPF_MAP_TYPE_RINGBUF costs more than all the rest of a transition: one lock and a handful of cache lines that every
 * CPU pulls to itself for each record. Here a CPU writes to its own lines only. A slot is taken by one atomic add, so
 * that a program which interrupts another on the same CPU takes the next one; it is readable once its commit word
 * names it. The reader merges the rings by time.
 */
#ifndef TCPTRAIL_RING_H
#define TCPTRAIL_RING_H

#include "record.h"

#define SPARE_SLOTS 8 /* programs that may interrupt one another between the check for room and the taking of a slot */

/* The slots in a ring, less one: a power of two less one. Set by the loader, with the size of a value of 'rings'. */
volatile const __u64 slot_mask;

/* On x86 stores are seen in their order; elsewhere the commit needs a barrier. Set by the loader. */
volatile const bool ordered_stores;

/*
 * Set by the reader before it sleeps, cleared by the program that wakes it. Racing programs may both wake it, which
 * does no harm.
 */
bool reader_sleeps;

/* Each side writes one of the two, on a cache line of its own. Both only grow. */
struct ring {
	__u64 reserved; /* slots ever taken by the programs of this CPU */
	__u64 pad_reserved[7];
	__u64 consumed; /* slots ever given back by the reader */
	__u64 pad_consumed[7];
};

struct slot {
	__u64 commit; /* 1 + the number of the record that it holds, counted like 'reserved' */
	struct closing_record record;
};

_Static_assert(sizeof(struct ring) == 128, "struct ring has a hole");
_Static_assert(sizeof(struct slot) == 152, "struct slot has a hole");

/*
 * Life: slots are taken by the programs and given back by the one reader, which maps the whole. One value for each
 * possible CPU: a struct ring, then its slots. When a ring is full its CPU's records are not written, and
 * counters.lost says so.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct ring) + sizeof(struct slot));
} rings SEC(".maps");

/* Life: one byte for each wakeup, written by the program that found the reader asleep and read by it. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} doorbell SEC(".maps");

/* Returns a slot and its number, or NULL when the ring of this CPU is full. */
static __always_inline struct slot *reserve(__u64 *index)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct ring *ring = bpf_map_lookup_elem(&rings, &cpu);

	if (!ring || ring->reserved - ring->consumed + SPARE_SLOTS > slot_mask)
		return NULL;
	*index = __sync_fetch_and_add(&ring->reserved, 1);
	return (void *)ring + sizeof(*ring) + (*index & slot_mask) * sizeof(struct slot);
}

/* Lets the reader have it. */
static __always_inline void commit(struct slot *slot, __u64 index)
{
	barrier(); /* the compiler must not move a store of the record behind the commit */
	if (ordered_stores)
		*(volatile __u64 *)&slot->commit = index + 1;
	else
		__sync_lock_test_and_set(&slot->commit, index + 1);
}

/* The reader polls while records flow: a wakeup for every record is what makes tracers slow. */
static __always_inline void wake_reader(void)
{
	__u8 byte = 1;

	if (!reader_sleeps)
		return;
	reader_sleeps = false;
	bpf_ringbuf_output(&doorbell, &byte, sizeof(byte), BPF_RB_FORCE_WAKEUP);
}

#endif
