package queue_test

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/telemetry/export/queue"
)

func TestOrder(t *testing.T) {
	var q queue.Queue[int]
	var got []int
	for round := range 3 {
		for i := range 3 {
			q.Push(&queue.Item[int]{Value: 10*round + i})
		}
		items := q.Take([]*queue.Item[int]{{Value: -1}})
		for _, item := range items {
			got = append(got, item.Value)
		}
		q.Push(items[1]) // again
	}
	if diff := cmp.Diff([]int{-1, 0, 1, 2, -1, 0, 10, 11, 12, -1, 0, 20, 21, 22}, got); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
}

// Each item comes out once, and those of one in its order.
func TestNothingIsLost(t *testing.T) {
	const writers, each = 4, 10000
	var q queue.Queue[[2]int]
	var running sync.WaitGroup
	for writer := range writers {
		running.Go(func() {
			for i := range each {
				q.Push(&queue.Item[[2]int]{Value: [2]int{writer, i}})
			}
		})
	}
	done := make(chan struct{})
	go func() { running.Wait(); close(done) }()
	var next [writers]int
	take := func() {
		for _, item := range q.Take(nil) {
			if writer, i := item.Value[0], item.Value[1]; next[writer] != i {
				t.Fatalf("%d came where %d was next", i, next[writer])
			}
			next[item.Value[0]]++
		}
	}
	for {
		select {
		case <-done:
			take()
			if next != [writers]int{each, each, each, each} {
				t.Errorf("came: %v", next)
			}
			return
		default:
			take()
		}
	}
}
