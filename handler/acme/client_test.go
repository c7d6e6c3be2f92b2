package acme

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/certificate"
)

// run runs a client for cfg until the test, or the function returned, ends it. Its
// hooks' words go into the channel.
func run(t testing.TB, cfg Config, with ...func(*Client)) (c *Client, orders chan Order, stop func()) {
	t.Helper()
	orders = make(chan Order, 1000)
	c, err := New(&cfg, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range with {
		f(c)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		c.Run(ctx, Hooks{
			Ordered: func(o Order) { orders <- o },
			State:   func(key string, err error) { t.Logf("state %s: %v", key, err) },
		})
	})
	stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(stop)
	return c, orders, stop
}

// by has a believe only what its client proves.
func by(a *authority) func(*Client) {
	return func(c *Client) { a.set(func() { a.client = c }) }
}

// next returns the next order that ends.
func next(t testing.TB, orders <-chan Order) Order {
	t.Helper()
	select {
	case o := <-orders:
		return o
	case <-time.After(20 * time.Second):
		t.Fatal("no order ends")
		panic("")
	}
}

func shown(t testing.TB, c *Client, name string) string {
	t.Helper()
	pair, err := c.For(&tls.ClientHelloInfo{ServerName: name})
	if err != nil {
		return err.Error()
	}
	return certificate.Of(pair.Leaf).Fingerprint
}

func TestIssues(t *testing.T) {
	t.Parallel()
	for way, offers := range map[string][]string{
		"http-01":     {"http-01", "tls-alpn-01"},
		"tls-alpn-01": {"dns-01", "tls-alpn-01"},
	} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			a := newAuthority(t)
			a.offers = offers
			cfg := a.config("a.example")
			c, orders, stop := run(t, cfg, by(a))
			o := next(t, orders)
			if o.Err != nil || o.Challenge != way || o.Renewal || o.Certificate.Name != "a.example" || !strings.Contains(o.Certificate.Issuer, "test authority") {
				t.Fatalf("%+v", o)
			}
			first := o.Certificate.Fingerprint
			if got := shown(t, c, "A.Example."); got != first {
				t.Error(got)
			}
			if pair, err := c.Any(); err != nil || certificate.Of(pair.Leaf).Fingerprint != first {
				t.Error("without a name:", pair, err)
			}
			if pair, err := c.For(&tls.ClientHelloInfo{ServerName: "b.example"}); pair != nil || err != nil {
				t.Error("for another name:", pair, err)
			}
			stop()

			// Once more, with what is left.
			placed := a.count("neworder")
			again, err := New(&cfg, true)
			if err != nil {
				t.Fatal(err)
			}
			if got := shown(t, again, "a.example"); got != first || a.count("neworder") != placed {
				t.Errorf("after a restart: %s", got)
			}
			if diff := cmp.Diff([]certificate.Info{o.Certificate}, again.Certificates()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// All that is in the directory is for its owner.
func TestModes(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cfg := a.config("a.example")
	cfg.Dir = filepath.Join(cfg.Dir, "made")
	_, orders, _ := run(t, cfg, by(a))
	if o := next(t, orders); o.Err != nil {
		t.Fatal(o.Err)
	}
	files := 0
	filepath.WalkDir(cfg.Dir, func(path string, entry os.DirEntry, _ error) error {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v", path, info.Mode())
		}
		if !entry.IsDir() {
			files++
		}
		return nil
	})
	if files == 0 {
		t.Error("there are no files")
	}
}

func TestRenews(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	a.life = 5 * time.Second
	c, orders, _ := run(t, a.config("a.example"), by(a))
	first := next(t, orders)
	second := next(t, orders)
	if second.Err != nil || !second.Renewal || second.Certificate.Fingerprint == first.Certificate.Fingerprint || !second.Began.Before(first.Certificate.NotAfter) {
		t.Fatalf("%+v", second)
	}
	if got := shown(t, c, "a.example"); got != second.Certificate.Fingerprint {
		t.Error(got)
	}
}

// What goes wrong at the authority, and what an order makes of it.
func TestFaults(t *testing.T) {
	t.Parallel()
	type answer = func(w http.ResponseWriter, r *http.Request, count int) bool
	at := func(path string, until int, what func(w http.ResponseWriter)) answer {
		return func(w http.ResponseWriter, r *http.Request, count int) bool {
			if !strings.HasPrefix(r.URL.Path, "/"+path) || count > until {
				return false
			}
			what(w)
			return true
		}
	}
	text := func(status int, body string) func(w http.ResponseWriter) {
		return func(w http.ResponseWriter) { w.WriteHeader(status); fmt.Fprint(w, body) }
	}
	for name, test := range map[string]struct {
		answer answer
		fail   string // what the first order says; empty: it goes well
		kind   string
	}{
		"nonces refused":          {at("neworder", 5, func(w http.ResponseWriter) { problem(w, 400, "badNonce") }), "", ""},
		"an error":                {at("neworder", 1, text(500, "oops")), "", ""},
		"errors":                  {at("neworder", 6, text(502, "oops")), "HTTP 502", "malformed_response"},
		"down":                    {at("directory", 3, func(w http.ResponseWriter) { panic(http.ErrAbortHandler) }), "EOF", "connection_reset"},
		"no directory":            {at("directory", 1, text(200, "<html>")), "text/html", "malformed_response"},
		"empty directory":         {at("directory", 1, func(w http.ResponseWriter) { reply(w, 200, struct{}{}) }), "fields are missing", "malformed_response"},
		"endless answer":          {at("neworder", 1, func(w http.ResponseWriter) { w.Write(make([]byte, 2<<20)) }), "too long", "malformed_response"},
		"name refused":            {at("neworder", 1, func(w http.ResponseWriter) { problem(w, 400, "rejectedIdentifier") }), "rejectedIdentifier", "rejectedIdentifier"},
		"unknown problem":         {at("neworder", 1, func(w http.ResponseWriter) { problem(w, 400, "x-"+strings.Repeat("y", 20)) }), "this is a test", "_OTHER"},
		"account forgotten":       {at("neworder", 1, func(w http.ResponseWriter) { problem(w, 400, "accountDoesNotExist") }), "accountDoesNotExist", "accountDoesNotExist"},
		"existing accounts found": {at("account", 1, func(w http.ResponseWriter) { problem(w, 403, "unauthorized") }), "", ""},
		"certificate is none":     {at("certificate", 1, func(w http.ResponseWriter) { pemChain(w, "nonsense") }), "of no use", "malformed_response"},
		"finalizing refused":      {at("finalize", 1, func(w http.ResponseWriter) { problem(w, 400, "badCSR") }), "badCSR", "badCSR"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAuthority(t)
			a.Config.ErrorLog = nil
			a.set(func() { a.answer = test.answer })
			_, orders, _ := run(t, a.config("a.example"), by(a))
			o := next(t, orders)
			if test.fail == "" && o.Err != nil || test.fail != "" && (o.Err == nil || !strings.Contains(o.Err.Error(), test.fail)) {
				t.Fatalf("got %v, want %q", o.Err, test.fail)
			}
			for o.Err != nil {
				if test.kind != "" && o.ErrorType() != test.kind {
					t.Errorf("error.type is %s of %v", o.ErrorType(), o.Err)
				}
				o = next(t, orders)
			}
		})
	}
}

