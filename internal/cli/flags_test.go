package cli

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tcptrail/tcptrail/internal/filter"
	"github.com/tcptrail/tcptrail/internal/kernel"
	"github.com/tcptrail/tcptrail/internal/tcp"
)

func ports(t *testing.T, text string) *filter.Ports {
	p, err := filter.ParsePorts(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Each flag reaches the tracer, whether given to trace or to the program, which traces without a command.
func TestOptionsReachTheTracer(t *testing.T) {
	states := tcp.SetOf(tcp.CloseWait, tcp.LastAck)
	for _, test := range []struct {
		args   string
		filter filter.Filter
	}{
		{"", filter.Filter{}},
		{"-p 4242,1", filter.Filter{PIDs: []uint32{4242, 1}}},
		{"-p 4242 --pid=1", filter.Filter{PIDs: []uint32{4242, 1}}},
		{"-c nginx,php* --comm x", filter.Filter{Comms: []string{"nginx", "php*", "x"}}},
		{"-L 80,443,8000-8100", filter.Filter{LocalPorts: ports(t, "80,443,8000-8100")}},
		{"-D 80 --remote-port 443", filter.Filter{RemotePorts: ports(t, "80,443")}},
		{"--local 10/8,::1", filter.Filter{
			Local: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		}},
		{"--remote 192.168.1.1/24", filter.Filter{Remote: []netip.Prefix{netip.MustParsePrefix("192.168.1.0/24")}}},
		{"-4", filter.Filter{Version: filter.V4}},
		{"-6", filter.Filter{Version: filter.V6}},
		{"-4=false -6", filter.Filter{Version: filter.V6}},
		{"--state close-wait,LAST_ACK", filter.Filter{States: states}},
		{"--old closewait --old TCP_LAST_ACK", filter.Filter{Old: states}},
		{"--new CLOSE_WAIT,lastack", filter.Filter{New: states}},
		{"--netns 4242", filter.Filter{NetNS: []uint32{4026532001}}},
		{"--netns net:[4026532001],4026532001", filter.Filter{NetNS: []uint32{4026532001, 4026532001}}},
	} {
		want := kernel.Options{Filter: test.filter, RingBytes: 16 << 20}
		for _, command := range []string{"", "trace "} {
			w := newWorld(t)
			_ = w.source.Stop()
			code := w.run(strings.Fields(command + test.args)...)
			if code != ExitDone || len(w.opened) != 1 || !reflect.DeepEqual(w.opened[0], want) {
				t.Errorf("%s%s: exit %d, opened %+v, want %+v\n%s", command, test.args, code, w.opened, want, w.stderr)
			}
		}
	}
}

// Flags before the command count like those behind it.
func TestFlagsAroundTheCommand(t *testing.T) {
	w := newWorld(t)
	_ = w.source.Stop()
	code := w.run("-p", "1", "trace", "-4")
	want := filter.Filter{PIDs: []uint32{1}, Version: filter.V4}
	if code != ExitDone || len(w.opened) != 1 || !reflect.DeepEqual(w.opened[0].Filter, want) {
		t.Errorf("exit %d, opened %+v, want %+v", code, w.opened, want)
	}
}

func TestBuffer(t *testing.T) {
	for text, want := range map[string]int{
		"64K": 64 << 10, "65536": 65536, "100000": 100000, "16M": 16 << 20, "16m": 16 << 20, "16MB": 16 << 20,
		"16MiB": 16 << 20, "1G": 1 << 30, "1048576k": 1 << 30, "1gib": 1 << 30,
	} {
		w := newWorld(t)
		_ = w.source.Stop()
		code := w.run("--buffer", text)
		if code != ExitDone || len(w.opened) != 1 || w.opened[0].RingBytes != want {
			t.Errorf("%s: exit %d, opened %+v, want %d bytes", text, code, w.opened, want)
		}
	}
}

// What a size prints, it reads; what it reads is within its limits.
func FuzzSize(f *testing.F) {
	for _, seed := range []string{"64K", "16MiB", "1G", "65537", "1T", "", "K", "0x10000", "+65536", "65_536", "65536İ"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var n, again int
		if err := (size{&n}).Set(text); err != nil {
			if n != 0 {
				t.Errorf("%q: refused, and yet %d", text, n)
			}
			return
		}
		if n < minBuffer || n > maxBuffer {
			t.Errorf("%q: %d is out of bounds", text, n)
		}
		if err := (size{&again}).Set(size{&n}.String()); err != nil || again != n {
			t.Errorf("%q: %d prints as %s, which reads as %d, %v", text, n, size{&n}, again, err)
		}
	})
}

func TestTimeStyle(t *testing.T) {
	zone := time.Local
	time.Local = time.UTC
	defer func() { time.Local = zone }()
	e := event(tcp.SynSent, tcp.Established)
	for args, want := range map[string]string{
		"":                   "22:13:20.000000 ",
		"-T":                 "2023-11-14T22:13:20.000000000+00:00 ",
		"--time":             "2023-11-14T22:13:20.000000000+00:00 ",
		"-T -4":              "2023-11-14T22:13:20.000000000+00:00 ",
		"-T unix":            "1700000000.000000000 ",
		"-T=unix":            "1700000000.000000000 ",
		"-Tunix":             "1700000000.000000000 ",
		"--time unix -4":     "1700000000.000000000 ",
		"--time=unix":        "1700000000.000000000 ",
		"-T relative":        "   0.000000 ",
		"-T none":            " 4242 web",
		"trace -T clock":     "22:13:20.000000 ",
		"-T auto -o csv":     "2023-11-14T22:13:20.000000000Z,",
		"-o json":            `{"time":"2023-11-14T22:13:20.000000000Z",`,
		"-o wide":            "2023-11-14T22:13:20.000000000+00:00 ",
		"-T trace --time=-4": "",
	} {
		w := newWorld(t)
		w.source.feed(e)
		_ = w.source.Stop()
		code := w.run(append(strings.Fields(args), "--no-header")...)
		if want == "" {
			if code != ExitUsage {
				t.Errorf("%s: exit %d, want %d", args, code, ExitUsage)
			}
			continue
		}
		if got := w.stdout.String(); code != ExitDone || !strings.HasPrefix(got, want) {
			t.Errorf("%s: exit %d, %q, want %q\n%s", args, code, got, want, w.stderr)
		}
	}
}

func TestHeader(t *testing.T) {
	for args, want := range map[string]string{
		"": "TIME ", "--no-header": "", "-o wide": "TIME ", "-o wide --no-header": "",
		"-o csv": "time,event,cookie,", "-o csv --no-header": "", "-o json": "",
	} {
		w := newWorld(t)
		_ = w.source.Stop()
		code := w.run(strings.Fields(args)...)
		if got := w.stdout.String(); code != ExitDone || !strings.HasPrefix(got, want) || (want == "") != (got == "") {
			t.Errorf("%s: exit %d, %q, want %q", args, code, got, want)
		}
	}
}

func TestColor(t *testing.T) {
	for _, test := range []struct {
		name    string
		args    string
		width   int
		environ map[string]string
		want    bool
	}{
		{"terminal", "", 200, nil, true},
		{"pipe", "", 0, nil, false},
		{"NO_COLOR", "", 200, map[string]string{"NO_COLOR": "1"}, false},
		{"empty NO_COLOR", "", 200, map[string]string{"NO_COLOR": ""}, true},
		{"dumb", "", 200, map[string]string{"TERM": "dumb"}, false},
		{"xterm", "", 200, map[string]string{"TERM": "xterm"}, true},
		{"always to a pipe", "--color always", 0, nil, true},
		{"always over NO_COLOR", "--color=always", 200, map[string]string{"NO_COLOR": "1"}, true},
		{"never", "--color never", 200, nil, false},
		{"auto", "--color auto", 0, nil, false},
		{"wide", "-o wide", 200, nil, true},
		{"json", "-o json --color always", 200, nil, false},
		{"csv", "-o csv", 200, nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.width, w.environ = test.width, test.environ
			w.source.feed(event(tcp.SynSent, tcp.Established))
			_ = w.source.Stop()
			code := w.run(strings.Fields(test.args)...)
			if got := strings.Contains(w.stdout.String(), "\x1b["); code != ExitDone || got != test.want {
				t.Errorf("exit %d, color %v, want %v: %q", code, got, test.want, w.stdout)
			}
		})
	}
}

// A row never exceeds the terminal.
func TestWidth(t *testing.T) {
	for _, width := range []int{80, 200} {
		w := newWorld(t)
		w.width = width
		w.source.feed(event(tcp.SynSent, tcp.Established), event(tcp.FinWait2, tcp.Close))
		_ = w.source.Stop()
		w.run("--color", "never")
		for line := range strings.Lines(w.stdout.String()) {
			if n := len(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("%d columns on a terminal of %d: %q", n, width, line)
			}
		}
	}
}
