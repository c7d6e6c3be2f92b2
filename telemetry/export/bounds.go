package export

import (
	"time"

	"spangate/handler/config"
)

// bounds are those of a batcher.
type bounds struct {
	queue   int           // how many items may wait
	batch   int           // how many are exported at once
	delay   time.Duration // longest wait from one export to the next
	timeout time.Duration // of one export, repetitions included
}

// bounds resolves the settings of what goes to exporters. delay is what holds where
// none is set. On the console alone each item is shown at once, as the specification
// wants it: it waits for no batch to fill.
func (b *Batch) bounds(f *faults, delay time.Duration, exporters Exporters) bounds {
	queue := b.QueueSize.or(max(2048, b.Size.or(0)))
	size := 512
	if len(exporters) > 0 && !exporters.has("otlp") {
		size = 1
	}
	r := bounds{
		queue:   queue,
		batch:   b.Size.or(min(size, queue)),
		delay:   b.Delay.or(delay),
		timeout: b.Timeout.or(30 * time.Second),
	}
	if queue < 1 {
		f.add(config.Wrong(&b.QueueSize, "must be at least 1"))
	}
	switch {
	case b.Size.or(1) < 1:
		f.add(config.Wrong(&b.Size, "must be at least 1"))
	case 1 <= queue && queue < r.batch:
		f.add(config.Wrong(&b.Size, "must not be above %s, which is %d", &b.QueueSize, queue))
	}
	return r
}
