package output

// errnoNames has the errors that TCP leaves in sk_err, by Linux's number (include/uapi/asm-generic/errno.h, which amd64
// and arm64 share): from icmp_err_convert and icmpv6_err_convert, tcp_reset(), tcp_write_err(), tcp_abort(), device
// and routing failures, and kTLS. Numbers and not syscall's constants, because an event keeps its meaning wherever
// it is read.
var errnoNames = [...]string{
	1:   "EPERM",
	11:  "EAGAIN",
	12:  "ENOMEM",
	13:  "EACCES",
	22:  "EINVAL",
	32:  "EPIPE",
	64:  "ENONET",
	71:  "EPROTO",
	74:  "EBADMSG",
	90:  "EMSGSIZE",
	92:  "ENOPROTOOPT",
	95:  "EOPNOTSUPP",
	98:  "EADDRINUSE",
	99:  "EADDRNOTAVAIL",
	100: "ENETDOWN",
	101: "ENETUNREACH",
	102: "ENETRESET",
	103: "ECONNABORTED",
	104: "ECONNRESET",
	105: "ENOBUFS",
	107: "ENOTCONN",
	110: "ETIMEDOUT",
	111: "ECONNREFUSED",
	112: "EHOSTDOWN",
	113: "EHOSTUNREACH",
	125: "ECANCELED",
}

// appendErrno appends the name of an error, E and the number when it has none here.
func appendErrno(b []byte, errno uint16) []byte {
	if int(errno) < len(errnoNames) && errnoNames[errno] != "" {
		return append(b, errnoNames[errno]...)
	}
	return appendUint(append(b, 'E'), uint64(errno))
}
