package conformance

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/summerwind/h2spec/config"
	"github.com/summerwind/h2spec/generic"
	"github.com/summerwind/h2spec/hpack"
	"github.com/summerwind/h2spec/http2"
	"github.com/summerwind/h2spec/spec"
)

// A deviation is how the program answers a case of h2spec in another way than that
// asks for, and why this is right or has to be.
type deviation struct{ answer, reason string }

// deviations are all of them, by the case's name. Each is net/http's own as well.
var deviations = map[string]deviation{
	"http2/6.5.3/1": {
		"Connection closed",
		"A frame that sets the same parameter twice is PROTOCOL_ERROR to net/http, which does not follow RFC 9113 section 6.5.3 in it.",
	},
	"http2/8.1.2.2/1": {
		"DATA Frame",
		"RFC 9113 section 8.1.1 lets a server answer a malformed request before it ends the stream: 400.",
	},
	"http2/8.1.2.2/2": {
		"DATA Frame",
		"As before.",
	},
}

// inTheClear are those that only a port without TLS has.
var inTheClear = map[string]deviation{
	"http2/3.5/2": {
		"Error: http2: failed reading the frame payload: unexpected EOF, note that the frame header looked like an HTTP/1.1 header",
		"The port is HTTP/1.1's as well, so that a line which is no preface is a request's, and a bad one: 400, and the connection is closed.",
	},
}

// TestH2spec plays a client that breaks each rule of HTTP/2 in turn.
func TestH2spec(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "hello")
	}))
	defer backend.Close()
	certificate, key := certificateFiles(t)
	for name, env := range map[string][]string{
		"h2c": nil,
		"TLS": {"TLS_CERT_FILE=" + certificate, "TLS_KEY_FILE=" + key},
	} {
		t.Run(name, func(t *testing.T) {
			p := startSpangate(t, append(env, "BACKENDS="+backend.URL)...)
			c := &config.Config{Host: "127.0.0.1", Port: int(p.port()), Path: "/", Timeout: 2 * time.Second, MaxHeaderLen: 4000, TLS: env != nil, Insecure: true}
			started := time.Now()
			var passed, failed atomic.Int64
			t.Cleanup(func() { summary.add(t.Name(), int(passed.Load()), int(failed.Load()), started) })
			each([]*spec.TestGroup{generic.Spec(), http2.Spec(), hpack.Spec()}, func(id string, test *spec.TestCase) {
				t.Run(id, func(t *testing.T) {
					t.Parallel()
					err := runCase(t, c, test)
					if err == nil {
						passed.Add(1)
					} else {
						failed.Add(1)
					}
					judge(t, id, c.TLS, test, err)
				})
			})
		})
	}
}

func runCase(t *testing.T, c *config.Config, test *spec.TestCase) error {
	t.Helper()
	conn, err := spec.Dial(c)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return test.Run(c, conn)
}

// judge says whether a case ended as it may: well, or as its deviation says.
func judge(t *testing.T, id string, overTLS bool, test *spec.TestCase, err error) {
	t.Helper()
	deviation, known := deviations[id]
	if in, is := inTheClear[id]; is && !overTLS {
		deviation, known = in, true
	}
	answer := fmt.Sprint(err)
	if e, ok := err.(*spec.TestError); ok {
		answer = e.Actual
	}
	switch {
	case err == nil && known:
		t.Errorf("%s: passes; take it off the list of deviations", test.Desc)
	case err != nil && !known:
		t.Errorf("%s: %s\n%v", test.Desc, test.Requirement, err)
	case err != nil && !strings.HasPrefix(answer, deviation.answer):
		t.Errorf("%s: answered with %q and no longer with %q", test.Desc, answer, deviation.answer)
	}
}

// each runs f for all cases, with their names for h2spec: the specification,
// the section in it and the number there.
func each(groups []*spec.TestGroup, f func(id string, test *spec.TestCase)) {
	for _, g := range groups {
		for i, test := range g.Tests {
			if !test.Strict { // a SHOULD
				f(fmt.Sprintf("%s/%d", g.ID(), i+1), test)
			}
		}
		each(g.Groups, f)
	}
}
