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
type setCache[K comparable] struct {
	attributes func(K) []attribute.KeyValue // of the series of a key
	route      []attribute.KeyValue         // of each series
	current    atomic.Pointer[map[K]cachedSet]
	mu         sync.Mutex // held to add
}

// cachedSet is one set of attributes in the forms that instruments take.
type cachedSet struct {
	record []metric.RecordOption
	add    []metric.AddOption
}

// newSets returns sets that are empty.
func newSets[K comparable](m *meter, attributes func(K) []attribute.KeyValue) setCache[K] {
	return setCache[K]{attributes: attributes, route: m.route}
}

// get returns the set for key, and makes it when it is not there yet.
func (c *setCache[K]) get(key K) cachedSet {
	if sets := c.current.Load(); sets != nil {
		if set, ok := (*sets)[key]; ok {
			return set
		}
	}
	return c.insert(key)
}

func (c *setCache[K]) insert(key K) cachedSet {
	c.mu.Lock()
	defer c.mu.Unlock()
	sets := map[K]cachedSet{}
	if have := c.current.Load(); have != nil {
		sets = maps.Clone(*have)
	}
	set := newCachedSet(append(c.attributes(key), c.route...))
	sets[key] = set
	c.current.Store(&sets)
	return set
}

func newCachedSet(attrs []attribute.KeyValue) cachedSet {
	option := metric.WithAttributeSet(attribute.NewSet(attrs...))
	return cachedSet{record: []metric.RecordOption{option}, add: []metric.AddOption{option}}
}
