package tracecontext_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"go.opentelemetry.io/otel/trace"

	"spangate/telemetry/tracecontext"
)

// stateOf returns what propagators read of a tracestate, and what is told of it when
// nothing is changed.
func stateOf(t testing.TB, lines ...string) (read, told string) {
	t.Helper()
	h := tracecontext.Header{"Traceparent": {aParent + "-01"}, "Tracestate": lines}
	ctx := propagator(t, "tracecontext").Extract(t.Context(), h)
	if sc := trace.SpanContextFromContext(ctx); sc.TraceID().String() != aTrace || tracecontext.DecisionOf(ctx) != tracecontext.Sampled {
		t.Fatalf("%q: %v", lines, sc)
	}
	read = trace.SpanContextFromContext(ctx).TraceState().String()
	if members := tracecontext.Members(ctx); members != nil {
		return read, tracecontext.Rejoin(read, members)
	}
	return read, read
}

func TestState(t *testing.T) {
	numbered := func(n int, prefix string) string {
		var members []string
		for i := range n {
			members = append(members, fmt.Sprintf("%s%d=1", prefix, i))
		}
		return strings.Join(members, ",")
	}
	z256, long := strings.Repeat("z", 256), strings.Repeat("v", 256)
	for name, test := range map[string]struct {
		lines      []string
		read, told string // told: "" as read
	}{
		"one":                               {lines: []string{"a=1"}, read: "a=1"},
		"several lines":                     {lines: []string{"a=1,b=2", "c=3"}, read: "a=1,b=2,c=3"},
		"white space":                       {lines: []string{" a=1 \t,\tb= 2\t"}, read: "a=1,b= 2"},
		"members that are empty":            {lines: []string{"a=1,,b=2, ,", ""}, read: "a=1,b=2"},
		"nothing else":                      {lines: []string{" ,\t, "}},
		"a key twice":                       {lines: []string{"foo=1,foo=2"}, read: "foo=1"},
		"a member twice":                    {lines: []string{"foo=1,foo=1"}, read: "foo=1"},
		"a key in two lines":                {lines: []string{"a=1,b=1", "a=2,ot=th:8"}, read: "a=1,b=1,ot=th:8"},
		"ot twice":                          {lines: []string{"ot=th:8,ot=th:4"}, read: "ot=th:8"},
		"a tenant":                          {lines: []string{"0t@s=1"}, read: "0t@s=1"},
		"an @ at the end":                   {lines: []string{"foo@=1,bar=2"}, read: "bar=2", told: "foo@=1,bar=2"},
		"two of them":                       {lines: []string{"a=1,foo@@bar=1,ot=th:8"}, read: "a=1,ot=th:8", told: "a=1,foo@@bar=1,ot=th:8"},
		"two apart":                         {lines: []string{"bar=2,foo@bar@baz=1"}, read: "bar=2", told: "bar=2,foo@bar@baz=1"},
		"a digit at the beginning":          {lines: []string{"1=1, 2b=2"}, told: "1=1,2b=2"},
		"a digit after the @":               {lines: []string{"a=1", "t@1=1", "b=2"}, read: "a=1,b=2", told: "a=1,t@1=1,b=2"},
		"such a key twice":                  {lines: []string{"1=1,1=2"}, told: "1=1"},
		"a long system":                     {lines: []string{"t@" + strings.Repeat("v", 15) + "=1"}, told: "t@" + strings.Repeat("v", 15) + "=1"},
		"a long tenant":                     {lines: []string{strings.Repeat("t", 242) + "@v=1"}, told: strings.Repeat("t", 242) + "@v=1"},
		"a long key":                        {lines: []string{"a=1," + z256 + "=1"}, read: "a=1," + z256 + "=1"},
		"too long a key":                    {lines: []string{"a=1," + z256 + "z=1"}},
		"a long value":                      {lines: []string{"a=" + long}, read: "a=" + long},
		"too long a value":                  {lines: []string{"b=1,a=v" + long}},
		"too long for others":               {lines: []string{"a@=" + long + ",b@=" + long + ",c@=1"}, told: "a@=" + long + ",c@=1"},
		"an @ at the beginning":             {lines: []string{"@foo=1,bar=2"}},
		"no value":                          {lines: []string{"foo=,bar=3"}},
		"no key":                            {lines: []string{"=1,bar=3"}},
		"neither":                           {lines: []string{"foo,bar=3"}},
		"a capital":                         {lines: []string{"Foo=1,bar=3"}},
		"a blank before =":                  {lines: []string{"foo =1"}},
		"= in a value":                      {lines: []string{"foo=bar=baz"}},
		"a control":                         {lines: []string{"foo=b\tr"}},
		"no ASCII":                          {lines: []string{"foo=ü"}},
		"as many as there can be":           {lines: []string{numbered(32, "k")}, read: numbered(32, "k")},
		"as many, of which some are unread": {lines: []string{numbered(16, "k"), numbered(16, "0")}, read: numbered(16, "k"), told: numbered(16, "k") + "," + numbered(16, "0")},
		"too many":                          {lines: []string{numbered(33, "k")}},
		"too many, of which one is unread":  {lines: []string{numbered(32, "k"), "0=1"}},
	} {
		t.Run(name, func(t *testing.T) {
			if test.told == "" {
				test.told = test.read
			}
			read, told := stateOf(t, test.lines...)
			if diff := cmp.Diff([]string{test.read, test.told}, []string{read, told}); diff != "" {
				t.Errorf("what is read and told (-want +got):\n%s", diff)
			}
		})
	}
}

