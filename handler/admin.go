package handler

import (
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
)

// AdminPrefix is the path under which the proxy answers itself: one or more
// segments of letters, digits, dots, dashes and underscores, each after a slash.
type AdminPrefix string

var adminPrefix = regexp.MustCompile(`^(/[A-Za-z0-9._-]+)+$`)

// UnmarshalText parses a prefix.
func (p *AdminPrefix) UnmarshalText(text []byte) error {
	if !adminPrefix.Match(text) {
		return errors.New("must be a path such as /.spangate, of letters, digits, dots, dashes and underscores")
	}
	*p = AdminPrefix(text)
	return nil
}

// Admin returns a link that answers the proxy's own endpoints below a prefix:
//
//	live   200 while the process serves; never depends on backends
//	ready  200, or 503 with the text of the error that ready returns
//
// Other paths below it are 404: they never reach a backend.
func Admin(under AdminPrefix, ready func() error) Link {
	prefix := string(under)
	own := func(w http.ResponseWriter, r *http.Request, name string) {
		switch {
		case name != "/live" && name != "/ready":
			http.NotFound(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		case name == "/ready":
			answer(w, ready())
		default:
			answer(w, nil)
		}
	}
	return Link{Name: "admin", Wrap: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if name, ok := strings.CutPrefix(r.URL.Path, prefix); ok && (name == "" || name[0] == '/') {
				own(w, r, name)
				return
			}
			next.ServeHTTP(w, r)
		})
	}}
}

func answer(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, err.Error()+"\n")
		return
	}
	io.WriteString(w, "ok\n")
}
