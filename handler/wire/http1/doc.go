// Package http1 answers: which bytes are a message of HTTP/1.1, and where does it
// end?
//
// RFC 9112 lets readers take some messages in two ways: both kinds of length
// (§6.1), folded lines (§5.2), lines that end in a bare LF or hold a bare CR (§2.2),
// sloppy chunks (§7.1). Where the other end takes them in the other way, a request or
// a response can be smuggled past a proxy. What is read here can be understood in one
// way only; anything else is an error of type [Malformed].
package http1

import "fmt"

// Malformed says what is wrong with a message.
type Malformed string

// Error implements error.
func (m Malformed) Error() string { return "malformed message: " + string(m) }

func malformed(format string, args ...any) error { return Malformed(fmt.Sprintf(format, args...)) }
