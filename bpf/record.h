/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What crosses from the kernel to Go. Little-endian hosts only, fixed widths, widest first, no holes; the sizes are
 * asserted here and the offsets in internal/kernel, against the types that bpf2go derives from this object's BTF.
 */
#ifndef TCPTRAIL_RECORD_H
#define TCPTRAIL_RECORD_H

#include "kernel.h"

/* What proves the owner. Ordered by nothing: a later proof replaces an earlier one. */
enum evidence {
	EVIDENCE_NONE,	  /* owner unknown */
	EVIDENCE_CONNECT, /* ran connect() */
	EVIDENCE_LISTEN,  /* ran listen(), on this socket or on the listener it was cloned from */
	EVIDENCE_ACCEPT,  /* ran accept() */
	EVIDENCE_CLOSE,	  /* ran close() or shutdown() */
	EVIDENCE_FD,	  /* was seen with a descriptor on it */
};

/* Why a socket went to CLOSE; reason.h says what proves each. */
enum reason {
	REASON_NONE,
	REASON_FIN_LOCAL,
	REASON_FIN_REMOTE,
	REASON_RESET_RECEIVED,
	REASON_RESET_SENT,
	REASON_ABORT_UNREAD,
	REASON_TIMEOUT,
	REASON_REFUSED,
	REASON_UNREACHABLE,
	REASON_PROCESS_EXIT,
	REASON_KILLED,
	REASON_ABANDONED,
	REASON_LISTENER_CLOSED,
};

enum record_flags {
	RECORD_MISSED = 1 << 0,	 /* a transition before this one was not seen: the time in the old state is unknown */
	RECORD_LATE = 1 << 1,	 /* comes after it happened: its ports were not known, or its end was missed */
	RECORD_LEFT = 1 << 2,	 /* the last process that held it ended without closing it, and so the kernel does */
	RECORD_OVERDUE = 1 << 3, /* its holder closed it at last */
	RECORD_UNACCEPTED = 1 << 4, /* no process ever had a descriptor */
};

struct record {
	__u64 time_ns;	/* CLOCK_MONOTONIC */
	__u64 since_ns; /* CLOCK_MONOTONIC at which it entered the old state; 0: unknown */
	__u64 cookie;	/* 0: unknown */
	__u64 cgroup_id;
	__u32 netns; /* inode number */
	__u32 uid;
	__u32 pid; /* owner, thread group; 0: unknown */
	__u32 running_pid;
	__u8 comm[TASK_COMM_LEN]; /* owner's, of its thread group leader */
	__u8 laddr[16];		  /* network order; IPv4 as ::ffff:a.b.c.d */
	__u8 raddr[16];
	__u16 lport; /* host order */
	__u16 rport; /* host order */
	__u16 family;
	__u16 sk_err;
	__u8 old;
	__u8 new;
	__u8 evidence;
	__u8 flags;
	__u8 reason;
	__u8 next; /* state in which a minisock carries the connection on; 0: none */
	__u16 pad;
	__u32 stack;  /* that opened it; 0: unknown */
	__u32 recv_q; /* sequence numbers not read yet, a FIN among them */
};

/* What is known only at the end: the record of a transition to CLOSE. */
struct closing_record {
	struct record head;
	__u64 bytes_sent; /* payload, without retransmissions */
	__u64 bytes_received;
	__u32 retransmits; /* segments */
	__u32 srtt_us;	   /* smoothed round trip; 0: never measured */
};

_Static_assert(sizeof(struct record) == 120, "struct record has a hole");
_Static_assert(sizeof(struct closing_record) == 144, "struct closing_record has a hole");

#endif
