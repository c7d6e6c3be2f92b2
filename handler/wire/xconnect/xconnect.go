// Package xconnect answers: how is a WebSocket over HTTP/2 made possible (RFC 8441)?
//
// net/http's server offers extended CONNECT only where GODEBUG has http2xconnect=1
// when package net/http is initialised, and knows no other way. To import this
// package puts it there in time: as it imports next to nothing, it comes before
// net/http in the order that the language gives to packages, in which the one whose
// path is the first in the alphabet goes first among those that are ready, and
// net/http waits for packages below vendor/. Whoever sets http2xconnect in the
// environment has the last word.
package xconnect

import (
	"os"
	"strings"
)

const setting = "http2xconnect="

func init() {
	if settings := os.Getenv("GODEBUG"); !strings.Contains(settings, setting) {
		os.Setenv("GODEBUG", strings.TrimPrefix(settings+","+setting+"1", ","))
	}
}
