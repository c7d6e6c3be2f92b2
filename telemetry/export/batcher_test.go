package export

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBatcherGathers(t *testing.T) {
	limits := bounds{queue: 100, batch: 4, delay: 5 * time.Second, timeout: time.Minute}
	var came [][]int
	export := func(_ context.Context, batch []int) error {
		came = append(came, batch)
		return nil
	}
	for _, tt := range []struct {
		name string
		do   func(*batcher[int])
		want [][]int
	}{
		{"full batches go at once", func(b *batcher[int]) {
			for i := range 9 {
				b.add(i)
			}
			synctest.Wait()
		}, [][]int{{0, 1, 2, 3}, {4, 5, 6, 7}}},
		{"others wait for the delay", func(b *batcher[int]) {
			b.add(1)
			time.Sleep(limits.delay - time.Millisecond)
			b.add(2)
			time.Sleep(time.Millisecond)
			synctest.Wait()
		}, [][]int{{1, 2}}},
		{"flush does not wait", func(b *batcher[int]) {
			b.add(1)
			if err := b.drain(context.Background()); err != nil {
				panic(err)
			}
		}, [][]int{{1}}},
		{"nothing is not exported", func(*batcher[int]) {
			time.Sleep(time.Hour)
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				came = nil
				b := newBatcher(limits, export)
				tt.do(b)
				if diff := cmp.Diff(tt.want, came); diff != "" {
					t.Errorf("batches (-want +got):\n%s", diff)
				}
				if err := b.shutdown(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Each case makes ten items of which four fill the first batch.
func TestBatcherAccountsForEveryItem(t *testing.T) {
	errDown := errors.New("down")
	hang := func(ctx context.Context, _ []int) error {
		<-ctx.Done()
		return ctx.Err()
	}
	for _, tt := range []struct {
		name   string
		queue  int
		export func(context.Context, []int) error
		left   bool // shutdown runs into its deadline
		want   map[outcome]int64
	}{
		{"all arrive", 100, func(context.Context, []int) error { return nil }, false,
			map[outcome]int64{exported: 10}},
		{"none arrives", 100, func(context.Context, []int) error { return errDown }, false,
			map[outcome]int64{exported: 0, exportFailed: 10}},
		{"the collector takes some", 100, func(context.Context, []int) error {
			return &partial{1, errors.New("too old")}
		}, false, map[outcome]int64{exported: 7, exportRejected: 3}},
		{"the collector counts wrong", 100, func(context.Context, []int) error {
			return &partial{99, errors.New("too old")}
		}, false, map[outcome]int64{exported: 0, exportRejected: 10}},
		{"the collector only warns", 100, func(context.Context, []int) error {
			return &partial{0, errors.New("soon too old")}
		}, false, map[outcome]int64{exported: 10}},
		{"the deadline comes first", 100, hang, true,
			map[outcome]int64{exported: 0, exportCut: 4, queueCut: 6}},
		{"the queue overflows, then the deadline comes", 5, hang, true,
			map[outcome]int64{exported: 0, queueFull: 1, exportCut: 4, queueCut: 5}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBatcher(bounds{queue: tt.queue, batch: 4, delay: time.Hour, timeout: time.Hour}, tt.export)
				for i := range 10 {
					b.add(i)
					if i == 3 {
						synctest.Wait() // the first batch is taken
					}
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := b.shutdown(ctx); errors.Is(err, context.DeadlineExceeded) != tt.left {
					t.Errorf("shutdown: %v", err)
				}
				synctest.Wait()
				if diff := cmp.Diff(tt.want, b.account().counts); diff != "" {
					t.Errorf("counts (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestBatcherExportsNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var came [][]int
		b := newBatcher(bounds{queue: 100, batch: 2, delay: time.Hour, timeout: time.Hour}, func(_ context.Context, batch []int) error {
			came = append(came, batch)
			<-release
			return nil
		})
		if b.exportNow() != nil {
			t.Error("there is something to export before anything was added")
		}
		b.add(1)
		first := b.exportNow()
		synctest.Wait()
		for i := range 3 {
			b.add(2 + i)
		}
		second := b.exportNow()
		if b.exportNow() != second {
			t.Error("two who want the same wait for two exports")
		}
		release <- struct{}{}
		<-first.ended
		select {
		case <-second.sent:
			t.Error("what came during an export was not waited for")
		default:
		}
		close(release)
		<-second.ended
		if diff := cmp.Diff([][]int{{1}, {2, 3}, {4}}, came); diff != "" {
			t.Errorf("batches (-want +got):\n%s", diff)
		}
		if err := b.shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Who is in a hurry waits until the collector has everything, not for its
// answer.
func TestBatcherTellsWhenAllIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		write, answer := make(chan struct{}), make(chan struct{})
		var latest context.Context
		b := newBatcher(bounds{queue: 100, batch: 2, delay: time.Hour, timeout: time.Hour}, func(ctx context.Context, _ []int) error {
			<-write
			latest = ctx
			setWritten(ctx, true)
			<-answer
			return nil
		})
		isSent := func(h *hurry) bool {
			synctest.Wait()
			select {
			case <-h.sent:
				return true
			default:
				return false
			}
		}
		for i := range 3 { // two batches
			b.add(i)
		}
		h := b.exportNow()
		write <- struct{}{}
		if isSent(h) {
			t.Error("half of it was all")
		}
		answer <- struct{}{}
		if isSent(h) {
			t.Error("it was sent before it was written")
		}
		write <- struct{}{}
		if !isSent(h) {
			t.Error("it was written, and counts as not sent")
		}
		if b.exportNow() != nil {
			t.Error("there is something to wait for though the collector has everything")
		}
		setWritten(latest, false)
		if b.exportNow() == nil {
			t.Error("there is nothing to wait for though the attempt has failed")
		}
		setWritten(latest, true)
		b.add(3)
		left := b.exportNow()
		answer <- struct{}{}
		<-h.ended
		write <- struct{}{}
		if !isSent(left) {
			t.Error("what came later was not sent")
		}
		answer <- struct{}{}
		if err := b.shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// An export whose deadline passed while nothing ran gets its time again; one
// that used it up does not.
func TestBatcherForgivesAStop(t *testing.T) {
	limits := bounds{queue: 10, batch: 10, delay: time.Hour, timeout: 30 * time.Second}
	for _, tt := range []struct {
		name  string
		first func(context.Context) // the first export
		want  map[outcome]int64
		calls int
	}{
		{"stopped for long", func(context.Context) { time.Sleep(time.Hour) }, map[outcome]int64{exported: 1}, 2},
		{"took all of its time", func(ctx context.Context) { <-ctx.Done() }, map[outcome]int64{exported: 0, exportFailed: 1}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				b := newBatcher(limits, func(ctx context.Context, _ []int) error {
					if calls++; calls == 1 {
						tt.first(ctx)
					}
					return context.Cause(ctx)
				})
				b.add(1)
				if err := b.drain(t.Context()); err != nil {
					t.Error(err)
				}
				if calls != tt.calls {
					t.Errorf("%d exports, want %d", calls, tt.calls)
				}
				if diff := cmp.Diff(tt.want, b.account().counts); diff != "" {
					t.Errorf("counts (-want +got):\n%s", diff)
				}
				if err := b.shutdown(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestBatcherIsExactUnderLoad(t *testing.T) {
	const writers, each = 8, 5000
	var attempts int
	b := newBatcher(bounds{queue: 64, batch: 16, delay: time.Millisecond, timeout: time.Second},
		func(context.Context, []int) error {
			if attempts++; attempts%3 == 0 {
				return errors.New("down")
			}
			return nil
		})
	var running sync.WaitGroup
	for range writers {
		running.Go(func() {
			for i := range each {
				b.add(i)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	running.Go(func() {
		b.drain(ctx)
		cancel() // a shutdown that has no time at all, while others still add
		b.shutdown(ctx)
	})
	running.Wait()
	<-b.done
	exported, failed, dropped := b.account().sum()
	if sum := exported + failed + dropped; sum != writers*each {
		t.Errorf("%d exported + %d failed + %d dropped = %d, want %d", exported, failed, dropped, sum, writers*each)
	}
}

func TestBatcherGivesUpOnAnExportThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := newBatcher(bounds{queue: 10, batch: 1, delay: time.Hour, timeout: time.Hour},
			func(context.Context, []int) error {
				<-release // such as a console whose reader is stuck
				return nil
			})
		b.add(1)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("shutdown: %v", err)
		}
		close(release)
		<-b.done
		b.add(2)
		want := map[outcome]int64{exported: 0, exportCut: 1, tooLate: 1}
		if diff := cmp.Diff(want, b.account().counts); diff != "" {
			t.Errorf("counts (-want +got):\n%s", diff)
		}
	})
}

func BenchmarkBatcherAdd(b *testing.B) {
	for _, bench := range []struct {
		name   string
		export func(context.Context, []int) error
	}{
		{"exported", func(context.Context, []int) error { return nil }},
		{"queue full", func(ctx context.Context, _ []int) error { <-ctx.Done(); return nil }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			q := newBatcher(bounds{queue: 2048, batch: 512, delay: time.Second, timeout: time.Hour}, bench.export)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					q.add(1)
				}
			})
			ctx, cancel := context.WithCancel(b.Context())
			cancel()
			q.shutdown(ctx)
		})
	}
}
