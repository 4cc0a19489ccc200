/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a snapshot writes, one row after the other in any order. Little-endian hosts only, fixed widths, widest first, no
 * holes; asserted here and in internal/kernel.
 */
#ifndef TCPTRAIL_ROW_H
#define TCPTRAIL_ROW_H

#include "kernel.h"

enum row_kind {
	ROW_FULL = 1,  /* struct full_row */
	ROW_MINISOCK,  /* struct socket_row */
	ROW_REQUEST,   /* struct socket_row */
	ROW_HOLDER,    /* struct holder_row */
	ROW_NAMESPACE, /* struct namespace_row */
};

enum row_flags {
	ROW_ORPHAN = 1 << 0,	 /* SOCK_DEAD */
	ROW_UNACCEPTED = 1 << 1, /* no struct socket, and not dead */
	ROW_CONNECTED = 1 << 2,	 /* a peer's SYN has been seen: there was a connection */
	ROW_AUTOBOUND = 1 << 3,
};

enum row_timer {
	ROW_TIMER_NONE,
	ROW_TIMER_RETRANSMIT,
	ROW_TIMER_KEEPALIVE,
	ROW_TIMER_TIMEWAIT,
	ROW_TIMER_PROBE,
};

/* The part that every kind of socket has. */
struct socket_row {
	__u8 kind;  /* enum row_kind */
	__u8 state; /* of a minisock the one that it stands for */
	__u8 flags; /* enum row_flags */
	__u8 timer; /* enum row_timer */
	__u8 retries;
	__u8 shutdown;
	__u16 family;
	__u64 cookie;
	__u64 address;	/* of the socket: joins rows of one snapshot, and never leaves the kernel package */
	__u64 listener; /* of a request: cookie of its listener */
	__u64 now_ns;	/* CLOCK_MONOTONIC when it was looked at */
	__u64 jiffies;	/* likewise */
	__u64 stamp_us; /* CLOCK_MONOTONIC of the state's begin where the kernel keeps it exactly; 0: it does not */
	__u64 cgroup_id;
	__s64 timer_left; /* jiffies */
	__u8 laddr[16];	  /* network order; IPv4 as ::ffff:a.b.c.d */
	__u8 raddr[16];
	__u16 lport; /* host order */
	__u16 rport; /* host order */
	__u32 netns; /* inode number */
	__u32 mark;
	__u32 device;
	__u32 stamp_ms; /* CLOCK_MONOTONIC, cut to 32 bits: a minisock's birth, a first SYN; 0: unknown */
	__u32 pad;
};

/* What only a full socket has. */
struct full_row {
	struct socket_row head;
	__u64 mptcp; /* address of the MPTCP socket that it serves; 0: none */
	__u64 inode;
	__u64 bytes_sent; /* payload, without retransmissions */
	__u64 bytes_received;
	__u64 since_ns; /* as in struct entry; 0: unknown */
	__u32 uid;
	__u32 recv_q;
	__u32 send_q;
	__u32 retransmits;
	__u32 srtt_us;
	__u32 rttvar_us;
	__u32 last_sent;     /* jiffies ago */
	__u32 last_received; /* jiffies ago */
	__u32 last_ack;	     /* jiffies ago */
	__u32 pid;	     /* of the entry; 0: unknown */
	__u8 comm[TASK_COMM_LEN];
	__u16 sk_err;
	__u8 evidence; /* of the entry */
	__u8 pad;
	__u32 stack; /* of the entry; 0: unknown */
};

/* One descriptor of one process on a TCP or MPTCP socket. */
struct holder_row {
	__u8 kind;
	__u8 state;
	__u16 lport;
	__u32 pid; /* thread group */
	__u32 fd;
	__u32 netns;
	__u64 cookie;  /* of a TCP socket; 0 for an MPTCP one */
	__u64 address; /* of an MPTCP socket */
	__u8 comm[TASK_COMM_LEN];
};

enum namespace_way {
	BY_TASK,   /* it is that of task pid */
	BY_FILE,   /* descriptor fd of process pid may be it: a namespace of some type */
	BY_SOCKET, /* descriptor fd of process pid is a socket in it */
};

/* A network namespace and a way to it. */
struct namespace_row {
	__u8 kind;
	__u8 way; /* enum namespace_way */
	__u16 pad;
	__u32 pid;
	__u32 fd;
	__u32 netns;
};

_Static_assert(sizeof(struct socket_row) == 128, "struct socket_row has a hole");
_Static_assert(sizeof(struct full_row) == 232, "struct full_row has a hole");
_Static_assert(sizeof(struct holder_row) == 48, "struct holder_row has a hole");
_Static_assert(sizeof(struct namespace_row) == 16, "struct namespace_row has a hole");

#endif
