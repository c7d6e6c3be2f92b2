package e2e

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

// page is what Prometheus's own parser reads of one.
type page struct {
	types, units, helps map[string]string // by family
	series              map[string]string // values, by name and labels
	exemplars           map[string]string // traces, by name and labels
}

func parsePage(t *testing.T, text []byte, contentType string) page {
	t.Helper()
	parser, err := textparse.New(text, contentType, labels.NewSymbolTable(), textparse.ParserOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p := page{map[string]string{}, map[string]string{}, map[string]string{}, map[string]string{}, map[string]string{}}
	note := func(in map[string]string, key, value string) {
		if _, known := in[key]; known {
			t.Errorf("%s is there twice", key)
		}
		in[key] = value
	}
	for {
		entry, err := parser.Next()
		switch {
		case errors.Is(err, io.EOF):
			return p
		case err != nil:
			t.Fatalf("%v in %s", err, contentType)
		}
		switch entry {
		case textparse.EntryType:
			name, kind := parser.Type()
			note(p.types, string(name), string(kind))
		case textparse.EntryUnit:
			name, unit := parser.Unit()
			note(p.units, string(name), string(unit))
		case textparse.EntryHelp:
			name, help := parser.Help()
			note(p.helps, string(name), string(help))
		case textparse.EntrySeries:
			var l labels.Labels
			parser.Labels(&l)
			_, at, value := parser.Series()
			if at != nil {
				t.Errorf("%s has a time", l)
			}
			note(p.series, l.String(), fmt.Sprint(value))
			var e exemplar.Exemplar
			for parser.Exemplar(&e) {
				note(p.exemplars, l.String(), e.Labels.Get("trace_id"))
			}
		default:
			t.Errorf("entry %d of %s", entry, contentType)
		}
	}
}

// TestPagesAreReadAlike holds that Prometheus reads the golden pages of package
// exposition, and the same series of both formats.
func TestPagesAreReadAlike(t *testing.T) {
	read := func(file, contentType string) page {
		text, err := os.ReadFile("../export/exposition/testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		return parsePage(t, text, contentType)
	}
	text := read("everything.txt", "text/plain; version=0.0.4; charset=utf-8")
	open := read("everything.om", "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores")
	if diff := cmp.Diff(text.series, open.series); diff != "" || len(text.series) < 25 {
		t.Errorf("%d series of text (-) and of OpenMetrics (+):\n%s", len(text.series), diff)
	}
	if len(text.units)+len(text.exemplars) > 0 || len(open.units) != 4 || len(open.exemplars) != 4 {
		t.Errorf("units and exemplars of text: %v, %v; of OpenMetrics: %v, %v", text.units, text.exemplars, open.units, open.exemplars)
	}
	for name, kind := range text.types {
		family := name
		if kind == "counter" {
			family = strings.TrimSuffix(name, "_total")
		}
		if name == "target_info" {
			family, kind = "target", "info"
		}
		if open.types[family] != kind || text.helps[name] != open.helps[family] {
			t.Errorf("%s is a %s, %q; in OpenMetrics %s, %q", name, kind, text.helps[name], open.types[family], open.helps[family])
		}
	}
}
