package output

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tcptrail/tcptrail/internal/leak"
)

// report returns what a report of findings looks like.
func report(tb testing.TB, o FindingOptions, findings ...leak.Finding) string {
	tb.Helper()
	var buf bytes.Buffer
	if err := NewFindings(&buf, o).Report(findings, findingTime); err != nil {
		tb.Fatal(err)
	}
	return buf.String()
}

// news returns the lines about findings.
func news(tb testing.TB, o FindingOptions, findings ...leak.Finding) string {
	tb.Helper()
	var buf bytes.Buffer
	w := NewFindings(&buf, o)
	for i := range findings {
		if err := w.News(&findings[i], findingTime); err != nil {
			tb.Fatal(err)
		}
	}
	return buf.String()
}

func TestGoldenFindings(t *testing.T) {
	for _, width := range []int{0, 60, 100, 160} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			golden(t, fmt.Sprintf("finding-%d", width), report(t, findingOptions(Table, width), findings()...))
			golden(t, fmt.Sprintf("finding-wide-%d", width), report(t, findingOptions(Wide, width), findings()...))
			golden(t, fmt.Sprintf("finding-news-%d", width), news(t, findingOptions(Table, width), append(findings(), over()...)...))
		})
	}
	colored := findingOptions(Table, 100)
	colored.Color = true
	golden(t, "finding-color", report(t, colored, findings()[:3]...)+news(t, colored, over()...))
	golden(t, "finding-json", report(t, findingOptions(JSON, 0), findings()...)+
		news(t, findingOptions(JSON, 0), over()...))
}

func TestLeftOpen(t *testing.T) {
	f := aFinding(closeWait, leak.UnreadFin, leak.SignUnreadFin)
	f.Status, f.Holders, f.FDs = leak.Left, nil, leak.FDs{}
	got := report(t, findingOptions(Table, 100), f)
	for _, want := range []string{
		" 1 finding about 4 sockets left open or closed late\n", "LEFT      python3[31163] left 4 sockets in CLOSE_WAIT, oldest 37m02s: ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if strings.Contains(got, "verify") {
		t.Errorf("nothing can be verified of a process that has ended:\n%s", got)
	}
	if got := report(t, findingOptions(JSON, 0), f); !strings.Contains(got, `"status":"left"`) {
		t.Errorf("JSON: %s", got)
	}
}

func TestNothingFound(t *testing.T) {
	for _, test := range []struct {
		o    FindingOptions
		want string
	}{
		{findingOptions(Table, 0), "2026-11-21 16:30:05 nothing found: no socket has been for longer in FIN_WAIT2=1m, CLOSE_WAIT=1m, ZOMBIE=1m\n"},
		{FindingOptions{Location: zone, Width: 200}, "2026-11-21 16:30:05 nothing found: no limit is set\n"},
		{findingOptions(JSON, 0), ""},
	} {
		if got := report(t, test.o, over()...); strings.Join(strings.Fields(got), " ") != strings.TrimSpace(test.want) {
			t.Errorf("%v: %q, want %q", test.o.Format, got, test.want)
		}
	}
}

// checkPage says whether text has nothing but what may reach a terminal, in lines that fit.
func checkPage(t *testing.T, o FindingOptions, text string) {
	t.Helper()
	if text != "" && !strings.HasSuffix(text, "\n") {
		t.Fatalf("no line feed at the end: %q", text)
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(bare(line), "\n")
		for _, r := range strings.NewReplacer(ellipsis, "~", thinSpace, "~").Replace(line) {
			if r < ' ' || r > '~' {
				t.Fatalf("%v, %d columns: character %#x in %q", o.Format, o.Width, r, line)
			}
		}
		if n := utf8.RuneCountInString(line); o.Width > 0 && o.Format != JSON && n > o.Width {
			t.Fatalf("%v: %d columns where there are %d: %q", o.Format, n, o.Width, line)
		}
		if o.Format != JSON && strings.HasSuffix(line, " ") {
			t.Fatalf("%v, %d columns: a space at the end of %q", o.Format, o.Width, line)
		}
		if o.Format == JSON && !json.Valid([]byte(line)) {
			t.Fatalf("no JSON: %q", line)
		}
	}
}

func TestFindingsNeverExceedTheTerminal(t *testing.T) {
	all := append(findings(), hostileFinding())
	for width := leastWidth; width <= 200; width++ {
		for _, format := range []Format{Table, Wide} {
			o := findingOptions(format, width)
			o.Color = width%2 == 0
			checkPage(t, o, report(t, o, all...))
			checkPage(t, o, report(t, o))
			checkPage(t, o, news(t, o, append(over(), all...)...))
		}
	}
}

func TestHostileFinding(t *testing.T) {
	f := hostileFinding()
	for _, format := range []Format{Table, Wide, JSON} {
		for _, width := range []int{0, 20, 80} {
			o := findingOptions(format, width)
			checkPage(t, o, report(t, o, f))
			one := news(t, o, f)
			checkPage(t, o, one)
			if strings.Count(one, "\n") != 1 {
				t.Errorf("%v: %d lines of news", format, strings.Count(one, "\n"))
			}
		}
	}
}

