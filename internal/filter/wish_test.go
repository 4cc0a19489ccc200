package filter

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"github.com/tcptrail/tcptrail/internal/tcp"
)

// wish is an expression as its text and, written apart from the parser, what the text means.
type wish struct {
	text   string
	event  func(e *tcp.Event) bool
	socket func(s *tcp.Socket) bool
}

// not, either and both are what the operators mean.
func (w wish) not(text string) wish {
	return wish{
		text,
		func(e *tcp.Event) bool { return !w.event(e) },
		func(s *tcp.Socket) bool { return !w.socket(s) },
	}
}

func either(text string, a, b wish) wish {
	return wish{
		text,
		func(e *tcp.Event) bool { return a.event(e) || b.event(e) },
		func(s *tcp.Socket) bool { return a.socket(s) || b.socket(s) },
	}
}

func both(text string, a, b wish) wish {
	return wish{
		text,
		func(e *tcp.Event) bool { return a.event(e) && b.event(e) },
		func(s *tcp.Socket) bool { return a.socket(s) && b.socket(s) },
	}
}

// randomOp returns an operator in one of its spellings, and what it means as signs of a comparison.
func randomOp(r *rand.Rand, ordered bool) (text, signs string) {
	spellings := []struct{ text, signs string }{
		{"", "0"},
		{"=", "0"},
		{"==", "0"},
		{"eq", "0"},
		{"!=", "-+"},
		{"ne", "-+"},
		{"neq", "-+"},
		{"<", "-"},
		{"lt", "-"},
		{">", "+"},
		{"gt", "+"},
		{"<=", "-0"},
		{"le", "-0"},
		{"leq", "-0"},
		{">=", "0+"},
		{"ge", "0+"},
		{"geq", "0+"},
	}
	if !ordered {
		spellings = spellings[:7]
	}
	op := pick(r, spellings)
	if strings.Trim(op.text, "=<>!") == "" && op.text != "" && r.IntN(2) == 0 {
		return op.text, op.signs // stands without blanks
	}
	return " " + op.text + " ", op.signs
}

func sign[N uint16 | uint32 | uint64 | time.Duration](field, value N) string {
	switch {
	case field < value:
		return "-"
	case field > value:
		return "+"
	}
	return "0"
}

func randomPortWish(r *rand.Rand) wish {
	op, signs := randomOp(r, true)
	port := pick(r, append([]uint16{0, 22}, randomPorts...))
	text := fmt.Sprint(port)
	if port == 22 && r.IntN(2) == 0 {
		text = "ssh"
	}
	if r.IntN(2) == 0 {
		text = ":" + text
	}
	fits := func(addr netip.AddrPort) bool { return strings.Contains(signs, sign(addr.Port(), port)) }
	if (signs == "0" || signs == "-+") && r.IntN(3) == 0 {
		text += ",60-64"
		fits = func(addr netip.AddrPort) bool {
			n := addr.Port()
			return (n == port || 60 <= n && n <= 64) == (signs == "0")
		}
	}
	if r.IntN(2) == 0 {
		return wish{
			"sport" + op + text,
			func(e *tcp.Event) bool { return fits(e.Local) }, func(s *tcp.Socket) bool { return fits(s.Local) },
		}
	}
	return wish{
		"dport" + op + text,
		func(e *tcp.Event) bool { return fits(e.Remote) }, func(s *tcp.Socket) bool { return fits(s.Remote) },
	}
}

// kernelBits is an address as the kernel has it: v4-mapped in an AF_INET6 socket.
func kernelBits(family tcp.Family, addr netip.Addr) string {
	if addr.Is4() && family == tcp.Inet6 {
		return strings.Repeat("0", 80) + strings.Repeat("1", 16) + binary(addr)
	}
	return binary(addr)
}

// fits reads the rule of inet_diag_bc_run() in the kernel's net/ipv4/inet_diag.c.
func (n network) fits(family tcp.Family, addr netip.Addr) bool {
	bits := kernelBits(family, addr)
	mapped := strings.Repeat("0", 80) + strings.Repeat("1", 16)
	if n.family == 32 && len(bits) == 128 && strings.HasPrefix(bits, mapped) {
		bits = bits[96:]
	}
	return len(bits) == n.family && bits[:n.length] == n.bits[:n.length]
}

