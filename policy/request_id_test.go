package policy_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"spangate/handler"
	"spangate/handler/field"
	"spangate/policy"
)

var uuid7 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// identify sends a request with ids in its header and returns what the next
// handler, the hook and the client get.
func identify(t testing.TB, ids []string) (passed []string, noted string, returned []string) {
	t.Helper()
	h := policy.RequestID(policy.RequestIDConfig{Header: "X-Request-Id"}, policy.Hooks{RequestID: func(_ context.Context, id string) { noted = id }})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		passed = r.Header["X-Request-Id"]
		handler.AnswerOf(r).Apply(w.Header())
		w.WriteHeader(http.StatusNoContent)
	}))
	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	if ids != nil {
		r.Header["X-Request-Id"] = ids
	}
	h.ServeHTTP(w, identified(r))
	return passed, noted, w.Result().Header["X-Request-Id"]
}

func TestRequestID(t *testing.T) {
	long := strings.Repeat("x", 128)
	for name, test := range map[string]struct {
		ids  []string
		keep bool
	}{
		"absent":           {},
		"a UUID":           {ids: []string{"0af76519-16cd-43dd-8448-eb211c80319c"}, keep: true},
		"base64":           {ids: []string{"aB+/9-_.~:@=="}, keep: true},
		"the longest":      {ids: []string{long}, keep: true},
		"too long":         {ids: []string{long + "x"}},
		"empty":            {ids: []string{""}},
		"two lines":        {ids: []string{"a", "b"}},
		"two alike":        {ids: []string{"a", "a"}},
		"no lines":         {ids: []string{}},
		"a list":           {ids: []string{"a, b"}},
		"white space":      {ids: []string{"a b"}},
		"a line break":     {ids: []string{"a\r\nX: y"}},
		"markup":           {ids: []string{"<script>"}},
		"a quote":          {ids: []string{`"}`}},
		"a shell's":        {ids: []string{"$(id)"}},
		"an escape":        {ids: []string{"\x1b[31m"}},
		"not ASCII":        {ids: []string{"idä"}},
		"a null character": {ids: []string{"a\x00"}},
	} {
		t.Run(name, func(t *testing.T) {
			passed, noted, returned := identify(t, test.ids)
			if len(passed) != 1 || passed[0] != noted || !slices.Equal(passed, returned) {
				t.Fatalf("passed on %q, noted %q, returned %q", passed, noted, returned)
			}
			if test.keep && noted != test.ids[0] || !test.keep && !uuid7.MatchString(noted) {
				t.Errorf("the id is %q", noted)
			}
		})
	}
}

func TestRequestIDsSortByTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ids []string
		for range 300 {
			_, id, _ := identify(t, nil)
			ids = append(ids, id)
			<-time.After(time.Millisecond)
		}
		if !slices.IsSorted(ids) || len(slices.Compact(ids)) != 300 {
			t.Error("ids do not sort by time, or repeat")
		}
		if ids[0][:13] != "00dc6acf-ac00" { // 2000-01-01, where time begins here
			t.Errorf("the first id is %s", ids[0])
		}
	})
}

func TestRequestIDHeader(t *testing.T) {
	for text, want := range map[string]string{"X-Request-ID": "X-Request-Id", "x-correlation-id": "X-Correlation-Id", "off": "", "Off": ""} {
		h := policy.RequestIDHeader("X")
		if err := h.UnmarshalText([]byte(text)); err != nil || string(h) != want {
			t.Errorf("%q: got %q, %v", text, h, err)
		}
	}
	for _, text := range []string{"", "X Id", "X-Id:", "ä", "Host", "connection", "Content-Length", "transfer-encoding", "Authorization", "Cookie", "via", "X-Forwarded-For", "User-Agent", "Accept", "ETag"} {
		var h policy.RequestIDHeader
		if err := h.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: got %q, want an error", text, h)
		}
	}
	if policy.RequestID(policy.RequestIDConfig{}, policy.Hooks{}) != nil {
		t.Error("no header is not off")
	}
}

func FuzzRequestID(f *testing.F) {
	f.Add("0af76519-16cd-43dd-8448-eb211c80319c")
	f.Add("a\r\nSet-Cookie: x")
	f.Add(strings.Repeat("=", 129))
	safe := regexp.MustCompile(`^[-._~:/+=@A-Za-z0-9]{1,128}$`)
	f.Fuzz(func(t *testing.T, id string) {
		passed, noted, returned := identify(t, []string{id})
		if len(passed) != 1 || len(returned) != 1 || passed[0] != noted || returned[0] != noted || !safe.MatchString(noted) {
			t.Errorf("%q: passed on %q, noted %q, returned %q", id, passed, noted, returned)
		}
		if safe.MatchString(id) != (noted == id) {
			t.Errorf("%q becomes %q", id, noted)
		}
	})
}

func BenchmarkRequestID(b *testing.B) {
	h := policy.RequestID(policy.RequestIDConfig{Header: "X-Request-Id"}, policy.Hooks{RequestID: func(context.Context, string) {}})(answering(http.StatusOK))
	for name, ids := range map[string][]string{"made": nil, "kept": {"0af76519-16cd-43dd-8448-eb211c80319c"}} {
		b.Run(name, func(b *testing.B) {
			w, r := httptest.NewRecorder(), identified(httptest.NewRequest("GET", "/", nil))
			b.ReportAllocs()
			for b.Loop() {
				r.Header["X-Request-Id"] = ids
				*handler.AnswerOf(r) = field.Answer{}
				h.ServeHTTP(w, r)
			}
		})
	}
}
