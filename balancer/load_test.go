package balancer_test

import (
	"context"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"spangate/balancer"
)

// load is what clients do to some backends, in virtual time.
type load struct {
	requests int
	rate     float64         // requests per second, at random instants
	service  []time.Duration // usual time that one request takes each backend
	weights  []int           // 1 when empty
	workers  int             // requests that a backend works on at once; others queue
	spread   float64         // standard deviation of the logarithm of a request's work
	cameUp   time.Duration   // slow start of the first one, which has just come up; 0: it has not
}

// result is what became of it.
type result struct {
	shares    []float64 // of the requests that each backend got
	latencies []time.Duration
}

func (r result) percentile(p float64) time.Duration {
	return r.latencies[int(float64(len(r.latencies)-1)*p/100)]
}

type workKey struct{}

// under puts the load on backends that are picked from. Which request comes when
// and how much work it is does not depend on the picker.
func (l load) under(t *testing.T, pick balancer.Picker) (res result) {
	synctest.Test(t, func(t *testing.T) {
		counts := make([]int, len(l.service))
		var mu sync.Mutex
		var backends []*balancer.Backend
		for i, service := range l.service {
			b := named(nil, strconv.Itoa(i))[0]
			if l.weights != nil {
				b.Weight = l.weights[i]
			}
			workers := make(chan struct{}, l.workers)
			b.Use(roundTripper(func(r *http.Request) (*http.Response, error) {
				mu.Lock()
				counts[i]++
				mu.Unlock()
				workers <- struct{}{}
				time.Sleep(time.Duration(float64(service) * r.Context().Value(workKey{}).(float64)))
				<-workers
				return answering(http.StatusOK).RoundTrip(r)
			}))
			backends = append(backends, b)
		}
		if l.cameUp > 0 {
			backends[0].CameUp(l.cameUp)
		}
		random := rand.New(rand.NewPCG(1, 2))
		var clients sync.WaitGroup
		for range l.requests {
			time.Sleep(time.Duration(random.ExpFloat64() / l.rate * float64(time.Second)))
			work := math.Exp(random.NormFloat64() * l.spread)
			clients.Go(func() {
				start := time.Now()
				r := (&http.Request{URL: &url.URL{Path: "/"}}).WithContext(context.WithValue(t.Context(), workKey{}, work))
				resp, err := pick(r, backends).RoundTrip(r)
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
				mu.Lock()
				defer mu.Unlock()
				res.latencies = append(res.latencies, time.Since(start))
			})
		}
		clients.Wait()
		for _, n := range counts {
			res.shares = append(res.shares, float64(n)/float64(l.requests))
		}
		slices.Sort(res.latencies)
	})
	return res
}