func randomHostWish(r *rand.Rand) wish {
	op, signs := randomOp(r, false)
	addr := pick(r, append([]netip.Addr{netip.MustParseAddr("::ffff:10.0.0.1")}, randomAddrs...))
	n := network{bits: binary(addr), length: r.IntN(addr.BitLen() + 1), family: addr.BitLen()}
	text := fmt.Sprintf("%v/%d", addr, n.length)
	if addr.Is6() {
		text = "[" + text + "]"
	}
	port := pick(r, randomPorts)
	withPort := r.IntN(3) == 0
	if withPort {
		text += fmt.Sprintf(":%d", port)
	}
	family := pick(r, []tcp.Family{0, 0, 0, tcp.Inet, tcp.Inet6})
	if (family == tcp.Inet) == addr.Is4() && family != 0 {
		text = family.String() + ":" + text
	} else {
		family = 0
	}
	fits := func(f tcp.Family, at netip.AddrPort) bool {
		is := n.fits(f, at.Addr()) && (!withPort || at.Port() == port) && (family == 0 || f == family)
		return is == (signs == "0")
	}
	if r.IntN(2) == 0 {
		return wish{
			"src" + op + text,
			func(e *tcp.Event) bool { return fits(e.Family, e.Local) },
			func(s *tcp.Socket) bool { return fits(s.Family, s.Local) },
		}
	}
	return wish{
		"dst" + op + text,
		func(e *tcp.Event) bool { return fits(e.Family, e.Remote) },
		func(s *tcp.Socket) bool { return fits(s.Family, s.Remote) },
	}
}

// randomStates is a run of one `state` or `exclude` or more.
func randomStateWish(r *rand.Rand) wish {
	spell := map[tcp.State]string{
		tcp.Established: "estab", tcp.SynSent: "syn-sent", tcp.CloseWait: "CLOSE_WAIT", tcp.Close: "closed",
		tcp.NewSynRecv: "new-syn-recv", tcp.SynRecv: "syn-recv", tcp.TimeWait: "TCP_TIME_WAIT",
	}
	var run wish
	for i := range 1 + r.IntN(3) {
		states, zombie, words := []tcp.State{}, false, []string{}
		for state, word := range spell {
			if r.IntN(3) == 0 {
				states, words = append(states, state), append(words, word)
			}
		}
		if len(words) == 0 || r.IntN(5) == 0 {
			zombie, words = true, append(words, "Zombie")
		}
		one := wish{
			"state " + strings.Join(words, ","),
			func(e *tcp.Event) bool {
				return some(append(states, 99), func(s tcp.State) bool { return s == e.Old || s == e.New })
			},
			func(s *tcp.Socket) bool {
				return zombie && s.Zombie || some(append(states, 99), func(st tcp.State) bool {
					return st == s.State || st == tcp.NewSynRecv && s.Kind == tcp.Request
				})
			},
		}
		exclude := r.IntN(3) == 0
		if exclude {
			one = one.not("exclude" + strings.TrimPrefix(one.text, "state"))
		}
		text := run.text + " " + one.text
		switch {
		case i == 0:
			run = one
		case exclude:
			run = both(text, run, one)
		default:
			run = either(text, run, one)
		}
	}
	return run
}

func never(*tcp.Event) bool { return false }

// processWish asks all processes of a socket with fits, which says what is known and whether it is so.
func processWish(text, signs string, fits func(pid uint32, name tcp.Comm) (known, yes bool)) wish {
	judge := func(pids []uint32, names []tcp.Comm) bool {
		anyKnown, anyYes := false, false
		for i, pid := range pids {
			if known, yes := fits(pid, names[i]); pid != 0 && known {
				anyKnown, anyYes = true, anyYes || yes
			}
		}
		if signs == "-+" {
			return anyKnown && !anyYes
		}
		return anyYes
	}
	return wish{
		text,
		func(e *tcp.Event) bool { return judge([]uint32{e.PID}, []tcp.Comm{e.Comm}) },
		func(s *tcp.Socket) bool {
			pids, names := []uint32{s.PID}, []tcp.Comm{s.Comm}
			for _, h := range s.Holders {
				pids, names = append(pids, h.PID), append(names, h.Comm)
			}
			return judge(pids, names)
		},
	}
}

