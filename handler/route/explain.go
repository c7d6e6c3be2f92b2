package route

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"spangate/handler"
	"spangate/handler/config"
	"spangate/handler/fault"
	"spangate/handler/field"
	"spangate/handler/rewrite"
	"spangate/handler/route/match"
	"spangate/policy"
)

// usage is what is said of arguments that are none.
const usage = `route: write it like this: spangate route 'POST https://shop.example.com/cart' -H 'X-Beta: 1' --client 192.0.2.1`

// question is a request of which somebody wants to know where it would go.
type question struct {
	method, target string
	url            *url.URL
	header         http.Header
	client         netip.Addr
}

// newQuestion reads a question from arguments.
func newQuestion(args []string) (*question, error) {
	q := &question{method: http.MethodGet, header: http.Header{}, client: netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "-H" && len(args) > 0:
			name, value, ok := strings.Cut(args[0], ":")
			value = textproto.TrimString(value)
			if !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
				return nil, config.Faults{fmt.Sprintf("route: -H %.100q must be a field, such as 'X-Beta: 1'", args[0])}
			}
			q.header.Add(name, value)
			args = args[1:]
		case arg == "--client" && len(args) > 0:
			addr, err := netip.ParseAddr(args[0])
			if err != nil {
				return nil, config.Faults{fmt.Sprintf("route: --client %.100q must be an address, such as 192.0.2.1", args[0])}
			}
			q.client, args = addr.Unmap(), args[1:]
		case q.url != nil || strings.HasPrefix(arg, "-"):
			return nil, config.Faults{usage}
		default:
			if err := q.ask(arg); err != nil {
				return nil, err
			}
		}
	}
	if q.url == nil {
		return nil, config.Faults{usage}
	}
	return q, nil
}

// ask reads [METHOD ]URL.
func (q *question) ask(text string) error {
	target := text
	if method, behind, ok := strings.Cut(text, " "); ok {
		q.method, target = method, behind
	}
	if strings.HasPrefix(target, "/") {
		target = "http://localhost" + target
	}
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return config.Faults{fmt.Sprintf("route: %.200q must be a URL of http or https, or a path, with a method before it if that is not GET", text)}
	}
	if u.User != nil { // it may hold a password
		return config.Faults{"route: the URL has a user in it, which no request may have"}
	}
	q.url = u
	q.target = u.EscapedPath() // as it was written, where that is a valid spelling
	if q.target == "" {
		q.target = "/"
	}
	if u.RawQuery != "" || u.ForceQuery {
		q.target += "?" + u.RawQuery
	}
	return nil
}

// request returns the request as the server would have it.
func (q *question) request() (*http.Request, error) {
	u, err := url.ParseRequestURI(q.target)
	if err != nil {
		return nil, err
	}
	r := &http.Request{
		Method: q.method, URL: u, RequestURI: q.target, Host: q.url.Host, Header: q.header.Clone(),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody,
		RemoteAddr: netip.AddrPortFrom(q.client, 12345).String(),
	}
	if q.url.Scheme == "https" {
		r.TLS = &tls.ConnectionState{HandshakeComplete: true}
	}
	return r, nil
}

