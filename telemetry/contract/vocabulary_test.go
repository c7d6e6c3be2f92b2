package contract_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/telemetry/contract"
)

// TestVocabularies holds that the words which the tables list are those of the
// code, no more and no less.
func TestVocabularies(t *testing.T) {
	balancer, probe, policy, route := words(t, "balancer"), words(t, "probe"), words(t, "policy"), words(t, "handler/route")
	recorder, exports := words(t, "telemetry"), words(t, "telemetry/export")
	tests := map[string][]string{
		"spangate.backend.state":          balancer["State"],
		"spangate.backend.previous_state": balancer["State"],
		"spangate.backend.reason":         balancer["Reason"],
		"spangate.balancer.algorithm":     balancer["Algorithm"],
		"spangate.retry.stop_reason":      balancer["StopReason"],
		"spangate.canary.state":           balancer["CanaryState"],
		"spangate.canary.previous_state":  balancer["CanaryState"],
		"spangate.canary.reason":          balancer["CanaryReason"],
		"spangate.canary.side":            recorder["canarySide"],
		"spangate.identity.type":          slices.DeleteFunc(words(t, "balancer/identity")["Kind"], func(s string) bool { return s == "none" }), // of which nobody hears
		"spangate.mirror.reason":          balancer["DropReason"],
		"spangate.mirror.result":          recorder["mirrorResult"],
		"spangate.probe.trigger":          probe["Trigger"],
		"spangate.probe.type":             slices.DeleteFunc(probe["Type"], func(s string) bool { return s == "auto" }), // becomes one of the others
		"spangate.rate_limit.store":       policy["Store"],
		"spangate.rate_limit.result":      recorder["rateLimit*"],
		"spangate.auth.method":            policy["method*"],
		"spangate.policy.rejection":       slices.Concat(policy["Refusal.Policy"], route["Refusal.Policy"]),
		"spangate.policy.reason": slices.Concat(policy["authReason"], policy["Refusal.Reason"], policy["reason"], policy["corsDetails"], route["Refusal.Reason"],
			slices.DeleteFunc(policy["verdict"], func(s string) bool { return s == "client_gone" })), // which is no refusal
		"spangate.rate_limit.on_store_error": words(t, "policy/redis")["OnError"],
		"spangate.telemetry.result":          exports["outcome.0"],
		"spangate.upgrade.farewell":          recorder["farewell"],
		"spangate.upgrade.close_reason":      recorder["closeReason"],
		"spangate.upgrade.closed_by":         words(t, "handler/wire/websocket")["Party"],
		"spangate.upgrade.protocol":          recorder["upgradeProtocol"],
	}
	for name, want := range tests {
		i := slices.IndexFunc(contract.Attributes, func(a contract.Attribute) bool { return a.Name == name })
		if diff := cmp.Diff(sorted(want), sorted(valuesOf(contract.Attributes[i]))); diff != "" || len(want) == 0 {
			t.Errorf("%s (-code +table):\n%s", name, diff)
		}
	}
	for _, a := range contract.Attributes {
		if len(a.Values) > 0 && tests[a.Name] == nil && elsewhere[a.Name] == "" {
			t.Errorf("the words of %s are compared with nothing", a.Name)
		}
	}
	i := slices.IndexFunc(contract.Attributes, func(a contract.Attribute) bool { return a.Name == "error.type" })
	table := valuesOf(contract.Attributes[i])
	for _, word := range slices.Concat(words(t, "handler/fault")["Type"], words(t, "handler/fault")["Handshake"], words(t, "handler/wire/proxyproto")["Reason"], probe["failure.0"], exports["outcome.1"]) {
		if !slices.Contains(table, word) {
			t.Errorf("error.type %s is not in the table", word)
		}
	}
}

// elsewhere are the vocabularies that no declaration lists, and why that is
// enough.
var elsewhere = map[string]string{
	"error.type":                 "is open: below, each word of ours is looked for in the table",
	"http.connection.state":      "the words are semconv's",
	"network.io.direction":       "the words are semconv's",
	"otel.span.parent.origin":    "the words are semconv's",
	"otel.span.sampling_result":  "the words are semconv's",
	"spangate.balancer.result":   "picked, or an error type",
	"spangate.probe.result":      "two words beside each other in a function",
	"spangate.retry.decision":    "two words, each where it is counted",
	"spangate.acme.challenge":    "the words are RFC 8555's and RFC 8737's",
	"spangate.acme.result":       "two words beside each other in a function",
	"spangate.tls.peer":          "two words, each where it is counted",
	"spangate.tls.reload.result": "two words beside each other in a function",
	"spangate.sampling.reason":   "the conditions of TRACE_KEEP, which tests of the program name",
}

func valuesOf(a contract.Attribute) (all []string) {
	for _, v := range a.Values {
		all = append(all, v.Value)
	}
	return all
}

func sorted(words []string) []string { return slices.Compact(slices.Sorted(slices.Values(words))) }

// words returns the texts in the source of one of our packages by what they are
// of: the type of a constant; what comes before * in the name of one without a
// type; a composite literal's type and field, or position; a map's name, for its
// keys; and a variable's name.
func words(t *testing.T, dir string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	add := func(of string, e ast.Expr) {
		if literal, ok := e.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			if text, err := strconv.Unquote(literal.Value); err == nil && text != "" {
				found[of] = append(found[of], text)
			}
		}
	}
	files, err := filepath.Glob(filepath.Join("../..", dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no source in %s: %v", dir, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, source, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GenDecl:
				addDeclared(n, add)
			case *ast.AssignStmt:
				if name, ok := n.Lhs[0].(*ast.Ident); ok && len(n.Rhs) == 1 {
					add(name.Name, n.Rhs[0])
				}
			case *ast.CompositeLit:
				addComposite(n, add)
			}
			return true
		})
	}
	return found
}

// prefixes are those of constants without a type that are a vocabulary.
var prefixes = []string{"rateLimit", "method"}

func addDeclared(d *ast.GenDecl, add func(string, ast.Expr)) {
	for _, spec := range d.Specs {
		v, ok := spec.(*ast.ValueSpec)
		if !ok {
			continue
		}
		for i, value := range v.Values {
			name := v.Names[i].Name
			if typed, ok := v.Type.(*ast.Ident); ok {
				add(typed.Name, value)
				continue
			}
			for _, prefix := range prefixes {
				if d.Tok == token.CONST && strings.HasPrefix(name, prefix) && !strings.HasSuffix(name, "Name") && !strings.HasSuffix(name, "Span") && !strings.HasSuffix(name, "Event") {
					add(prefix+"*", value)
				}
			}
			if literal, ok := value.(*ast.CompositeLit); ok {
				for _, element := range literal.Elts {
					if pair, ok := element.(*ast.KeyValueExpr); ok {
						add(name, pair.Key)
					}
				}
			}
		}
	}
}

func addComposite(literal *ast.CompositeLit, add func(string, ast.Expr)) {
	of := literal.Type
	if selector, ok := of.(*ast.SelectorExpr); ok { // of another package
		of = selector.Sel
	}
	typed, ok := of.(*ast.Ident)
	if !ok {
		return
	}
	for i, element := range literal.Elts {
		if pair, ok := element.(*ast.KeyValueExpr); ok {
			if key, ok := pair.Key.(*ast.Ident); ok {
				add(typed.Name+"."+key.Name, pair.Value)
			}
			continue
		}
		add(typed.Name+"."+strconv.Itoa(i), element)
	}
}
