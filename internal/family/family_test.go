package family

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// roleEnv makes this binary run one command as tcptrail run does: what adopts orphans and waits for all children must
// have a process of its own.
const roleEnv = "TCPTRAIL_FAMILY_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(roleEnv) == "" {
		os.Exit(m.Run())
	}
	os.Unsetenv(roleEnv)
	os.Exit(parent(os.Args[1:]))
}

func parent(args []string) int {
	command := &Command{Args: args, Env: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	if name := os.Getenv("RUN_AS"); name != "" {
		var err error
		if command.User, err = LookupUser(name); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 99
		}
	}
	if err := Adopt(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	f, err := Start(command)
	if start := (*StartError)(nil); errors.As(err, &start) {
		return start.Exit
	}
	if err := f.Release(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	exit, err := f.Wait()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	return exit
}

// family returns a command that runs args as tcptrail run does.
func family(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), roleEnv+"=parent")
	cmd.Stderr = os.Stderr
	return cmd
}

func exitOf(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return exit.ExitCode()
}

func TestExitCodes(t *testing.T) {
	noProgram := t.TempDir() + "/text"
	if err := os.WriteFile(noProgram, []byte("no program"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		want int
	}{
		{[]string{"true"}, 0},
		{[]string{"sh", "-c", "exit 7"}, 7},
		{[]string{"sh", "-c", "kill -9 $$"}, 128 + 9},
		{[]string{"no-such-program-anywhere"}, ExitNotFound},
		{[]string{t.TempDir() + "/none"}, ExitNotFound},
		{[]string{noProgram}, ExitNotExecutable},
	} {
		if got := exitOf(t, family(t, tt.args...).Run()); got != tt.want {
			t.Errorf("%q: exit code %d, want %d", tt.args, got, tt.want)
		}
	}
}

// A process whose parent has ended is our child, and its end is not the command's.
func TestOrphansAreAdopted(t *testing.T) {
	cmd := family(t, "sh", "-c", `sh -c 'sh -c "read ppid; exec cat /proc/\$\$/stat" <&3 & exit 5'; echo orphaned; read word; exit 6`)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	toOrphan, ends, err := pipe(cmd)
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ends.Close()
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); err != nil || line != "orphaned\n" {
		t.Fatalf("%q, %v", line, err)
	}
	toOrphan.Close()
	stat, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if fields := strings.Fields(stat); len(fields) < 4 || fields[3] != strconv.Itoa(cmd.Process.Pid) {
		t.Errorf("the orphan's parent is not %d: %q", cmd.Process.Pid, stat)
	}
	in.Close()
	if got := exitOf(t, cmd.Wait()); got != 6 {
		t.Errorf("exit code %d, want the command's", got)
	}
}

// pipe gives the command a pipe to read from as descriptor 3.
func pipe(cmd *exec.Cmd) (*os.File, io.Closer, error) {
	r, w, err := os.Pipe()
	cmd.ExtraFiles = []*os.File{r}
	return w, r, err
}

func TestSignals(t *testing.T) {
	for _, tt := range []struct {
		signal syscall.Signal
		want   int
	}{
		{syscall.SIGTERM, 128 + 15},
		{syscall.SIGHUP, 128 + 1},
	} {
		cmd := family(t, "sh", "-c", "echo ready; exec cat")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
			t.Fatalf("%q, %v", line, err)
		}
		for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, tt.signal} { // the first two are the terminal's business
			if err := cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
		}
		if got := exitOf(t, cmd.Wait()); got != tt.want {
			t.Errorf("%v: exit code %d, want %d", tt.signal, got, tt.want)
		}
		in.Close()
	}
}

func TestPrivilegedUser(t *testing.T) {
	cmd := family(t, "sh", "-c", "id -un; id -u; echo $HOME $USER $LOGNAME")
	cmd.Env = append(cmd.Env, "RUN_AS=nobody", "HOME=/root")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	nobody, err := LookupUser("nobody")
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%[1]s\n%[2]d\n%[3]s %[1]s %[1]s\n", "nobody", nobody.uid, nobody.Home)
	if string(out) != want {
		t.Errorf("%q, want %q", out, want)
	}
	if byNumber, err := LookupUser(strconv.Itoa(int(nobody.uid))); err != nil || byNumber.Name != "nobody" {
		t.Errorf("by number: %+v, %v", byNumber, err)
	}
	if _, err := LookupUser("no such user"); err == nil {
		t.Error("no error for a user who is not there")
	}
}
