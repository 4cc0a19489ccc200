/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The few kernel types and constants that the programs read, written by hand: a generated vmlinux.h has 130,000
 * lines and belongs to one kernel. Every struct is a subset; preserve_access_index makes the compiler record each
 * field access, and the loader puts in the running kernel's offsets (CO-RE). A name ending in ___x is a flavour:
 * the loader ignores the suffix.
 */
#ifndef TCPTRAIL_KERNEL_H
#define TCPTRAIL_KERNEL_H

typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u32 __wsum;
typedef __u16 __sum16;
typedef _Bool bool;

#define NULL ((void *)0)
#define true 1
#define false 0

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* include/uapi/linux/bpf.h */
enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_SK_STORAGE = 24,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_F_NO_PREALLOC = 1 << 0,
	BPF_F_CLONE = 1 << 9,
	BPF_F_MMAPABLE = 1 << 10,
	BPF_SK_STORAGE_GET_F_CREATE = 1 << 0,
	BPF_F_USER_STACK = 1 << 8,
	BPF_RB_FORCE_WAKEUP = 1 << 1,
};

/* include/net/tcp_states.h */
enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECV,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_TIME_WAIT,
	TCP_CLOSE,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN,
	TCP_CLOSING,
	TCP_NEW_SYN_RECV,
	TCP_STATES = 16, /* not the kernel's: a power of two over all of them, so that an index can be masked */
};

/* include/linux/socket.h, include/uapi/linux/in.h, include/net/sock.h (enum sock_flags), include/linux/net.h */
enum {
	AF_INET = 2,
	AF_INET6 = 10,
	IPPROTO_TCP = 6,
	IPPROTO_MPTCP = 262, /* needs all 16 bits of sk_protocol: truncated to 8 it reads as TCP */
	SOCK_DEAD = 0,	     /* bit numbers in sk_flags: no descriptor and no struct socket any more */
	SOCK_DONE = 1,	     /* the peer's FIN has arrived */
	SHUTDOWN_MASK = 3,
	SOCK_BINDPORT_LOCK = 8, /* in sk_userlocks: the process chose the port */
};

/* include/net/inet_connection_sock.h: what icsk_retransmit_timer is for */
enum {
	ICSK_TIME_RETRANS = 1,
	ICSK_TIME_PROBE0 = 3,
	ICSK_TIME_LOSS_PROBE = 5,
	ICSK_TIME_REO_TIMEOUT = 6,
};

/* include/uapi/linux/magic.h */
enum {
	NSFS_MAGIC = 0x6e736673
};

/* include/uapi/asm-generic/errno.h */
enum {
	ENETUNREACH = 101,
	ECONNABORTED = 103,
	ETIMEDOUT = 110,
	ECONNREFUSED = 111,
	EHOSTDOWN = 112,
	EHOSTUNREACH = 113,
};

/* include/linux/sched.h */
enum {
	PF_EXITING = 0x00000004,
	PF_KTHREAD = 0x00200000,
	TASK_COMM_LEN = 16,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

typedef struct {
	__s64 counter;
} atomic64_t;

struct in6_addr {
	union {
		__be32 u6_addr32[4];
	} in6_u;
};

struct sock;
struct file;

struct socket {
	struct file *file; /* NULL while nobody has a descriptor, and for the kernel's own */
	struct sock *sk;
};

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct timer_list {
	struct hlist_node entry; /* pprev is NULL unless the timer is pending (timer_pending()) */
	unsigned long expires;	 /* jiffies */
};

struct super_block {
	unsigned long s_magic;
};

struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
};

struct file {
	struct inode *f_inode;
};

struct socket_alloc {
	struct socket socket;
	struct inode vfs_inode;
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num; /* host order */
	unsigned short skc_family;
	volatile unsigned char skc_state;
	int skc_bound_dev_if;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
	union {
		unsigned long skc_flags;
		struct sock *skc_listener; /* of a request */
	};
};

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	int level;
	struct kernfs_node *kn;
	struct cgroup *ancestors[]; /* from 6.1 */
};

