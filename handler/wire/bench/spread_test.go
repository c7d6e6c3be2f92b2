package main

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestSpread(t *testing.T) {
	nan, endless := math.NaN(), math.Inf(1)
	for name, test := range map[string]struct {
		values []float64
		want   spread
		noisy  bool
	}{
		"none":               {nil, spread{}, false},
		"one":                {[]float64{3}, spread{3, 3, 3}, false},
		"odd, in any order":  {[]float64{5, 1, 2}, spread{2, 1, 5}, true},
		"even":               {[]float64{4, 2, 3, 2.5}, spread{2.75, 2, 4}, false},
		"just twice":         {[]float64{1, 2}, spread{1.5, 1, 2}, false},
		"one round has none": {[]float64{1, nan, 2}, spread{nan, nan, nan}, false},
		"one is endless":     {[]float64{1, endless, 2}, spread{2, 1, endless}, true},
		"all are endless":    {[]float64{endless, endless}, spread{endless, endless, endless}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := spreadOf(test.values)
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(spread{}), cmpopts.EquateNaNs()); diff != "" {
				t.Errorf("spread (-want +got):\n%s", diff)
			}
			if got.noisy() != test.noisy {
				t.Errorf("noisy: %v", got.noisy())
			}
		})
	}
}

func TestRatios(t *testing.T) {
	nan, endless := math.NaN(), math.Inf(1)
	got := ratios([]float64{2, 9, 1, nan, 4, endless, 1, endless}, []float64{1, 3, 4, 2, 0, 2, endless, endless})
	if diff := cmp.Diff([]float64{2, 3, 0.25, nan, nan, endless, nan, nan}, got, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("ratios (-want +got):\n%s", diff)
	}
}

func TestPercentile(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(i+1))
	}
	for name, test := range map[string]struct {
		sorted []time.Duration
		p      float64
		want   time.Duration
	}{
		"of none":            {nil, 0.5, 0},
		"of one":             {hundred[:1], 0.99, 1},
		"half":               {hundred, 0.5, 50},
		"half of three":      {hundred[:3], 0.5, 2},
		"99 of 100":          {hundred, 0.99, 99},
		"99 % of ten is all": {hundred[:10], 0.99, 10},
		"least":              {hundred, 0, 1},
		"greatest":           {hundred, 1, 100},
	} {
		t.Run(name, func(t *testing.T) {
			if got := percentile(test.sorted, test.p); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}