// What is told may have changed since.
func TestRejoin(t *testing.T) {
	for name, test := range map[string]struct{ told, came, want string }{
		"ot went":               {"a=1,b=1", "1@=1,ot=th:8,a=1,2@=1,b=1", "1@=1,a=1,2@=1,b=1"},
		"ot is new":             {"ot=th:0,a=1", "1@=1,a=1,2@=1", "ot=th:0,1@=1,a=1,2@=1"},
		"ot has another value":  {"ot=th:0,a=1", "1@=1,a=1,2@=1,ot=th:8", "ot=th:0,1@=1,a=1,2@=1"},
		"ot went to the front":  {"ot=th:0,a=1", "1@=1,a=1,2@=1,ot=th:0", "1@=1,2@=1,ot=th:0,a=1"},
		"others went":           {"", "a=1,1@=1,b=1", "1@=1"},
		"others leave no room":  {"a=" + strings.Repeat("v", 250) + ",b=" + strings.Repeat("v", 250), "1@=123,a=1,2@=1", "a=" + strings.Repeat("v", 250) + ",b=" + strings.Repeat("v", 250) + ",1@=123"},
		"ot makes one too many": {"ot=th:0" + strings.Repeat(",a=1", 30), "1@=1,2@=1", "ot=th:0" + strings.Repeat(",a=1", 30) + ",1@=1"},
	} {
		if got := tracecontext.Rejoin(test.told, strings.Split(test.came, ",")); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// FuzzState holds, whatever a caller sends, that what OpenTelemetry's parser reads is
// read as that does, that all told is of the caller, in order and once, and within
// bounds, and that it is read again as what it is.
func FuzzState(f *testing.F) {
	for _, list := range []string{"a=1,b=2", "a=1,,a=2", "foo@=1,ot=th:8", "1=1,1=2", "@a=1", strings.Repeat("a@=1,", 40), strings.Repeat("=", 300), "\x00", "a=b=c", " a= \tb,"} {
		f.Add(list, "")
		f.Add("z=1", list)
	}
	f.Fuzz(func(t *testing.T, line, next string) {
		read, told := stateOf(t, line, next)
		all := line + "," + next
		if stock, err := trace.ParseTraceState(all); err == nil && !strings.Contains(all, "\n") && read != stock.String() {
			t.Errorf("%q: read %q, want %q", all, read, stock)
		}
		if read == told {
			return
		}
		if len(told) > tracecontext.LongestState && len(told) > len(read) || strings.Count(told, ",") >= 32 {
			t.Errorf("%q: told %d characters", all, len(told))
		}
		if again, same := stateOf(t, told); again != read || same != told {
			t.Errorf("%q: %q and %q, and then %q and %q", all, read, told, again, same)
		}
		keys := make(map[string]bool)
		came := strings.Split(all, ",")
		for member := range strings.SplitSeq(told, ",") {
			i := slices.IndexFunc(came, func(other string) bool { return strings.Trim(other, " \t\r\n") == member })
			key, _, _ := strings.Cut(member, "=")
			if i < 0 || keys[key] {
				t.Fatalf("%q: told %q", all, told)
			}
			came, keys[key] = came[i+1:], true
		}
	})
}
