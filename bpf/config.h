/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The knobs, set by the loader before the programs are verified. A filter_* that is off costs nothing: the verifier
 * sees a constant and removes the branch.
 */
#ifndef TCPTRAIL_CONFIG_H
#define TCPTRAIL_CONFIG_H

#include "kernel.h"

#define PORT_WORDS 1024 /* 65,536 ports, 64 to a word */

volatile const bool silent;	 /* nothing reaches the rings: who counts needs no records */
volatile const bool with_stacks; /* at accept() */
volatile const bool with_stays;	 /* times in states are summed up */
volatile const __u64 overdue_ns; /* in CLOSE_WAIT, FIN_WAIT2 or as a zombie; 0: never overdue */
volatile const bool filter_pid;
volatile const bool filter_netns;
volatile const bool filter_cgroup;
volatile const bool filter_states;
volatile const bool filter_zombies; /* of CLOSE only who is held there: see is_zombies() */
volatile const bool filter_lport;
volatile const bool filter_rport;
volatile const bool filter_version;

volatile const __u16 target_old;   /* bit per state */
volatile const __u16 target_new;   /* bit per state */
volatile const __u16 target_state; /* bit per state, either side */
volatile const bool target_ipv4;   /* on the wire: a v4-mapped connection is IPv4 */
volatile const __u64 target_lports[PORT_WORDS];
volatile const __u64 target_rports[PORT_WORDS];

/*
 * Tracepoints run their programs with preemption enabled (from 7.0 on, by SRCU). A program that is preempted makes the
 * kernel skip it for every other task on that CPU.
 */
volatile const bool preemptible;

/* The process whose descendants alone matter to stacks and leftovers; 0: all do. */
volatile const __u32 family;

/* Of this tracer, where entries outlive tracers; else 0. */
volatile const __u16 session;

/* Our own thread group while it walks descriptors: the walk may drop a last reference and so run somebody's close(). */
__u32 walker_pid;

#endif