// Explain writes which route takes a request, what its backend would get or its client,
// which variables hold there, by holds, and why each other route does not take it.
// Nothing is started, and nobody asked. args are [METHOD ]URL, of which the URL can be a
// path alone, and then fields as -H 'Name: value', and --client ADDRESS. The error is
// [config.Faults].
func Explain(args []string, cfg *Config, routes *Routes, origin handler.Origin, holds func(name string) error, stdout io.Writer) error {
	q, err := newQuestion(args)
	if err != nil {
		return err
	}
	if len(routes.Each) == 0 {
		return config.Faults{"route: there are no routes: ROUTES is not set, and BACKENDS takes all requests"}
	}
	r, err := q.request()
	if err != nil {
		return err
	}
	rest := len(cfg.Balancer.Backends) > 0
	rules, err := compile(cfg, routes.Each, rest)
	if err != nil {
		return err
	}
	t := &Table{rules: rules, rest: rest}
	for i := range routes.Each {
		t.routes = append(t.routes, &Route{permits: policy.Permits(routes.Each[i].Policy.CORS)})
	}
	if rest {
		t.routes = append(t.routes, &Route{permits: policy.Permits(cfg.Policy.CORS)})
	}
	handler.Identify(origin)(t.Match(http.HandlerFunc(func(_ http.ResponseWriter, found *http.Request) { r = found }))).ServeHTTP(nil, r)
	client, m := handler.ClientOf(r), match.Of(r.Context())
	fmt.Fprintf(stdout, "%s %s://%s%s, from %v\n\n", r.Method, client.Scheme, client.Host, q.target, client.Addr)
	for _, v := range rules.Explain(r, r.Host, client.NamedAddr()) {
		why := v.Why
		if why == "" {
			why = "takes it"
		}
		fmt.Fprintf(stdout, "  %s (%s): %s\n", v.Name, v.Pattern, why)
	}
	fmt.Fprintln(stdout)
	switch {
	case m.Ambiguous:
		_, err = fmt.Fprintf(stdout, "400: %s\n", rules.Ambiguity(r, r.Host, client.NamedAddr()))
		return err
	case m.Route < 0 && m.Allow != "":
		_, err = fmt.Fprintf(stdout, "405: it would be taken with %s\n", m.Allow)
		return err
	case m.Route < 0:
		_, err = fmt.Fprintln(stdout, "404: no route takes it, and there is no BACKENDS for the rest")
		return err
	case m.Route == len(routes.Each):
		explained(&Named{One: config.One{Name: Default}, Config: *cfg}, routes, r, stdout)
		fmt.Fprintln(stdout)
		return holds("")
	}
	n := &routes.Each[m.Route]
	explained(n.behind(routes.Each), routes, r, stdout)
	fmt.Fprintln(stdout)
	return holds(n.Name)
}

// explained writes what comes of r, which n's route takes, behind its doors.
func explained(n *Named, routes *Routes, r *http.Request, stdout io.Writer) {
	facts := rewrite.Facts{Route: n.Name, RequestID: string(n.Policy.RequestID.Header), Variable: variable}
	rewriter := rewrite.New(n.Rewrite, n.Path, facts)
	asked, answer := &backendOf{}, &answerOf{header: http.Header{}}
	answers := n.Action.Handler(facts, rewriter, onlyStatus)
	if answers == nil {
		answers = handler.Forward(rewriter.Over(asked), handler.ForwardConfig{Fields: field.NewSet(routes.Fields()...)})
	}
	answers.ServeHTTP(answer, r)
	if asked.request == nil {
		fmt.Fprintf(stdout, "%s answers, once its doors let the request in: %d\n", n.Name, answer.status)
		writeHeader(stdout, answer.header)
		fmt.Fprintf(stdout, "\n%s\n", handler.Visible(answer.body.Bytes()))
		return
	}
	out := asked.request
	fmt.Fprintf(stdout, "%s sends, once its doors let the request in, to %s:\n\n  %s %s\n", n.Name, strings.Join(n.Balancer.Backends.Names(), ", "), out.Method, out.URL.RequestURI())
	writeHeader(stdout, out.Header)
	if n.Canary.Backends != nil {
		fmt.Fprintf(stdout, "\n%s of such requests to %s\n", percent(float64(n.Canary.Share)), strings.Join(n.Canary.Backends.Names(), ", "))
	}
	if n.Mirror.Backends != nil {
		fmt.Fprintf(stdout, "\na copy of %s of such requests to %s\n", percent(float64(n.Mirror.Share)), strings.Join(n.Mirror.Backends.Names(), ", "))
	}
}

// onlyStatus answers what is refused.
func onlyStatus(w http.ResponseWriter, _ *http.Request, why fault.Refusal) { w.WriteHeader(why.Status) }

func percent(share float64) string { return fmt.Sprintf("%g %%", share*100) }

func writeHeader(w io.Writer, header http.Header) {
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			fmt.Fprintf(w, "  %s: %s\n", name, handler.Visible([]byte(value)))
		}
	}
}

// backendOf keeps the request that a backend would get.
type backendOf struct{ request *http.Request }

var errNotSent = errors.New("nothing is sent")

// RoundTrip implements [http.RoundTripper].
func (b *backendOf) RoundTrip(r *http.Request) (*http.Response, error) {
	b.request = r
	return nil, errNotSent
}

// answerOf keeps the answer that a client would get.
type answerOf struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answerOf) Header() http.Header { return a.header }

func (a *answerOf) WriteHeader(status int) { a.status = status }

func (a *answerOf) Write(p []byte) (int, error) { return a.body.Write(p) }
