package wire_test

import (
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"spangate/handler/wire"
)

// Below TLS a write lasts as long as something of it is taken, and no longer than the
// deadline.
func TestSteadyConnections(t *testing.T) {
	for name, test := range map[string]struct {
		takes    int // bytes, one every 50 seconds
		deadline time.Duration
		fails    time.Duration // not before; 0: never
	}{
		"all of it, slowly":          {20, 0, 0},
		"some of it":                 {7, 0, 7*50*time.Second + time.Minute},
		"nothing":                    {0, 0, time.Minute},
		"a deadline":                 {20, 65 * time.Second, 65 * time.Second},
		"one that is never reached":  {20, time.Hour, 0},
		"one that has passed before": {20, -time.Second, time.Nanosecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				read := make(chan struct{})
				defer func() {
					near.Close()
					far.Close()
					<-read
				}()
				go func() {
					defer close(read)
					for range test.takes {
						time.Sleep(50 * time.Second)
						if n, _ := near.Read(make([]byte, 1)); n == 0 {
							return
						}
					}
				}()
				conn := wire.Steady(far, time.Minute)
				if test.deadline != 0 {
					conn.SetWriteDeadline(time.Now().Add(test.deadline))
				}
				began := time.Now()
				n, err := conn.Write(make([]byte, 20))
				took := time.Since(began)
				if test.fails == 0 {
					if n != 20 || err != nil {
						t.Errorf("%d of 20 bytes were written, in %v, error %v", n, took, err)
					}
					return
				}
				if !os.IsTimeout(err) || took < test.fails-1 || took > test.fails+15*time.Second {
					t.Errorf("%d bytes were written, in %v, error %v", n, took, err)
				}
			})
		})
	}
}

// A deadline that is set while somebody writes ends that.
func TestSteadyConnectionsAreInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		conn := wire.Steady(far, time.Minute)
		began, ended := time.Now(), make(chan error)
		go func() {
			_, err := conn.Write(make([]byte, 20))
			ended <- err
		}()
		time.Sleep(20 * time.Second)
		conn.SetWriteDeadline(time.Now())
		if err := <-ended; !os.IsTimeout(err) || time.Since(began) != 20*time.Second {
			t.Errorf("ended after %v, error %v", time.Since(began), err)
		}
	})
}
