package policy

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"

	"spangate/handler"
	"spangate/handler/fault"
	"spangate/handler/field"
)

// CORS returns a wrapper that lets pages of other origins use what is behind
// it, by the CORS protocol of the Fetch standard
// (https://fetch.spec.whatwg.org/#http-cors-protocol), or nil when cfg names no
// origin. cfg must be what [Config.Check] finds nothing wrong with.
//
// Preflights are answered here: with 204, or through refuse with 403 and the
// reason origin, method, header, private_network or malformed. Either status is
// the same to a page, because what counts are the fields, and a refusal has
// none of them; 403 says it to everybody else too. A preflight of which the
// browser would refuse any part is refused as a whole.
//
// Every other request goes on. Its response tells the browser to show it to the
// page if both its origin and its method are allowed, whatever becomes of the
// request: the fields are set beforehand, and those that must not be in the
// response are forbidden, whatever is behind sets.
func CORS(cfg CORSConfig, refuse Refuse) func(http.Handler) http.Handler {
	if len(cfg.Origins) == 0 {
		return nil
	}
	c := newCORS(cfg)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer := handler.AnswerOf(r)
			if !isPreflight(r) {
				c.share(answer, r)
				next.ServeHTTP(w, r)
				return
			}
			answer.Vary(varyPreflight...)
			if reason := c.refusal(r.Header); reason != "" {
				refuse(w, r, fault.Refusal{Policy: "cors", Reason: reason, Status: http.StatusForbidden, Detail: corsDetails[reason]})
				return
			}
			answer.Apply(w.Header())
			c.permit(w.Header(), r.Header)
			w.WriteHeader(http.StatusNoContent)
		})
	}
}

// Permits returns what reports whether [CORS] allows what a preflight asks for, of which
// it has the header; nil where it answers none.
func Permits(cfg CORSConfig) func(preflight http.Header) bool {
	if len(cfg.Origins) == 0 {
		return nil
	}
	made := sync.OnceValue(func() *cors { return newCORS(cfg) }) // few tables ask
	return func(preflight http.Header) bool { return made().refusal(preflight) == "" }
}

// corsDetails has a sentence for each reason to refuse a preflight.
var corsDetails = map[string]string{
	"origin":          "Pages of this origin may not send such requests here.",
	"method":          "Pages of other origins may not use this method here.",
	"header":          "Pages of other origins may not send one of these header fields here.",
	"private_network": "Pages of public sites may not send requests into this network.",
	"malformed":       "This is not a preflight as browsers send it.",
}

// The fields of a request.
const (
	requestOrigin         = "Origin"
	requestMethod         = "Access-Control-Request-Method"
	requestHeaders        = "Access-Control-Request-Headers"
	requestPrivateNetwork = "Access-Control-Request-Private-Network"
)

// The fields of a response.
const (
	allowOrigin         = "Access-Control-Allow-Origin"
	allowCredentials    = "Access-Control-Allow-Credentials"
	allowMethods        = "Access-Control-Allow-Methods"
	allowHeaders        = "Access-Control-Allow-Headers"
	allowPrivateNetwork = "Access-Control-Allow-Private-Network"
	exposeHeaders       = "Access-Control-Expose-Headers"
	maxAge              = "Access-Control-Max-Age"
)

var corsFields = []string{allowOrigin, allowCredentials, allowMethods, allowHeaders, allowPrivateNetwork, exposeHeaders, maxAge}

// cors holds what never changes of the responses as values of header fields,
// which no one may change in place.
type cors struct {
	origins        *originSet
	methods        CORSMethods
	headers        *requestHeaderSet
	privateNetwork bool

	allowCredentials, allowMethods, allowHeaders, exposeHeaders, maxAge []string // nil: not sent
}

var (
	fieldAny      = []string{"*"}
	fieldTrue     = []string{"true"}
	varyOrigin    = []string{requestOrigin}
	varyPreflight = []string{strings.Join([]string{requestOrigin, requestMethod, requestHeaders, requestPrivateNetwork}, ", ")}
)

func newCORS(cfg CORSConfig) *cors {
	list := func(values []string) []string {
		if len(values) == 0 {
			return nil
		}
		return []string{strings.Join(values, ",")}
	}
	c := &cors{
		origins: newOriginSet(cfg.Origins), methods: cfg.methods(), headers: newRequestHeaderSet(cfg.headers()),
		privateNetwork: cfg.AllowPrivateNetwork,
		allowMethods:   list(cfg.methods()), allowHeaders: list(cfg.headers()), exposeHeaders: list(cfg.Exposed),
		maxAge: []string{strconv.FormatInt(int64(cfg.MaxAge/time.Second), 10)},
	}
	if cfg.AllowCredentials {
		c.allowCredentials = fieldTrue
	}
	return c
}

// isPreflight reports whether r only asks whether another request may be sent.
// https://fetch.spec.whatwg.org/#cors-preflight-request
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && len(r.Header[requestOrigin]) > 0 && len(r.Header[requestMethod]) > 0
}

// refusal returns the reason to refuse a preflight, or "". It asks in the order
// in which the browser does, https://fetch.spec.whatwg.org/#cors-preflight-fetch.
func (c *cors) refusal(preflight http.Header) string {
	origin, method := preflight[requestOrigin], preflight[requestMethod]
	switch {
	case len(origin) != 1 || len(method) != 1 || !httpguts.ValidHeaderFieldName(method[0]): // a token, as methods are
		return "malformed"
	case !c.origins.contains(origin[0]):
		return "origin"
	case !c.privateNetwork && asksPrivateNetwork(preflight):
		return "private_network"
	case !c.methods.allow(method[0]):
		return "method"
	}
	return c.headers.refusal(preflight[requestHeaders])
}

// permit fills the header of the answer to a preflight that is not refused.
func (c *cors) permit(header, preflight http.Header) {
	header[allowOrigin] = preflight[requestOrigin]
	if c.origins.any {
		header[allowOrigin] = fieldAny
	}
	header[allowMethods] = c.allowMethods
	header[maxAge] = c.maxAge
	if c.allowCredentials != nil {
		header[allowCredentials] = c.allowCredentials
	}
	if c.allowHeaders != nil {
		header[allowHeaders] = c.allowHeaders
	}
	if asksPrivateNetwork(preflight) {
		header[allowPrivateNetwork] = fieldTrue
	}
}

// asksPrivateNetwork reports whether a page of a public site wants to send a
// request into a private network: https://wicg.github.io/private-network-access.
// Browsers have left that draft for a question to the user; some still ask.
func asksPrivateNetwork(preflight http.Header) bool {
	return slices.Contains(preflight[requestPrivateNetwork], "true")
}

// share says what the response to any other request than a preflight has.
func (c *cors) share(answer *field.Answer, r *http.Request) {
	answer.Forbid(corsFields...)
	origin := fieldAny
	if !c.origins.any {
		// Even if there is no Origin: a cache must not keep that response for those
		// who send one. https://fetch.spec.whatwg.org/#cors-protocol-and-http-caches
		answer.Vary(varyOrigin...)
		if origin = r.Header[requestOrigin]; len(origin) != 1 || !c.origins.contains(origin[0]) {
			return
		}
	}
	if !c.methods.allow(r.Method) {
		return
	}
	answer.Set(allowOrigin, origin...)
	if c.allowCredentials != nil {
		answer.Set(allowCredentials, c.allowCredentials...)
	}
	if c.exposeHeaders != nil {
		answer.Set(exposeHeaders, c.exposeHeaders...)
	}
}
