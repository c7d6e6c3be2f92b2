package contract_test

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/telemetry/contract"
)

// conventions is the package whose sources say what is standard, with the
// packages of metrics below it.
const conventions = "go.opentelemetry.io/otel/semconv/v1.43.0"

// TestConventions holds that each name which is not ours is one of the
// conventions, and is used with their type, unit and stability.
func TestConventions(t *testing.T) {
	known := attributesOfConventions(t)
	for _, table := range [][]contract.Attribute{contract.Attributes, contract.Resource} {
		for _, a := range table {
			if ours(a.Name) {
				continue
			}
			got := contract.Attribute{Name: a.Name, Type: a.Type, Stability: a.Stability}
			if diff := cmp.Diff(known[a.Name], got); diff != "" {
				t.Errorf("%s (-conventions +table):\n%s", a.Name, diff)
			}
		}
	}
	metrics := metricsOfConventions(t, "httpconv", "goconv", "otelconv")
	for _, m := range contract.Metrics {
		if ours(m.Name) {
			continue
		}
		got := contract.Metric{Name: m.Name, Kind: m.Kind, Unit: m.Unit, Meaning: m.Meaning}
		if diff := cmp.Diff(metrics[m.Name], got); diff != "" {
			t.Errorf("%s (-conventions +table):\n%s", m.Name, diff)
		}
	}
}

// TestRowsAgree holds that what a span, metric or event may have is described,
// once, and used.
func TestRowsAgree(t *testing.T) {
	described, used := map[string]bool{}, map[string]bool{}
	for _, a := range contract.Attributes {
		if described[a.Name] {
			t.Errorf("%s is described twice", a.Name)
		}
		described[a.Name] = true
	}
	use := func(by string, names []string) {
		for _, name := range names {
			if used[name] = true; !described[name] {
				t.Errorf("%s has %s, which is not described", by, name)
			}
		}
	}
	for _, s := range contract.Spans {
		use(s.Name, s.Attributes)
	}
	for _, m := range contract.Metrics {
		use(m.Name, m.Attributes)
	}
	for _, e := range contract.Events {
		use(e.Name, e.Attributes)
		if !ours(e.Name) {
			t.Errorf("the event %s has a name that may be anybody's", e.Name)
		}
	}
	for name := range described {
		if !used[name] {
			t.Errorf("nothing has %s", name)
		}
	}
}

func sourceOf(t *testing.T, pkg, file string) *ast.File {
	t.Helper()
	p, err := build.Import(pkg, ".", build.FindOnly)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

var (
	docType      = regexp.MustCompile(`(?m)^Type: (\w+)`)
	docStability = regexp.MustCompile(`(?m)^Stability: (\w+)`)
)

// attributesOfConventions reads the keys of attribute_group.go, whose comments
// say the rest.
func attributesOfConventions(t *testing.T) map[string]contract.Attribute {
	attributes := map[string]contract.Attribute{}
	ast.Inspect(sourceOf(t, conventions, "attribute_group.go"), func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Doc == nil || len(spec.Values) != 1 {
			return true
		}
		name, ok := stringIn(spec.Values[0])
		typ, stability := docType.FindStringSubmatch(spec.Doc.Text()), docStability.FindStringSubmatch(spec.Doc.Text())
		if ok && typ != nil && stability != nil {
			attributes[name] = contract.Attribute{Name: name, Type: typeOf(typ[1]), Stability: stabilities[stability[1]]}
		}
		return true
	})
	return attributes
}

var stabilities = map[string]contract.Stability{
	"Stable": contract.Stable, "Development": contract.Development, "Release_Candidate": contract.ReleaseCandidate,
}

// typeOf returns the type that the conventions call so. Those of an
// enumeration are texts.
func typeOf(name string) contract.Type {
	if name == "Enum" {
		return contract.String
	}
	return contract.Type(name)
}

// metricsOfConventions reads the methods Name, Unit and Description of each
// instrument, and its kind from what it embeds.
func metricsOfConventions(t *testing.T, packages ...string) map[string]contract.Metric {
	metrics := map[string]contract.Metric{}
	for _, pkg := range packages {
		rows := map[string]*contract.Metric{} // by type
		row := func(name string) *contract.Metric {
			if rows[name] == nil {
				rows[name] = &contract.Metric{}
			}
			return rows[name]
		}
		for _, decl := range sourceOf(t, conventions+"/"+pkg, "metric.go").Decls {
			switch d := decl.(type) {
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					s, ok := spec.(*ast.TypeSpec)
					if !ok {
						continue
					}
					if fields, ok := s.Type.(*ast.StructType); ok && len(fields.Fields.List) == 1 {
						if embedded, ok := fields.Fields.List[0].Type.(*ast.SelectorExpr); ok {
							row(s.Name.Name).Kind = kindOf(embedded.Sel.Name)
						}
					}
				}
			case *ast.FuncDecl:
				if d.Recv == nil || len(d.Body.List) != 1 {
					continue
				}
				of, ok := d.Recv.List[0].Type.(*ast.Ident)
				result, returns := d.Body.List[0].(*ast.ReturnStmt)
				if !ok || !returns || len(result.Results) != 1 {
					continue
				}
				text, ok := stringIn(result.Results[0])
				if !ok {
					continue
				}
				switch d.Name.Name {
				case "Name":
					row(of.Name).Name = text
				case "Unit":
					row(of.Name).Unit = text
				case "Description":
					row(of.Name).Meaning = text
				}
			}
		}
		for _, m := range rows {
			// One of the same name that is observed comes to the same.
			metrics[m.Name] = *m
		}
	}
	return metrics
}

func kindOf(instrument string) contract.MetricKind {
	kind := strings.ToLower(instrument)
	for _, prefix := range []string{"int64", "float64", "observable"} {
		kind = strings.TrimPrefix(kind, prefix)
	}
	return contract.MetricKind(kind)
}

// stringIn returns the text of a literal, or of one that is converted.
func stringIn(e ast.Expr) (string, bool) {
	if call, ok := e.(*ast.CallExpr); ok && len(call.Args) == 1 {
		e = call.Args[0]
	}
	literal, ok := e.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(literal.Value)
	return text, err == nil
}
