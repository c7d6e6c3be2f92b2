package export

import (
	"errors"
	"fmt"
	"time"
)

// bounds are those of a batcher.
type bounds struct {
	queue   int           // how many items may wait
	batch   int           // how many are exported at once
	delay   time.Duration // longest wait from one export to the next
	timeout time.Duration // of one export, repetitions included
}

// bounds resolves the settings of the variables that begin with prefix.
func (b Batch) bounds(f *faults, prefix string, delay time.Duration) bounds {
	queue := b.QueueSize.or(max(2048, b.Size.or(0)))
	r := bounds{
		queue:   queue,
		batch:   b.Size.or(min(512, queue)),
		delay:   b.Delay.Or(delay),
		timeout: b.Timeout.Or(30 * time.Second),
	}
	if queue < 1 {
		f.add(prefix+"MAX_QUEUE_SIZE", string(b.QueueSize), errors.New("must be at least 1"))
	}
	switch {
	case b.Size.or(1) < 1:
		f.add(prefix+"MAX_EXPORT_BATCH_SIZE", string(b.Size), errors.New("must be at least 1"))
	case 1 <= queue && queue < r.batch:
		f.add(prefix+"MAX_EXPORT_BATCH_SIZE", string(b.Size),
			fmt.Errorf("must not be above %sMAX_QUEUE_SIZE, which is %d", prefix, queue))
	}
	return r
}
