package telemetry

import (
	"maps"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// setCache keeps the attributes of each metric series ready to use, as making
// them costs more than recording with them. Keys have few values by design:
// none of what they hold comes from a client as it is. Readers do not lock.
// The zero value is empty.
type setCache[K comparable] struct {
	current atomic.Pointer[map[K]cachedSet]
	mu      sync.Mutex // held to add
}

// cachedSet is one set of attributes in the forms that instruments take.
type cachedSet struct {
	record []metric.RecordOption
	add    []metric.AddOption
}

// get returns the set for key, made by attributes when it is not there yet.
func (c *setCache[K]) get(key K, attributes func(K) []attribute.KeyValue) cachedSet {
	if sets := c.current.Load(); sets != nil {
		if set, ok := (*sets)[key]; ok {
			return set
		}
	}
	return c.insert(key, attributes)
}

func (c *setCache[K]) insert(key K, attributes func(K) []attribute.KeyValue) cachedSet {
	c.mu.Lock()
	defer c.mu.Unlock()
	sets := map[K]cachedSet{}
	if have := c.current.Load(); have != nil {
		sets = maps.Clone(*have)
	}
	option := metric.WithAttributeSet(attribute.NewSet(attributes(key)...))
	sets[key] = cachedSet{record: []metric.RecordOption{option}, add: []metric.AddOption{option}}
	c.current.Store(&sets)
	return sets[key]
}