func pemChain(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/pem-certificate-chain")
	fmt.Fprint(w, text)
}

// While the authority fails the old certificate is shown, even after its time.
func TestKeepsTheOldOne(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	a.life = 2 * time.Second
	c, orders, _ := run(t, a.config("a.example"), by(a))
	first := next(t, orders).Certificate
	a.set(func() {
		a.answer = func(w http.ResponseWriter, r *http.Request, count int) bool {
			problem(w, 500, "serverInternal")
			return true
		}
	})
	for time.Now().Before(first.NotAfter) {
		if o := next(t, orders); o.Err == nil || !o.Renewal || o.Next.Before(o.Ended) {
			t.Fatalf("%+v", o)
		}
		if got := shown(t, c, "a.example"); got != first.Fingerprint {
			t.Fatal(got)
		}
	}
	a.set(func() { a.answer = nil })
	o := next(t, orders)
	for o.Err != nil {
		o = next(t, orders)
	}
	if got := shown(t, c, "a.example"); got != o.Certificate.Fingerprint {
		t.Error(got)
	}
}

// Where one way of proving a name fails the other one is tried, each once.
func TestOtherWay(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cfg := a.config("a.example")
	another, err := New(&cfg, true)
	if err != nil {
		t.Fatal(err)
	}
	by(a)(another) // which knows nothing of the order
	c, orders, _ := run(t, a.config("a.example"))
	o := next(t, orders)
	if problem, _ := problemOf(o.Err); o.Err == nil || problem.Type != "urn:ietf:params:acme:error:connection" || a.count("neworder") != 2 {
		t.Fatalf("%v, %d orders", o.Err, a.count("neworder"))
	}
	if got := shown(t, c, "a.example"); !strings.Contains(got, "http-01") || !strings.Contains(got, "tls-alpn-01") {
		t.Error(got)
	}
}
