package wiretest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

var ports struct {
	sync.Mutex
	given map[int]bool
}

// FreePort returns a port on which nobody listens, and that it has not returned
// before. It is none of those that systems give to whoever asks for any: such a one
// could be somebody else's by the time when it is used.
func FreePort(t testing.TB) string {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	for range 1000 {
		port := 10_000 + rand.IntN(20_000)
		ln, err := net.Listen("tcp", ":"+strconv.Itoa(port))
		if err != nil {
			continue
		}
		ln.Close()
		if ports.given[port] {
			continue
		}
		if ports.given == nil {
			ports.given = map[int]bool{}
		}
		ports.given[port] = true
		return strconv.Itoa(port)
	}
	t.Fatal("no port is free")
	return ""
}
