package metrics

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestPromtool has promtool judge names, units, types and help texts.
func TestPromtool(t *testing.T) {
	program, err := exec.LookPath("promtool")
	if err != nil {
		const missing = "promtool is not there: install the Debian package prometheus"
		if os.Getenv("CI") != "" {
			t.Fatal(missing)
		}
		t.Skip(missing) // on Debian it would start a daemon, which is for the user to decide
	}
	r := crowd(100)
	body := scrape(Handler(fixed{r}, Options{}), "").Body.String()
	cmd := exec.CommandContext(t.Context(), program, "check", "metrics")
	cmd.Stdin = strings.NewReader(body)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
	for _, must := range []string{"# TYPE tcptrail_state_duration_seconds histogram", "# HELP tcptrail_sockets "} {
		if !strings.Contains(body, must) {
			t.Errorf("%q is not in what was checked", must)
		}
	}
}
