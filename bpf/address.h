/* SPDX-License-Identifier: GPL-2.0-only */
/* Addresses as they go to Go: 16 bytes in network order, IPv4 as ::ffff:a.b.c.d. */
#ifndef TCPTRAIL_ADDRESS_H
#define TCPTRAIL_ADDRESS_H

#include "kernel.h"

static __always_inline void put_v4(__u8 *to, __be32 address)
{
	__u32 *word = (__u32 *)to;

	word[0] = 0;
	word[1] = 0;
	word[2] = bpf_htonl(0xffff);
	word[3] = address;
}

static __always_inline void put_v6(__u8 *to, const struct in6_addr *address)
{
	__u32 *word = (__u32 *)to;

	word[0] = address->in6_u.u6_addr32[0];
	word[1] = address->in6_u.u6_addr32[1];
	word[2] = address->in6_u.u6_addr32[2];
	word[3] = address->in6_u.u6_addr32[3];
}

#endif