struct sock_cgroup_data {
	struct cgroup *cgroup; /* from 5.16 on (8520e224f547) */
};

typedef struct {
	unsigned int val;
} kuid_t;

struct sock {
	struct sock_common __sk_common;
	int sk_err;
	struct socket *sk_socket;
	__u16 sk_protocol;
	__u8 sk_shutdown;
	__u8 sk_userlocks; /* a bit field before 6.3 */
	kuid_t sk_uid;
	struct sock_cgroup_data sk_cgrp_data;
	int sk_disconnects;
	__u32 sk_mark;
	__u32 sk_ack_backlog;
	__u32 sk_max_ack_backlog;
	struct timer_list sk_timer;		/* keepalive; also others' from 6.19 on */
	struct timer_list tcp_retransmit_timer; /* from 7.0 on, in place of icsk_retransmit_timer */
};

struct inet_sock {
	struct sock sk;
	__be32 inet_saddr;
	__be16 inet_sport;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	struct timer_list icsk_retransmit_timer;
	struct timer_list icsk_keepalive_timer; /* in some kernels, in place of sk_timer */
	void *icsk_ulp_data;
	__u8 icsk_retransmits;
	__u8 icsk_pending;
	__u8 icsk_probes_out;
	struct {
		__u32 lrcvtime; /* jiffies */
	} icsk_ack;
};

struct list_head {
	struct list_head *next, *prev;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 copied_seq;
	__u32 rcv_nxt;
	__u32 snd_una;
	__u32 write_seq;
	__u32 srtt_us;
	__u32 rttvar_us;
	__u32 total_retrans;
	__u32 rcv_tstamp;     /* jiffies: the last ACK came */
	__u32 lsndtime;	      /* jiffies: data was last sent */
	__u32 retrans_stamp;  /* ms of CLOCK_MONOTONIC, or us with tcp_usec_ts: in SYN_SENT the first SYN */
	__u8 tcp_usec_ts : 1; /* from 6.7 on */
	bool is_mptcp;
	__u64 bytes_sent;
	__u64 bytes_retrans;
	__u64 bytes_received;
	struct list_head tsorted_sent_queue;
};

struct inet_timewait_sock {
	struct sock_common __tw_common;
	__u32 tw_mark;
	unsigned char tw_substate;
	__be16 tw_sport;
	__u32 tw_entry_stamp; /* ms of CLOCK_MONOTONIC; from 6.14 on */
	struct timer_list tw_timer;
};

struct tcp_timewait_sock {
	struct inet_timewait_sock tw_sk;
};

struct request_sock {
	struct sock_common __req_common;
	__u8 num_timeout : 7;
	struct timer_list rsk_timer;
};

struct inet_request_sock {
	struct request_sock req;
};

struct tcp_request_sock {
	struct inet_request_sock req;
	__u64 snt_synack; /* us of CLOCK_MONOTONIC: the first SYN-ACK went */
};

struct mptcp_subflow_context {
	struct sock *conn; /* the MPTCP socket */
};

struct mptcp_sock {
	struct sock *first; /* the TCP subflow that stands for the whole; others come and go */
};

struct sk_buff;
struct proto_accept_arg;

struct nsproxy {
	struct net *net_ns;
};

struct mm_struct {
	unsigned long start_code, end_code, start_data, end_data;
	unsigned long start_brk, start_stack;
};

struct task_struct {
	unsigned int flags;
	unsigned int pid;
	unsigned int tgid;
	struct nsproxy *nsproxy;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct mm_struct *mm;
	__u64 start_boottime; /* ns; from 5.5 on */
	char comm[TASK_COMM_LEN];
};

/* Of amd64 and arm64 alike. */
struct pt_regs {
	unsigned long sp;
};

struct seq_file;

/* kernel/bpf/helpers.c, from 6.11 on (fc7566ad0a82). Weak: NULL on older kernels, and then not called. */
extern void bpf_preempt_disable(void) __weak __ksym;
extern void bpf_preempt_enable(void) __weak __ksym;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
};

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
	__u32 uid;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

#pragma clang attribute pop

#endif
