package privilege

// Trace is exactly what `tcptrail trace` needs. CAP_BPF loads programs and makes maps; CAP_PERFMON lets the programs be
// of a tracing type and follow kernel pointers (kernel/bpf/syscall.c, bpf_prog_load). The walk over the descriptors of
// all processes is a BPF iterator, so it needs neither CAP_SYS_PTRACE nor CAP_DAC_READ_SEARCH.
const Trace Set = 1<<BPF | 1<<Perfmon

// TraceOptional is what makes `tcptrail trace` more complete: setns() into every network namespace of the host
// (CAP_SYS_ADMIN), after opening /proc/PID/ns/net of other users' processes (CAP_SYS_PTRACE).
const TraceOptional Set = 1<<SysAdmin | 1<<SysPtrace

// TraceOptionalLoss says what is lost without TraceOptional, to be printed as it stands.
const TraceOptionalLoss = "owners of MPTCP listeners that are older than the tracer stay unknown " +
	"in other network namespaces"

// Namespaces is what `tcptrail list` and `tcptrail count` need besides Trace to see network namespaces other than their
// own: setns() (CAP_SYS_ADMIN), after opening /proc/PID/ns/net of other users' processes or copying a descriptor of
// theirs (CAP_SYS_PTRACE), or after asking a socket for its namespace (CAP_NET_ADMIN; net/socket.c, SIOCGSKNS), where
// nothing else leads there.
const Namespaces Set = 1<<SysAdmin | 1<<SysPtrace | 1<<NetAdmin
