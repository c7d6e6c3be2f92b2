package handler

import (
	"errors"
	"io"
	"net/http"
	"regexp"
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
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+prefix+"/live", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, nil)
	})
	mux.HandleFunc("GET "+prefix+"/ready", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, ready())
	})
	return Link{Name: "admin", Wrap: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if path := r.URL.Path; len(path) >= len(prefix) && path[:len(prefix)] == prefix &&
				(len(path) == len(prefix) || path[len(prefix)] == '/') {
				mux.ServeHTTP(w, r)
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