func randomProcessWish(r *rand.Rand) wish {
	switch r.IntN(3) {
	case 0:
		op, signs := randomOp(r, true)
		pid := pick(r, randomPIDs)
		return processWish(fmt.Sprintf("pid%s%d", op, pid), signs, func(p uint32, _ tcp.Comm) (bool, bool) {
			return true, signs == "-+" && p == pid || signs != "-+" && strings.Contains(signs, sign(p, pid))
		})
	case 1:
		op, signs := randomOp(r, false)
		name := pick(r, []string{"nginx", "php-fpm", "kworker/0:1"})
		return processWish("comm"+op+`"`+name+`"`, signs, func(_ uint32, c tcp.Comm) (bool, bool) {
			return true, string(c[:len(name)]) == name && c[len(name)] == 0
		})
	}
	op, signs := randomOp(r, false)
	name := pick(r, []string{"nginx", "init"})
	return processWish("exe"+op+name, signs, func(pid uint32, _ tcp.Comm) (bool, bool) {
		exe, ok := exes[pid]
		return ok, strings.HasSuffix(strings.TrimSuffix(exe, " (deleted)"), "/"+name)
	})
}

// randomPlaceWish is about who and where.
func randomPlaceWish(r *rand.Rand) wish {
	switch r.IntN(3) {
	case 0:
		op, signs := randomOp(r, true)
		return wish{
			"uid" + op + "www-data",
			func(e *tcp.Event) bool { return strings.Contains(signs, sign(e.UID, 33)) },
			func(s *tcp.Socket) bool { return s.Kind == tcp.Full && strings.Contains(signs, sign(s.UID, 33)) },
		}
	case 1:
		op, signs := randomOp(r, false)
		return wish{
			"netns" + op + "blue",
			func(e *tcp.Event) bool { return strings.Contains(signs, sign(e.NetNS, 4026532000)) },
			func(s *tcp.Socket) bool { return strings.Contains(signs, sign(s.NetNS, 4026532000)) },
		}
	}
	op, signs := randomOp(r, false)
	arg := pick(r, []string{"/a", "/a/b"})
	under := func(id uint64) bool { return (id == 11 || id == 10 && arg == "/a") == (signs == "0") }
	return wish{
		"cgroup" + op + arg,
		func(e *tcp.Event) bool { return under(e.CgroupID) }, func(s *tcp.Socket) bool { return under(s.CgroupID) },
	}
}

func randomSocketWish(r *rand.Rand) wish {
	op, signs := randomOp(r, false)
	switch r.IntN(4) {
	case 0:
		return wish{"autobound", never, func(s *tcp.Socket) bool { return s.Autobound }}
	case 1:
		return wish{"dev" + op + "lo", never, func(s *tcp.Socket) bool { return strings.Contains(signs, sign(s.Device, 1)) }}
	case 2:
		return wish{"fwmark" + op + "0x1/3", never, func(s *tcp.Socket) bool { return (s.Mark%4 == 1) == (signs == "0") }}
	}
	op, signs = randomOp(r, true)
	if r.IntN(2) == 0 {
		return wish{"sendq" + op + "1K", never, func(s *tcp.Socket) bool { return strings.Contains(signs, sign(s.SendQ, 1024)) }}
	}
	return wish{"recvq" + op + "1024", never, func(s *tcp.Socket) bool { return strings.Contains(signs, sign(s.RecvQ, 1024)) }}
}

// randomAgeWish holds when it does for every age that the bounds allow.
func randomAgeWish(r *rand.Rand) wish {
	op, signs := randomOp(r, true)
	return wish{
		"age" + op + "1m30s",
		func(e *tcp.Event) bool { return e.InOld >= 0 && strings.Contains(signs, sign(e.InOld, 90*time.Second)) },
		func(s *tcp.Socket) bool {
			if s.Age.Source == tcp.AgeUnknown {
				return false
			}
			most := s.Age.AtMost
			if most < 0 {
				most = 1 << 62
			}
			for _, age := range []time.Duration{s.Age.AtLeast, 90 * time.Second, 90*time.Second - 1, 90*time.Second + 1, most} {
				if s.Age.AtLeast <= age && age <= most && !strings.Contains(signs, sign(age, 90*time.Second)) {
					return false
				}
			}
			return true
		},
	}
}
