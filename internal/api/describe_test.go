package api

import (
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// document is what tests look at in the description.
type document struct {
	OpenAPI    string                          `json:"openapi"`
	Paths      map[string]map[string]operation `json:"paths"`
	Components struct {
		Parameters map[string]parameter `json:"parameters"`
		Responses  map[string]answers   `json:"responses"`
		Schemas    map[string]any       `json:"schemas"`
	} `json:"components"`
}

type reference struct {
	Ref string `json:"$ref"`
}

type operation struct {
	OperationID string             `json:"operationId"`
	Summary     string             `json:"summary"`
	Parameters  []reference        `json:"parameters"`
	Responses   map[string]answers `json:"responses"`
}

type parameter struct {
	Name   string         `json:"name"`
	In     string         `json:"in"`
	Schema map[string]any `json:"schema"`
}

type answers struct {
	reference
	Description string         `json:"description"`
	Headers     map[string]any `json:"headers"`
	Content     map[string]any `json:"content"`
}

// readDescription reads it once: tests ask for each answer.
var readDescription = sync.OnceValue(func() *document {
	var d document
	if err := json.Unmarshal(description, &d); err != nil {
		panic(err)
	}
	return &d
})

// checkDescribed holds an answer against the description, if it is of a page that is described.
func checkDescribed(t testing.TB, path string, response *http.Response) {
	t.Helper()
	d := readDescription()
	page, ok := d.Paths[path]["get"]
	if !ok || response.StatusCode == http.StatusMethodNotAllowed {
		return
	}
	described, ok := page.Responses[strconv.Itoa(response.StatusCode)]
	if !ok {
		t.Errorf("%s answers %s, which is not described", path, response.Status)
		return
	}
	if described.Ref != "" {
		described = d.Components.Responses[strings.TrimPrefix(described.Ref, "#/components/responses/")]
	}
	media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if _, ok := described.Content[media]; !ok {
		t.Errorf("%s answers %s with %q, which is not described", path, response.Status, media)
	}
	for name := range described.Headers {
		if response.Header.Get(name) == "" {
			t.Errorf("%s answers %s without %s", path, response.Status, name)
		}
	}
}

func TestTheDescriptionIsOfTheRoutesThatExist(t *testing.T) {
	d := readDescription()
	if !strings.HasPrefix(d.OpenAPI, "3.1.") {
		t.Errorf("version %q", d.OpenAPI)
	}
	a := newAPI(t, newFake(), Options{})
	for _, r := range a.routes {
		page, ok := d.Paths[r.path]["get"]
		if !ok || page.OperationID == "" || page.Summary == "" {
			t.Errorf("%s is not described", r.path)
			continue
		}
		var names []string
		for _, ref := range page.Parameters {
			p, ok := d.Components.Parameters[strings.TrimPrefix(ref.Ref, "#/components/parameters/")]
			if !ok {
				t.Errorf("%s: no %s", r.path, ref.Ref)
			}
			if p.In == "query" {
				names = append(names, p.Name)
			}
		}
		if !slices.Equal(names, r.parameters) {
			t.Errorf("%s: described parameters %q, real ones %q", r.path, names, r.parameters)
		}
		if _, ok := page.Responses["503"]; ok != (r.slots != nil || r.path == "/readyz") {
			t.Errorf("%s: 503 described: %v", r.path, ok)
		}
	}
	if len(d.Paths) != len(a.routes) {
		t.Errorf("%d pages are described, there are %d", len(d.Paths), len(a.routes))
	}
}

func TestTheDescriptionNamesTheLimits(t *testing.T) {
	all := readDescription().Components.Parameters
	for _, test := range []struct {
		parameter, key string
		want           float64
	}{
		{"filter", "maxLength", maxFilter}, {"by", "maxItems", maxGroups}, {"limit", "minimum", 1}, {"limit", "maximum", maxLimit},
	} {
		if got := all[test.parameter].Schema[test.key]; got != test.want {
			t.Errorf("%s of %s is %v, want %v", test.key, test.parameter, got, test.want)
		}
	}
}

// TestTheDescriptionRefersToWhatThereIs follows every $ref.
func TestTheDescriptionRefersToWhatThereIs(t *testing.T) {
	var root any
	if err := json.Unmarshal(description, &root); err != nil {
		t.Fatal(err)
	}
	var walk func(any)
	walk = func(at any) {
		switch at := at.(type) {
		case []any:
			for _, item := range at {
				walk(item)
			}
		case map[string]any:
			for key, value := range at {
				if ref, ok := value.(string); ok && key == "$ref" {
					to := root
					for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
						to, _ = to.(map[string]any)[part]
					}
					if to == nil {
						t.Errorf("%s leads nowhere", ref)
					}
				}
				walk(value)
			}
		}
	}
	walk(root)
}
