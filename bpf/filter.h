/* SPDX-License-Identifier: GPL-2.0-only */
/* Which transitions reach the ring. Never consulted before the entry is brought up to date: a filter forgets nothing. */
#ifndef TCPTRAIL_FILTER_H
#define TCPTRAIL_FILTER_H

#include "cgroup.h"
#include "config.h"
#include "maps.h"

#define CGROUP_DEPTH 32 /* levels of nesting looked up; containers use fewer than ten */

static __always_inline bool has_port(const volatile __u64 *ports, __u16 port)
{
	__u64 word = port >> 6;

	barrier_var(word); /* the compiler knows that it is below PORT_WORDS, older verifiers must be shown */
	return ports[word & (PORT_WORDS - 1)] >> (port & 63) & 1;
}

static __always_inline bool is_mapped(const struct in6_addr *address)
{
	return address->in6_u.u6_addr32[0] == 0 && address->in6_u.u6_addr32[1] == 0 &&
	       address->in6_u.u6_addr32[2] == bpf_htonl(0xffff);
}

/* What travels on the wire, which for a v4-mapped connection of an AF_INET6 socket is IPv4. */
static __always_inline bool carries_ipv4(const struct sock *sk)
{
	return sk->__sk_common.skc_family == AF_INET || is_mapped(&sk->__sk_common.skc_v6_daddr) ||
	       is_mapped(&sk->__sk_common.skc_v6_rcv_saddr);
}

/* True when the socket's cgroup or one above it was asked for. */
static __always_inline bool in_target_cgroup(const struct sock *sk)
{
	struct cgroup *cgroup = cgroup_of(sk);

	if (!cgroup)
		return false;
	__u64 id = cgroup->kn->id;

	if (bpf_map_lookup_elem(&target_cgroups, &id))
		return true;
	if (!bpf_core_field_exists(cgroup->ancestors))
		return false;
	for (int level = 0; level < CGROUP_DEPTH && level < cgroup->level; level++) {
		const void *slot = (const void *)cgroup + bpf_core_field_offset(struct cgroup, ancestors);
		struct cgroup *above = NULL;

		bpf_probe_read_kernel(&above, sizeof(above), slot + level * sizeof(above));
		id = BPF_CORE_READ(above, kn, id);
		if (bpf_map_lookup_elem(&target_cgroups, &id))
			return true;
	}
	return false;
}

static __always_inline bool has_target_state(__u8 old, __u8 new)
{
	return (target_old >> old & 1) && (target_new >> new & 1) && ((target_state >> old | target_state >> new) & 1);
}

/*
 * Whether a transition into or out of CLOSE may be a zombie's. What is closed is dead by then (sock_orphan() in __tcp_close()),
 * and what nobody accepted has no struct socket. What leaves CLOSE was no zombie without a connection before.
 */
static __always_inline bool is_zombies(const struct sock *sk, const struct tcp_sock *tp, __u8 old)
{
	if (old == TCP_CLOSE)
		return tp->rcv_nxt;
	return sk->sk_socket && !(sk->__sk_common.skc_flags & 1 << SOCK_DEAD);
}

static __always_inline bool is_wanted(const struct sock *sk, const struct tcp_sock *tp, const struct entry *entry,
				      __u8 old, __u8 new, __u16 lport, __u16 rport)
{
	if (filter_states && !has_target_state(old, new)) {
		if (!filter_zombies || (old != TCP_CLOSE && new != TCP_CLOSE) || !is_zombies(sk, tp, old))
			return false;
	}
	if (filter_lport && !has_port(target_lports, lport))
		return false;
	if (filter_rport && !has_port(target_rports, rport))
		return false;
	if (filter_version && carries_ipv4(sk) != target_ipv4)
		return false;
	if (filter_pid) {
		__u32 pid = entry ? entry->pid : 0;

		if (!bpf_map_lookup_elem(&target_pids, &pid))
			return false;
	}
	if (filter_netns) {
		__u32 netns = sk->__sk_common.skc_net.net->ns.inum;

		if (!bpf_map_lookup_elem(&target_netns, &netns))
			return false;
	}
	return !filter_cgroup || in_target_cgroup(sk);
}

#endif
