package cli

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// leaverEnv makes this binary a program that leaves sockets behind: what, it says, with commas between.
const leaverEnv = "TCPTRAIL_TEST_LEAVE"

// leave makes connections with itself and ends without closing them.
func leave(what string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var kept []net.Conn
	for word := range strings.SplitSeq(what, ",") {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			return err
		}
		a, err := l.Accept()
		if err != nil {
			return err
		}
		kept = append(kept, c, a)
		if err := leaveOne(word, c.(*net.TCPConn), a.(*net.TCPConn)); err != nil {
			return fmt.Errorf("%s: %w", word, err)
		}
	}
	if strings.HasSuffix(what, "sleep") {
		fmt.Println("ready")
		_, err = io.Copy(io.Discard, os.Stdin)
	}
	runtime.KeepAlive(kept)
	return err
}

func leaveOne(word string, c, a *net.TCPConn) error {
	switch word {
	case "established", "sleep":
		return nil
	case "close_wait": // the end is read, and the descriptor kept
		if err := a.Close(); err != nil {
			return err
		}
		return readEnd(c, io.EOF)
	case "both": // FIN_WAIT2 here, CLOSE_WAIT there
		if err := c.CloseWrite(); err != nil {
			return err
		}
		return readEnd(a, io.EOF)
	case "zombie":
		if err := errors.Join(a.SetLinger(0), a.Close()); err != nil {
			return err
		}
		return readEnd(c, syscall.ECONNRESET)
	case "closed":
		return errors.Join(c.Close(), readEnd(a, io.EOF), a.Close())
	}
	return errors.New("no such way to leave")
}

func readEnd(c net.Conn, want error) error {
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, want) {
		return fmt.Errorf("read: %w, want %w", err, want)
	}
	return nil
}

// leaver returns the command line of tcptrail run with a program that leaves something.
func leaver(t *testing.T, what string, args ...string) *tracer {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(mustBinary(t))
	cmd.Env = append(os.Environ(), leaverEnv+"="+what)
	args = append([]string{"run", "-o", "json", "--min-age", "0"}, args...)
	return launch(t, cmd, append(args, "--", exe)...)
}

func TestPrivilegedRun(t *testing.T) {
	for _, tt := range []struct {
		what string
		args []string
		exit int
		want []string // cause and number of sockets
	}{
		{"closed", nil, ExitDone, nil},
		{"established,closed", nil, ExitDone, nil},
		{"close_wait,close_wait,closed", nil, ExitFound, []string{"not_closed 2"}},
		{"both", nil, ExitFound, []string{"not_closed 1"}}, // whose end ends the other
		{"zombie", nil, ExitFound, []string{"zombie 1"}},
		{"close_wait,zombie", []string{"--fail-on", "zombie"}, ExitFound, []string{"zombie 1"}},
		{"close_wait", []string{"--min-age", "1h"}, ExitDone, nil},
	} {
		t.Run(tt.what, func(t *testing.T) {
			r := leaver(t, tt.what, tt.args...)
			if code := r.wait(); code != tt.exit {
				t.Fatalf("exit %d, want %d: %s", code, tt.exit, r.stderr)
			}
			var got []string
			for line := range strings.Lines(r.stderr.String()) {
				if !strings.HasPrefix(line, "{") {
					continue
				}
				for _, f := range parseFindings(t, line) {
					if f.Status != "left" {
						t.Errorf("status %s: %s", f.Status, line)
					}
					got = append(got, fmt.Sprintf("%s %d", f.Cause, f.Count))
				}
			}
			if slices.Sort(got); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q\n%s", got, tt.want, r.stderr)
			}
		})
	}
}

// What the command does is its own business: streams, exit code and rights are handed on.
func TestPrivilegedRunHandsOn(t *testing.T) {
	cmd := exec.Command(mustBinary(t))
	cmd.Stdin = strings.NewReader("word\n")
	r := launch(t, cmd, "run", "--", "sh", "-c", `read x; echo "got $x"; echo err >&2; grep -E '^(CapEff|NoNewPrivs)' /proc/self/status; exit 7`)
	if code := r.wait(); code != 7 {
		t.Errorf("exit %d: %s", code, r.stderr)
	}
	own, err := exec.Command("grep", "-E", "^(CapEff|NoNewPrivs)", "/proc/self/status").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := r.stdout.String(); got != "got word\n"+string(own) {
		t.Errorf("stdout %q, want the word and %q", got, own)
	}
	if got := r.stderr.String(); !strings.HasPrefix(got, "err\n") {
		t.Errorf("stderr %q", got)
	}
}

// A descendant that lives on, and whose parent has ended, is looked at, too.
func TestPrivilegedRunFindsDaemons(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	hold, release, err := os.Pipe() // its end ends the daemon
	if err != nil {
		t.Fatal(err)
	}
	defer release.Close()
	defer hold.Close()
	fifo := t.TempDir() + "/ready"
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(mustBinary(t))
	cmd.Stdin = hold
	cmd.Env = append(os.Environ(), leaverEnv+"=close_wait,sleep")
	r := launch(t, cmd, "run", "-o", "json", "--min-age", "0", "--report", t.TempDir()+"/report", "--",
		"sh", "-c", `exec 3<&0; (setsid "$0" <&3 >"$1" 2>/dev/null &); read line <"$1"`, exe, fifo)
	if code := r.wait(); code != ExitFound {
		t.Fatalf("exit %d: %s", code, r.stderr)
	}
	report, err := os.ReadFile(cmd.Args[slices.Index(cmd.Args, "--report")+1])
	if err != nil {
		t.Fatal(err)
	}
	findings := parseFindings(t, string(report))
	if len(findings) != 1 || findings[0].Status != "firing" || findings[0].Cause != "not_closed" || len(findings[0].Holders) != 1 {
		t.Errorf("got %+v", findings)
	}
}
