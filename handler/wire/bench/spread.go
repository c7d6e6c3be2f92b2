package main

import (
	"math"
	"slices"
	"time"
)

// spread is what several rounds came to. The zero value is that of none.
type spread struct {
	median, least, most float64
}

// spreadOf returns the spread of one value a round. NaN stands for a round that
// has none, and makes the whole spread NaN: what is missing is not to look as
// if it had been good.
func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	if slices.ContainsFunc(values, math.IsNaN) {
		return spread{math.NaN(), math.NaN(), math.NaN()}
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	median := sorted[middle]
	if len(sorted)%2 == 0 {
		median = (sorted[middle-1] + sorted[middle]) / 2
	}
	return spread{median, sorted[0], sorted[len(sorted)-1]}
}

// noisy reports whether the rounds are so far apart that their median says little.
func (s spread) noisy() bool { return s.most > 2*s.least }

// ratios divides values by those of base, round by round, so that what disturbs
// the machine for a while disturbs both sides of a ratio.
func ratios(values, base []float64) []float64 {
	of := make([]float64, len(values))
	for i, v := range values {
		of[i] = v / base[i]
		if base[i] == 0 || math.IsInf(base[i], 0) {
			of[i] = math.NaN() // to nothing that was measured
		}
	}
	return of
}

// percentile returns the least of the sorted values that at least p of them, from
// 0 to 1, do not exceed; 0 when there are none.
func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(p * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}
