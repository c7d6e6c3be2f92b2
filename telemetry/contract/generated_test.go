package contract_test

import (
	"flag"
	"fmt"
	"go/format"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/telemetry/contract"
)

var update = flag.Bool("update", false, "rewrite telemetry/names.go and the tables of telemetry/README.md")

// TestNames holds that the constants are those of the tables.
func TestNames(t *testing.T) {
	source, err := format.Source([]byte(names()))
	if err != nil {
		t.Fatal(err)
	}
	upToDate(t, "../names.go", string(source))
}

// TestReadme holds that the tables which people read are those of the code.
func TestReadme(t *testing.T) {
	file, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(file)
	for name, table := range tables() {
		begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
		before, rest, ok := strings.Cut(text, begin)
		_, after, closed := strings.Cut(rest, end)
		if !ok || !closed {
			t.Fatalf("README.md has no lines %q and %q", begin, end)
		}
		text = before + begin + "\n" + table + "\n" + end + after
	}
	upToDate(t, "../README.md", text)
}

func upToDate(t *testing.T, file, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s is not up to date, go test ./telemetry/contract -update (-want +got):\n%s", file, diff)
	}
}

// names returns the constants of what is ours. Those of the conventions come
// from semconv.
func names() string {
	var b strings.Builder
	b.WriteString("// Code generated from telemetry/contract. DO NOT EDIT.\n\npackage telemetry\n\nimport \"go.opentelemetry.io/otel/attribute\"\n\n// Attributes of our own.\nconst (\n")
	for _, a := range contract.Attributes {
		if ours(a.Name) {
			fmt.Fprintf(&b, "%sKey = attribute.Key(%q)\n", identifier(a.Name), a.Name)
		}
	}
	b.WriteString(")\n\n// Metrics of our own.\nconst (\n")
	for _, m := range contract.Metrics {
		if ours(m.Name) {
			fmt.Fprintf(&b, "%sName = %q\n", identifier(m.Name), m.Name)
		}
	}
	b.WriteString(")\n\n// Spans, save those that are named after the method.\nconst (\n")
	for _, s := range contract.Spans {
		if !strings.HasPrefix(s.Name, "{") {
			fmt.Fprintf(&b, "%sSpan = %q\n", identifier(s.Name), s.Name)
		}
	}
	b.WriteString(")\n\n// Events.\nconst (\n")
	for _, e := range contract.Events {
		fmt.Fprintf(&b, "%sEvent = %q\n", identifier(e.Name), e.Name)
	}
	b.WriteString(")\n")
	return b.String()
}

func ours(name string) bool { return strings.HasPrefix(name, "spangate.") }

// identifier returns the name as Go writes it, without the prefix.
func identifier(name string) string {
	words := strings.FieldsFunc(strings.TrimPrefix(name, "spangate."), func(r rune) bool { return r == '.' || r == '_' })
	for i, word := range words[1:] {
		switch word {
		case "id", "dns", "tls", "io":
			word = strings.ToUpper(word)
		}
		words[i+1] = strings.ToUpper(word[:1]) + word[1:]
	}
	return strings.Join(words, "")
}

// tables returns the tables of the README by the name of their place.
func tables() map[string]string {
	var spans, metrics, events, attributes, values, resource strings.Builder
	spans.WriteString("| span | kind | | attributes |\n|---|---|---|---|\n")
	for _, s := range contract.Spans {
		fmt.Fprintf(&spans, "| `%s` | %s | %s | %s |\n", s.Name, s.Kind, s.Meaning, list(s.Attributes))
	}
	metrics.WriteString("| name | kind, unit | stability | | attributes |\n|---|---|---|---|---|\n")
	for _, m := range contract.Metrics {
		fmt.Fprintf(&metrics, "| `%s` | %s, %s | %s | %s | %s |\n", m.Name, m.Kind, m.Unit, m.Stability, m.Meaning, list(m.Attributes))
	}
	events.WriteString("| name | severity | | attributes |\n|---|---|---|---|\n")
	for _, e := range contract.Events {
		fmt.Fprintf(&events, "| `%s` | %s | %s | %s |\n", e.Name, e.Severity, e.Meaning, list(e.Attributes))
	}
	const head = "| name | type | stability | |\n|---|---|---|---|\n"
	attributes.WriteString(head)
	for _, a := range contract.Attributes {
		fmt.Fprintf(&attributes, "| `%s` | %s | %s | %s |\n", a.Name, a.Type, a.Stability, a.Meaning)
	}
	resource.WriteString(head)
	for _, a := range contract.Resource {
		fmt.Fprintf(&resource, "| `%s` | %s | %s | %s |\n", a.Name, a.Type, a.Stability, a.Meaning)
	}
	values.WriteString("| attribute | value | |\n|---|---|---|\n")
	told := map[*contract.Value]bool{}
	for _, a := range contract.Attributes {
		if len(a.Values) == 0 || told[&a.Values[0]] {
			continue
		}
		told[&a.Values[0]] = true
		name := fmt.Sprintf("`%s`", a.Name)
		for _, v := range a.Values {
			fmt.Fprintf(&values, "| %s | `%s` | %s |\n", name, v.Value, v.Meaning)
			name = ""
		}
	}
	return map[string]string{
		"spans": spans.String(), "metrics": metrics.String(), "events": events.String(),
		"attributes": attributes.String(), "values": values.String(), "resource": resource.String(),
	}
}

func list(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "`" + strings.Join(names, "`, `") + "`"
}
