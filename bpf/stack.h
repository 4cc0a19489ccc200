/* SPDX-License-Identifier: GPL-2.0-only */
/* Which place in a program opened a socket: the user stack at connect(), listen() and accept(). */
#ifndef TCPTRAIL_STACK_H
#define TCPTRAIL_STACK_H

#include "family.h"
#include "maps.h"

#define STACK_FRAMES 32	       /* the place that a reader looks for is nearly always among the first ten */
#define STACK_WORDS 32	       /* musl's wrapper of connect() calls three functions without a frame */
#define STACK_WORDS_AT_LEAST 8 /* glibc's has pushed at most a handful; where the stack begins there are not more */
#define MAX_STACKS 16384       /* of 576 bytes; a busy host has hundreds of places times its processes */
#define STACK_PROBES 4	       /* numbers tried for a stack whose own is taken by another */
#define STACK_TOUCH_NS 1000000000ULL /* how exactly the last use is known: it is no write for each connection */

enum stack_call {
	STACK_CONNECT = 1,
	STACK_LISTEN,
	STACK_ACCEPT,
};

/* A stack of one process. The number in struct entry is its key. */
struct stack {
	__u64 hash;
	__u64 used_ns;		    /* CLOCK_MONOTONIC of a use within STACK_TOUCH_NS of the last one */
	__u64 started_ns;	    /* CLOCK_BOOTTIME at which the process began: with pid it names it for good */
	__u64 program;		    /* program_of() the process: what it runs may change */
	__u64 words[STACK_WORDS];   /* at the user stack pointer, lowest address first */
	__u64 frames[STACK_FRAMES]; /* that of the system call, then return addresses by frame pointer */
	__u32 pid;		    /* thread group */
	__u8 call;		    /* enum stack_call */
	__u8 depth;		    /* of frames */
	__u16 pad;
};

_Static_assert(sizeof(struct stack) == 552, "struct stack has a hole");

/*
 * Life: a stack comes in the first time that a socket is opened from it, and the loader takes out what no socket has
 * any more. When it is full, a socket has no stack, and counters.unstacked says so.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, MAX_STACKS);
	__type(key, __u32);
	__type(value, struct stack);
} stacks SEC(".maps");

/* Where a stack is put together: too large for the program's own. By call: a program cannot interrupt itself. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct stack);
} drafts SEC(".maps");

/* A process that runs another program from now on. */
struct new_program {
	__u64 started_ns; /* as in struct stack */
	__u32 pid;	  /* thread group */
	__u32 pad;
};

/*
 * Life: the number of each stack that came in, told to the loader at once, so that it can look at the process before
 * that ends; and each struct new_program of a family, whose members may end a moment later. When it is full, the loader
 * finds the stack in 'stacks' later.
 */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
} fresh_stacks SEC(".maps");

static __always_inline __u64 mix(__u64 hash, __u64 value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL; /* 2^64 by the golden ratio: spreads every bit upwards, */
	return hash ^ hash >> 32;		       /* and back down */
}

/*
 * Tells the programs apart that a process runs one after the other, by what /proc/PID/stat says, too: where code and data
 * are, and the stack, which is random.
 */
static __always_inline __u64 program_of(const struct task_struct *task)
{
	const struct mm_struct *mm = task->mm;

	if (!mm)
		return 0;

	__u64 hash = mix(mm->start_code, mm->end_code);

	hash = mix(hash, mm->start_stack);
	hash = mix(hash, mm->start_data);
	hash = mix(hash, mm->end_data);
	return mix(hash, mm->start_brk);
}

static __always_inline __u64 hash_of(const struct stack *stack)
{
	__u64 hash = mix(mix(stack->pid, stack->started_ns), stack->program) + stack->call;

	for (int i = 0; i < STACK_FRAMES && i < stack->depth; i++)
		hash = mix(hash, stack->frames[i]);
	return mix(hash, stack->words[0]); /* may be the caller that has no frame */
}

static __always_inline bool draw_stack(void *ctx, struct stack *stack, const struct task_struct *task, __u8 call)
{
	long size = bpf_get_stack(ctx, stack->frames, sizeof(stack->frames), BPF_F_USER_STACK);

	if (size <= 0)
		return false;

	const struct pt_regs *regs = (const struct pt_regs *)bpf_task_pt_regs((struct task_struct *)task);

	if (bpf_probe_read_user(stack->words, sizeof(stack->words), (const void *)regs->sp)) {
		__builtin_memset(stack->words, 0, sizeof(stack->words));
		bpf_probe_read_user(stack->words, STACK_WORDS_AT_LEAST * sizeof(stack->words[0]),
				    (const void *)regs->sp);
	}
	stack->pid = task->tgid;
	stack->started_ns = task->group_leader->start_boottime;
	stack->program = program_of(task);
	stack->call = call;
	stack->depth = size / sizeof(stack->frames[0]);
	stack->hash = hash_of(stack);
	return true;
}

/* Returns the number of the stack, after putting it in if it is new; 0 if there is no room. */
static __always_inline __u32 number_of(struct stack *draft)
{
	__u32 number = (__u32)draft->hash;
	__u64 now = bpf_ktime_get_ns();

	for (int i = 0; i < STACK_PROBES; i++, number++) {
		number += !number; /* 0 is none */

		struct stack *known = bpf_map_lookup_elem(&stacks, &number);

		if (known && known->hash == draft->hash) {
			if (now - known->used_ns > STACK_TOUCH_NS)
				known->used_ns = now;
			return number;
		}
		if (known)
			continue;
		draft->used_ns = now;
		if (bpf_map_update_elem(&stacks, &number, draft, BPF_NOEXIST))
			continue; /* full, or another CPU was faster */
		bpf_ringbuf_output(&fresh_stacks, &number, sizeof(number), 0);
		return number;
	}
	return 0;
}

/* The number of the running task's stack; 0: unknown. */
static __always_inline __u32 take_stack(void *ctx, struct counters *counters, const struct task_struct *task, __u8 call)
{
	__u32 index = call & 3;
	struct stack *draft = bpf_map_lookup_elem(&drafts, &index);

	if (!draft || task->flags & PF_KTHREAD || !is_family())
		return 0;

	__u32 number = draw_stack(ctx, draft, task, call) ? number_of(draft) : 0;

	if (!number)
		add_one(&counters->unstacked);
	return number;
}

/* At accept(); where that cannot be watched, the listener's stack stands for it. */
static __always_inline void note_accept_stack(void *ctx, struct entry *entry, const struct task_struct *task)
{
	struct counters *counters = my_counters();
	__u32 stack = counters ? take_stack(ctx, counters, task, STACK_ACCEPT) : 0;

	if (stack)
		entry->stack = stack;
}

#endif
