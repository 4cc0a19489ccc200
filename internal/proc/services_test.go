package proc

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const fakeServices = `# Network services
ssh		22/tcp				# SSH Remote Login Protocol
domain		53/tcp
domain		53/udp
http		80/tcp		www		# WorldWideWeb HTTP
web		80/tcp		http
www		81/tcp
ntp		123/udp
https	443/tcp#no space
broken
zero	0/tcp
great	65536/tcp
max	65535/tcp
sign	+5/tcp
neg	-5/tcp
mptcp	90/mptcp
upper	91/TCP
5060	5060/tcp
  indented 92/tcp  alias1 alias2
#hidden 93/tcp
crlf	94/tcp	alias3` + "\r\nlast 95/tcp"

func readServices(tb testing.TB, text string) *Services {
	tb.Helper()
	etc := tb.TempDir()
	if err := os.WriteFile(filepath.Join(etc, "services"), []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	s, err := FS{Etc: etc}.Services()
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestServices(t *testing.T) {
	s := readServices(t, fakeServices)
	for port, want := range map[uint16]string{
		22: "ssh", 53: "domain", 80: "http", 81: "www", 123: "", 443: "https", 0: "", 65535: "max", 5: "", 90: "", 91: "",
		92: "indented", 93: "", 94: "crlf", 95: "last", 5060: "5060",
	} {
		if got := s.Name(port); got != want {
			t.Errorf("Name(%d) = %q, want %q", port, got, want)
		}
	}
	for name, want := range map[string]uint16{
		"ssh": 22, "http": 80, "www": 80, "web": 80, "https": 443, "alias1": 92, "alias2": 92, "alias3": 94, "last": 95,
	} {
		if got, err := s.Port(name); err != nil || got != want {
			t.Errorf("Port(%q) = %d, %v, want %d", name, got, err, want)
		}
	}
	for _, name := range []string{"ntp", "SSH", "", "broken", "zero", "great", "hidden", "22/tcp", "53/udp", "x\x1b[31m\n"} {
		_, err := s.Port(name)
		checkRefusal(t, err, "no TCP service of this name in |/services: give the port's number")
	}
}

func TestServicesMissing(t *testing.T) {
	s, err := FS{Etc: t.TempDir()}.Services()
	if err != nil || s.Name(22) != "" {
		t.Errorf("got %q, %v", s.Name(22), err)
	}
	_, err = s.Port("ssh")
	checkRefusal(t, err, `service "ssh": no TCP service of this name in `)
	etc := t.TempDir()
	mustMkdir(t, etc+"/services")
	_, err = FS{Etc: etc}.Services()
	checkRefusal(t, err, "read names of ports")
}

func FuzzParseServices(f *testing.F) {
	f.Add(fakeServices)
	f.Add("a 1/tcp a b #")
	f.Fuzz(func(t *testing.T, text string) {
		s := parseServices(text)
		for port, name := range s.names {
			if _, ok := s.ports[name]; !ok || port == 0 || name == "" || !strings.Contains(text, name) {
				t.Errorf("port %d is %q, which is port %d", port, name, s.ports[name])
			}
		}
		for name, port := range s.ports {
			if s.names[port] == "" || name == "" || strings.ContainsAny(name, " \t\n#") {
				t.Errorf("%q is port %d, which has no name", name, port)
			}
		}
	})
}
