package prometheus_test

import (
	"encoding/json"
	"strings"
	"testing"
)

type dashboard struct {
	SchemaVersion int
	Templating    struct{ List []variable }
	Panels        []panel
}

type variable struct {
	Name, Type, Definition string
}

type panel struct {
	ID         int
	Type       string
	Title      string
	Datasource struct{ UID string }
	GridPos    struct{ H, W, X, Y int }
	Targets    []struct {
		RefID, Expr string
		Datasource  struct{ UID string }
	}
}

func readDashboard(t *testing.T) *dashboard {
	t.Helper()
	var d dashboard
	if err := json.Unmarshal([]byte(read(t, "dashboard.json")), &d); err != nil {
		t.Fatal(err)
	}
	return &d
}

// substitute does what Grafana does with variables, for one host and "All".
func substitute(expression string) string {
	return strings.NewReplacer("$job", "tcptrail", "$host", ".*", "$__rate_interval", "1m").Replace(expression)
}

// queries returns all of the dashboard, by title and letter.
func (d *dashboard) queries() map[string]string {
	all := map[string]string{}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			all[p.Title+" "+target.RefID] = substitute(target.Expr)
		}
	}
	return all
}

// TestDashboard checks what Grafana would not complain about, but a reader would.
func TestDashboard(t *testing.T) {
	d := readDashboard(t)
	ids, titles := map[int]bool{}, map[string]bool{}
	taken := map[[2]int]string{}
	for _, p := range d.Panels {
		if p.ID == 0 || ids[p.ID] || p.Title == "" || titles[p.Title] {
			t.Errorf("%q: a title or an id (%d) that is there twice, or none", p.Title, p.ID)
		}
		ids[p.ID], titles[p.Title] = true, true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, is := taken[[2]int{x, y}]; is || x >= 24 {
					t.Fatalf("%q lies upon %q, or outside", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("%q: %d queries to %q", p.Title, len(p.Targets), p.Datasource.UID)
		}
		for _, target := range p.Targets {
			if target.Datasource.UID != "${datasource}" || strings.Contains(substitute(target.Expr), "$") {
				t.Errorf("%q: an unknown variable or source: %s", p.Title, target.Expr)
			}
		}
	}
	var variables []string
	for _, v := range d.Templating.List {
		variables = append(variables, v.Name)
	}
	if d.SchemaVersion < 39 || strings.Join(variables, " ") != "datasource job host" {
		t.Errorf("schema %d, variables %v", d.SchemaVersion, variables)
	}
}
