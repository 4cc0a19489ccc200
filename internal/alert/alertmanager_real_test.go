package alert

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// startAlertmanager starts the real program and returns its URL.
func startAlertmanager(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("prometheus-alertmanager")
	if err != nil {
		const missing = "prometheus-alertmanager is not there: install the Debian package of that name"
		if os.Getenv("CI") != "" {
			t.Fatal(missing)
		}
		t.Skip(missing) // on Debian it would start a daemon, which is for the user to decide
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") // for a port that is free
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yml")
	if err := os.WriteFile(config, []byte("route: {receiver: none}\nreceivers: [{name: none}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	cmd := exec.Command(program, "--config.file="+config, "--storage.path="+dir, "--web.listen-address="+address,
		"--cluster.listen-address=", "--log.level=warn")
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Log(output.String())
		}
	})
	url := "http://" + address
	eventually(t, "prometheus-alertmanager is ready", func() bool {
		r, err := http.Get(url + "/-/ready")
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
	return url
}

// gettable is an alert as the API shows it.
type gettable struct {
	Labels      map[string]string
	Annotations map[string]string
	StartsAt    time.Time
	EndsAt      time.Time
	Status      struct{ State string }
}

func shownBy(t *testing.T, url string) map[string]gettable {
	t.Helper()
	r, err := http.Get(url + "/api/v2/alerts")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, _ := io.ReadAll(r.Body)
	var all []gettable
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	shown := map[string]gettable{}
	for _, a := range all {
		shown[a.Labels["finding"]+" "+a.Labels["severity"]] = a
	}
	return shown
}

// TestRealAlertmanager has the life of findings shown by the real program.
func TestRealAlertmanager(t *testing.T) {
	url := startAlertmanager(t)
	m := alertmanager(t, url, AlertmanagerOptions{})
	m.interval = 200 * time.Millisecond // each alert expires in 600 ms, unless it is sent again
	d := NewDispatcher(Options{}, m)
	hostile := about("hostile", Firing)
	hostile.Labels = append(hostile.Labels, Pair{"9 net.ns\xff", "\x1b[31m\xff \"quoted\" \u202e"}, Pair{"empty", ""})
	hostile.Description = "\x00\xff"
	var all []Alert
	for i := range 100 { // several batches
		all = append(all, about(fmt.Sprint(i), Firing))
	}
	d.Notify(append(all, hostile)...)
	eventually(t, "all are shown", func() bool { return len(shownBy(t, url)) == 101 })
	began := shownBy(t, url)
	a := began["hostile warn"]
	if a.Labels["_9_net_ns_"] == "" || a.Annotations["count"] != "3" || a.Status.State != "active" || !a.StartsAt.Equal(hostile.Since) {
		t.Errorf("%+v", a)
	}
	eventually(t, "it outlives its expiry", func() bool { return shownBy(t, url)["0 warn"].EndsAt.After(began["0 warn"].EndsAt.Add(time.Second)) })

	d.Notify(about("0", Escalated), about("1", Resolved), about("2", Merged), about("3", Muted))
	eventually(t, "one has become worse and three are over", func() bool {
		shown := shownBy(t, url)
		_, worse := shown["0 critical"]
		return worse && len(shown) == 98
	})
	shown := shownBy(t, url)
	for _, gone := range []string{"0 warn", "1 warn", "2 warn", "3 warn"} {
		if _, still := shown[gone]; still {
			t.Errorf("%s is still shown", gone)
		}
	}
	if h := d.Stats()[0]; h.Refused != 0 || h.Failing() {
		t.Errorf("%+v", h)
	}
	closeNow(t, d)
	eventually(t, "nothing is shown after the end", func() bool { return len(shownBy(t, url)) == 0 })
}
