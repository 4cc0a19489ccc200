package zabbix_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tcptrail/tcptrail/internal/nettest"
	"github.com/tcptrail/tcptrail/internal/privilege"
)

// export is template.yaml, as much of Zabbix's format as it uses: anything else in it is an error.
type export struct {
	Export struct {
		Version, Date string
		Groups        []group
		Templates     []template
		Graphs        []graph
	} `json:"zabbix_export"`
}

type group struct{ UUID, Name string }

type template struct {
	UUID, Template, Name, Description string
	Groups                            []group
	Items                             []item
	Tags                              []tag
	Macros                            []struct{ Macro, Value, Description string }
}

type item struct {
	UUID, Name, Type, Key, Delay, History, Trends, Description string
	ValueType                                                  string `json:"value_type"`
	Preprocessing                                              []struct {
		Type       string
		Parameters []string
	}
	MasterItem struct{ Key string } `json:"master_item"`
	Tags       []tag
	Triggers   []trigger
}

type trigger struct {
	UUID, Expression, Name, Opdata, Priority, Description string
	Tags                                                  []tag
}

type tag struct{ Tag, Value string }

type graph struct {
	UUID, Name string
	Items      []struct {
		SortOrder, Color string
		Item             struct{ Host, Key string }
	} `json:"graph_items"`
}

// toJSON reads YAML and, unlike the library by itself, refuses a key that comes twice.
const toJSON = `
import json, sys, yaml
def mapping(loader, node):
    keys = [loader.construct_object(key) for key, value in node.value]
    if len(keys) != len(set(keys)): raise ValueError("a key comes twice: %s" % keys)
    return loader.construct_mapping(node, deep=True)
yaml.SafeLoader.add_constructor("tag:yaml.org,2002:map", mapping)
json.dump(yaml.safe_load(sys.stdin), sys.stdout)
`

func readTemplate(t *testing.T) (*export, *template) {
	t.Helper()
	python := program(t, "python3", "python3-minimal")
	if exec.CommandContext(t.Context(), python, "-c", "import yaml").Run() != nil {
		missing(t, "Python's module yaml", "python3-yaml")
	}
	file, err := os.Open("template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd := exec.CommandContext(t.Context(), python, "-c", toJSON)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = file, &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("template.yaml: %v\n%s", err, &stderr)
	}
	var e export
	decoder := json.NewDecoder(bytes.NewReader(out))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&e); err != nil {
		t.Fatalf("template.yaml: %v", err)
	}
	if e.Export.Version != "6.0" || len(e.Export.Templates) != 1 {
		t.Fatalf("version %q, %d templates", e.Export.Version, len(e.Export.Templates))
	}
	return &e, &e.Export.Templates[0]
}

func TestEveryUUIDIsOneAndUnique(t *testing.T) {
	e, tmpl := readTemplate(t)
	ids := []string{tmpl.UUID}
	for _, g := range e.Export.Groups {
		ids = append(ids, g.UUID)
	}
	for _, g := range e.Export.Graphs {
		ids = append(ids, g.UUID)
	}
	for _, i := range tmpl.Items {
		ids = append(ids, i.UUID)
		for _, tr := range i.Triggers {
			ids = append(ids, tr.UUID)
		}
	}
	version4 := regexp.MustCompile(`^[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}$`)
	seen := make(map[string]bool)
	for _, id := range ids {
		if !version4.MatchString(id) || seen[id] {
			t.Errorf("uuid %q is none, or comes twice", id)
		}
		seen[id] = true
	}
	if groups := e.Export.Groups; len(groups) != 1 || len(tmpl.Groups) != 1 || groups[0].Name != tmpl.Groups[0].Name {
		t.Errorf("groups %v, and the template is in %v", groups, tmpl.Groups)
	}
}

// keys returns the keys of the items, and complains of one that comes twice.
func (tmpl *template) keys(t *testing.T) []string {
	t.Helper()
	var keys []string
	for _, i := range tmpl.Items {
		if slices.Contains(keys, i.Key) {
			t.Errorf("two items have the key %s", i.Key)
		}
		keys = append(keys, i.Key)
	}
	return keys
}

// piling are the states in which many sockets mean trouble, and stuck those of whose sockets the age is known.
var (
	piling = []string{
		"SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "CLOSING", "TIME_WAIT", "CLOSE_WAIT", "LAST_ACK", "CLOSE", zombie,
	}
	stuck = []string{"SYN_SENT", "FIN_WAIT2", "CLOSE_WAIT"}
)

