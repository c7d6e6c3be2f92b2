package telemetry

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/certificate"
)

// A certificate is warned of once a day, whoever looks and however often, and again
// when files have changed.
func TestExpiryOnceADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		all := []certificate.Info{{Name: "a", NotAfter: start.Add(14*day + time.Hour)}, {Name: "b", NotAfter: start.Add(1000 * day)}}
		var got []string
		e := newExpiry()
		look := func() {
			e.look(all, func(c certificate.Info) { got = append(got, c.Name+" "+time.Since(start).String()) })
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for e.wait(t.Context()) == nil {
				look()
				look()
			}
		}()
		look()
		time.Sleep(3*day + time.Minute)
		e.changed()
		e.changed()
		time.Sleep(time.Minute)
		synctest.Wait()
		if diff := cmp.Diff([]string{"a 24h0m0s", "a 48h0m0s", "a 72h0m0s", "a 72h1m0s"}, got); diff != "" {
			t.Errorf("warnings (-want +got):\n%s", diff)
		}
	})
}
