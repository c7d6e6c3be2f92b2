package telemetry

import (
	"fmt"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"

	"spangate/telemetry/export/series"
)

// Whoever asks for the series of a key gets the same, and those of another key others.
func TestBound(t *testing.T) {
	m := &meter{Meter: series.New(series.Config{}).Meter("scope", "")}
	var mu sync.Mutex
	made := map[int]int{}
	b := counted(m, retryDecisionsName, func(key int) []attribute.KeyValue {
		mu.Lock()
		made[key]++
		mu.Unlock()
		return []attribute.KeyValue{attribute.Int("key", key)}
	})
	var got [4][100]*series.Sum
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() {
			for key := range got[i] {
				got[i][key] = b.of(key)
			}
		})
	}
	all.Wait()
	different := map[*series.Sum]bool{}
	for key, s := range got[0] {
		different[s] = true
		for i := range got {
			if got[i][key] != s || made[key] != 1 {
				t.Errorf("series of %d were made %d times", key, made[key])
			}
		}
	}
	if len(different) != len(got[0]) || different[nil] {
		t.Errorf("%d series of %d keys", len(different), len(got[0]))
	}
}

// Where nothing is recorded, nothing is kept of a key.
func TestBoundToNothing(t *testing.T) {
	made := 0
	b := counted(&meter{}, retryDecisionsName, func(int) []attribute.KeyValue { made++; return nil })
	for key := range 100 {
		b.of(key).Add(t.Context(), 1)
	}
	if made > 1 || b.current.Load() != nil {
		t.Errorf("%d series were made", made)
	}
}

func TestRecent(t *testing.T) {
	b := counted(&meter{Meter: series.New(series.Config{}).Meter("scope", "")}, retryDecisionsName, func(key string) []attribute.KeyValue {
		return []attribute.KeyValue{attribute.String("key", key)}
	})
	var r recent[string, series.Sum]
	for i, key := range []string{"a", "a", "b", "a", ""} {
		if r.of(b, fmt.Sprint(key)) != b.of(key) {
			t.Errorf("%d: series of %q are another's", i, key)
		}
	}
}
