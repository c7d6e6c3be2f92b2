package framing_test

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"spangate/handler/wire/framing"
)

// TestHeaderOfFramesInTime has a client send a piece every four seconds, where a
// header may take ten.
func TestHeaderOfFramesInTime(t *testing.T) {
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	const endHeaders = 0x4
	whole := frame(headers, endHeaders, "hhhhhhhh")
	tests := map[string]struct {
		pieces []string
		want   time.Duration // from the first to the failure; 0: none
	}{
		"nothing":                     {[]string{"", "", "", "", "", ""}, 0},
		"whole headers":               {[]string{whole, whole, whole, whole, whole, whole}, 0},
		"one in time":                 {[]string{whole[:14], whole[14:15], whole[15:], "", "", ""}, 0},
		"one without an end":          {[]string{whole[:14], whole[14:15], whole[15:16], whole[16:]}, 10 * time.Second},
		"one that ends in time":       {[]string{frame(headers, 0, "h"), frame(continuation, 0, ""), frame(continuation, endHeaders, "h"), "", "", ""}, 0},
		"one that goes on":            {[]string{frame(headers, 0, "h"), frame(continuation, 0, ""), frame(continuation, 0, ""), frame(continuation, 0, "")}, 10 * time.Second},
		"one that goes on with a gap": {[]string{frame(headers, 0, "h"), "", "", "", ""}, 10 * time.Second},
		"a body, which others bound":  {[]string{whole, frame(data, 0, "hello")[:11], "h", "e", "", ""}, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := net.Pipe()
				defer client.Close()
				conn := framing.NewConn(server, nil, 10*time.Second)
				began := time.Now()
				var sending sync.WaitGroup
				sending.Go(func() {
					io.WriteString(client, preface)
					for _, piece := range test.pieces {
						io.WriteString(client, piece)
						time.Sleep(4 * time.Second)
					}
					client.Close()
				})
				_, err := io.Copy(io.Discard, conn)
				took := time.Since(began)
				server.Close()
				sending.Wait()
				if late := errors.Is(err, os.ErrDeadlineExceeded); late != (test.want > 0) || late && took != test.want {
					t.Errorf("%v after %v, want a failure after %v", err, took, test.want)
				}
			})
		})
	}
}
