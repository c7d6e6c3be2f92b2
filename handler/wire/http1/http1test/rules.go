// Package http1test answers: how is a message of HTTP/1.1 to be taken, whoever reads
// it? It is for tests alone.
package http1test

// A Rule of framing: what comes, and what goes on or why nothing does. Sections are
// of RFC 9112, or of RFC 9110 where they say so.
type Rule struct{ Section, Name, In, Out string }

// Next stands in what goes on between what is read and what is left.
const Next = " <rest> "

// HeadLimit is how many bytes a head may have.
const HeadLimit = 16 << 10

const (
	ok      = "HTTP/1.1 200 OK\r\n"
	get     = "GET / HTTP/1.1\r\nHost: a\r\n"
	post    = "POST / HTTP/1.1\r\nHost: a\r\n"
	chunked = "Transfer-Encoding: chunked\r\n"
	closes  = "Connection: close\r\n"
	hello   = post + chunked + "\r\n5\r\nhello\r\n0\r\n\r\n"
	last    = "\r\n0\r\n\r\n" // ends a chunk and the content
)
