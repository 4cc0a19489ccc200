/* SPDX-License-Identifier: GPL-2.0-only */
/* What we know of a socket, kept with the socket: shared by what follows transitions and what takes snapshots. */
#ifndef TCPTRAIL_ENTRY_H
#define TCPTRAIL_ENTRY_H

#include "kernel.h"

enum sign {
	SIGN_RESET_RECEIVED = 1 << 0,
	SIGN_RESET_SENT = 1 << 1,
	SIGN_EXITING = 1 << 2, /* its holder was exiting when it sent the first FIN */
	SIGN_COUNTED = 1 << 3, /* it is in the gauges: see struct counters */
	SIGN_HELD = 1 << 4,    /* it came to CLOSE while somebody held it: until that is closed, it is a zombie */
};

/* What we know of a socket. */
struct entry {
	__u64 since_ns; /* entered 'state' at; 0: unknown */
	__u32 pid;	/* owner */
	__u8 state;	/* the state we last saw, which is the kernel's unless an event was missed */
	__u8 evidence;	/* enum evidence */
	__u8 signs;	/* enum sign */
	__u8 held_old;	/* old state of the record held back; 0: none */
	__u64 held_ns;	/* time of the record held back */
	__u64 held_since_ns;
	__u8 comm[TASK_COMM_LEN];
	__u16 session;	   /* of the tracer that last wrote it, where entries outlive tracers; else 0 */
	__u16 disconnects; /* lower half of sk_disconnects when the connection began: tells it from a later one */
	__u32 stack;	   /* key in 'stacks' of the stack that opened it; 0: unknown */
};

/* With 56 bytes an element of the storage fills an object of 128 to the last byte; one more would take 192. */
_Static_assert(sizeof(struct entry) == 56, "struct entry has a hole");

/*
 * Life: made at the first event of a socket, by the descriptor walk for sockets older than us, or by the kernel itself
 * (F_CLONE) when a listener's child is made. Read and changed by every later event. Freed by the kernel with its
 * socket. It cannot fill up; an allocation that fails is counted in counters.untracked.
 */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct entry);
} entries SEC(".maps");

/* How often connect(AF_UNSPEC) has ended a connection of the socket. From 6.7 on (419ce133ab92), and backported. */
static __always_inline __u16 disconnects_of(const struct sock *sk)
{
	return bpf_core_field_exists(sk->sk_disconnects) ? sk->sk_disconnects : 0;
}

/* Byte by byte: the verifier lets no wider load touch an array of char, and a helper call costs five times as much. */
static __always_inline void copy_comm(__u8 *to, const struct task_struct *task)
{
#pragma unroll
	for (int i = 0; i < TASK_COMM_LEN; i++)
		to[i] = task->comm[i];
}

#endif