// TestTriggers: each is about the item that it stands at, and there is one for whatever may pile up.
func TestTriggers(t *testing.T) {
	_, tmpl := readTemplate(t)
	form := regexp.MustCompile(`^(min|nodata)\(/([^/]+)/(.+),\{\$[A-Z0-9_.]+\}\)(?:>\{\$[A-Z0-9_.]+\}|=1)$`)
	watched := make(map[string]bool)
	for _, i := range tmpl.Items {
		for _, tr := range i.Triggers {
			parts := form.FindStringSubmatch(tr.Expression)
			if parts == nil || parts[2] != tmpl.Template || parts[3] != i.Key {
				t.Errorf("%s: the expression %s is not about %s of %s", tr.Name, tr.Expression, i.Key, tmpl.Template)
				continue
			}
			watched[parts[1]+" "+i.Key] = true
		}
	}
	want := map[string]bool{"nodata tcp.sockets[total]": true}
	for _, s := range piling {
		want["min tcp.sockets["+s+"]"] = true
	}
	for _, s := range stuck {
		want["min tcp.stuck["+s+",{$TCP.STUCK.AGE}]"] = true
	}
	for what := range want {
		if !watched[what] {
			t.Errorf("no trigger for %s", what)
		}
	}
	if len(watched) != len(want) {
		t.Errorf("%d triggers for %d things", len(watched), len(want))
	}
}

// TestMacros: those that are used are those that there are.
func TestMacros(t *testing.T) {
	_, tmpl := readTemplate(t)
	used := make(map[string]bool)
	name := regexp.MustCompile(`\{\$[A-Z0-9_.]+\}`)
	for _, i := range tmpl.Items {
		texts := []string{i.Key}
		for _, tr := range i.Triggers {
			texts = append(texts, tr.Expression)
		}
		for _, macro := range name.FindAllString(strings.Join(texts, " "), -1) {
			used[macro] = true
		}
	}
	for _, m := range tmpl.Macros {
		if !used[m.Macro] || m.Value == "" || m.Description == "" {
			t.Errorf("%s is not used, comes twice, or has no value or description", m.Macro)
		}
		delete(used, m.Macro)
	}
	for macro := range used {
		t.Errorf("%s has no value", macro)
	}
}

// TestGraphs: each item that is a number is in exactly one.
func TestGraphs(t *testing.T) {
	e, tmpl := readTemplate(t)
	shown := make(map[string]int)
	for _, g := range e.Export.Graphs {
		colors := make(map[string]bool)
		for _, i := range g.Items {
			if i.Item.Host != tmpl.Template || !regexp.MustCompile(`^[0-9A-F]{6}$`).MatchString(i.Color) || colors[i.Color] {
				t.Errorf("%s: %s of %s in color %q", g.Name, i.Item.Key, i.Item.Host, i.Color)
			}
			colors[i.Color] = true
			shown[i.Item.Key]++
		}
	}
	for _, key := range tmpl.keys(t) {
		if n := shown[key]; key != "tcp.states" && n != 1 {
			t.Errorf("%s is in %d graphs", key, n)
		}
		delete(shown, key)
	}
	for key := range shown {
		t.Errorf("there is no item %s for a graph", key)
	}
}

// TestPrivilegedTemplate puts the items to the agent: dependent ones are in what their master gives, each number of it
// has an item, and the agent answers the others by a number.
func TestPrivilegedTemplate(t *testing.T) {
	_, tmpl := readTemplate(t)
	a := newAgent(t, nettest.NewNS(t), privilege.Trace)
	given := states(t, a)
	macros := []string{}
	for _, m := range tmpl.Macros {
		macros = append(macros, m.Macro, m.Value)
	}
	values := strings.NewReplacer(macros...)
	for _, i := range tmpl.Items {
		switch {
		case i.Type != "DEPENDENT" && i.ValueType == "TEXT":
			if i.Key != "tcp.states" || i.History != "0" || i.Trends != "0" {
				t.Errorf("%s: nobody needs its history", i.Key)
			}
		case i.Type != "DEPENDENT":
			if key := values.Replace(i.Key); a.ask(t, key).text != "0" {
				t.Errorf("%s: %q, want 0", key, a.ask(t, key))
			}
		case i.MasterItem.Key != "tcp.states" || len(i.Preprocessing) != 1 || i.Preprocessing[0].Type != "JSONPATH":
			t.Errorf("%s is not taken from tcp.states", i.Key)
		default:
			state, _ := strings.CutPrefix(i.Preprocessing[0].Parameters[0], "$.")
			if _, ok := given[state]; !ok || i.Key != "tcp.sockets["+state+"]" {
				t.Errorf("%s: tcp.states has no %s, or another item has it", i.Key, state)
			}
			delete(given, state)
		}
	}
	for state := range given {
		t.Errorf("no item for %s", state)
	}
}