// TestColorsAreOurs takes the colored words out: no word of a process is among them.
func TestColorsAreOurs(t *testing.T) {
	o := findingOptions(Wide, 100)
	without := report(t, o, findings()...)
	o.Color = true
	with := report(t, o, findings()...)
	if bare(with) != without {
		t.Error("color changes the text")
	}
	for _, piece := range strings.Split(with, "\x1b[3")[1:] {
		if word, _, _ := strings.Cut(piece[2:], plain); word != "WARN" && word != "CRITICAL" {
			t.Errorf("%q is colored", word)
		}
	}
}

// TestCommandsSurvivePasting has a shell read what a page made of commands.
func TestCommandsSurvivePasting(t *testing.T) {
	six := findings()[5]
	commands := append(leak.Commands(leak.Advice(six.Key.Condition, leak.Inherited).Verify, &six.Sample[0], nil),
		`a 'b c'"d 'e'  f" `+strings.Repeat("x", 70)+` 'g `+strings.Repeat("'y'", 21)+`'`, leak.AdviceFor(&six.Sample[0], nil).Verify[0])
	words := func(text string) string {
		out, err := exec.Command("sh", "-fc", "set -- "+text+"\n"+`for word; do printf '<%s>' "$word"; done`).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s in %q", err, out, text)
		}
		return string(out)
	}
	for _, command := range commands {
		want := words(command)
		for width := leastWidth; width <= 130; width += 3 {
			p := newPage(nil, width)
			p.label("verify")
			p.command(command, detailText)
			p.end()
			if got := words(strings.TrimLeft(strings.TrimPrefix(strings.TrimSpace(string(p.b)), "verify"), ": ")); got != want {
				t.Fatalf("%d columns:\n%s is read as\n%s, want\n%s", width, p.b, got, want)
			}
		}
	}
}

func TestWithoutTerminalNumbersArePlainAndCommandsWhole(t *testing.T) {
	text := report(t, findingOptions(Wide, 0), findings()...)
	if strings.Contains(text, thinSpace) || !strings.Contains(text, "79705 sockets") {
		t.Error("numbers are not plain")
	}
	for _, command := range leak.AdviceFor(&findings()[5].Sample[0], nil).Verify {
		if !strings.Contains(text, command+"\n") {
			t.Errorf("%q is broken", command)
		}
	}
}

// TestFindingsKeepTheirError has a writer that fails.
func TestFindingsKeepTheirError(t *testing.T) {
	broken := errors.New("broken")
	w := NewFindings(failing{broken}, findingOptions(Table, 80))
	f := findings()[0]
	for range 2 {
		if err := w.Report(findings(), findingTime); !errors.Is(err, broken) {
			t.Errorf("Report: %v", err)
		}
		if err := w.News(&f, findingTime); !errors.Is(err, broken) {
			t.Errorf("News: %v", err)
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestFindingRate(t *testing.T) {
	for _, test := range []struct {
		g    leak.Growth
		want string
	}{
		{leak.Growth{PerMinute: 5}, ""},
		{leak.Growth{Known: true}, "steady"},
		{leak.Growth{Known: true, PerMinute: 120.4}, "+120/min"},
		{leak.Growth{Known: true, PerMinute: -1.25}, "-1.2/min"},
		{leak.Growth{Known: true, PerMinute: 9.96}, "+10/min"},
		{leak.Growth{Known: true, PerMinute: 0.5}, "+30/h"},
		{leak.Growth{Known: true, PerMinute: -0.002}, "steady"},
	} {
		if got := rateText(&test.g); got != test.want {
			t.Errorf("%+v: %q, want %q", test.g, got, test.want)
		}
	}
}

func TestThinGroups(t *testing.T) {
	w := NewFindings(nil, FindingOptions{Width: 80})
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1_000", 79705: "79_705", 1<<64 - 1: "18_446_744_073_709_551_615"} {
		if got := strings.ReplaceAll(w.count(n), thinSpace, "_"); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

// Folded, each finding takes a few lines, and says whom and what it is about.
func TestFoldedFindings(t *testing.T) {
	o := findingOptions(Table, 100)
	o.Folded = true
	all := findings()
	text := report(t, o, all...)
	if lines := strings.Count(text, "\n"); lines > 9*len(all) {
		t.Errorf("%d lines for %d findings", lines, len(all))
	}
	for _, want := range []string{"opened at  app::fetch(int) (client.cc:42)", "79", "fix ", "descriptors (80%)"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	for _, more := range []string{"verify", "evidence", "LOCAL"} {
		if strings.Contains(text, more) {
			t.Errorf("%q is in\n%s", more, text)
		}
	}
	checkPage(t, o, text)
}
