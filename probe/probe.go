// Package probe answers: is this backend fit to serve?
//
// A [Check] asks once. A [Watcher] asks again and again, by a timer or when
// requests come by, and reports each answer, and whether it changes the verdict.
package probe

import (
	"context"
	"net/url"
)

// Check asks the backend at u once, within ctx. A nil error means that it is
// fit to serve. Checks are safe for concurrent use. The errors of those in this
// package name what was asked; a method ErrorType() string in their chain, if
// there is one, names the kind of failure in a word that telemetry can use. One
// that is "overloaded" tells nothing about the backend: nobody could ask.
type Check func(ctx context.Context, u *url.URL) error

// userAgent tells probes from traffic in a backend's log.
const userAgent = "spangate-probe"

// exhausted is the kind of failure that says nothing about the backend, as this
// process or its host lacked what a connection takes.
const exhausted = "overloaded"

// failure is an error of a kind.
type failure struct {
	kind string
	err  error
}

func (f *failure) Error() string     { return f.err.Error() }
func (f *failure) Unwrap() error     { return f.err }
func (f *failure) ErrorType() string { return f.kind }
