// Package queue hands items from many goroutines to one, in the order in which
// they came, and makes nobody wait.
package queue

import (
	"slices"
	"sync/atomic"
)

// Item is an item of a [Queue], with the memory that its place in it takes. It is in
// one queue at a time.
type Item[T any] struct {
	Value   T
	Release func() // takes back the memory once nobody reads the item any more; nil: nobody does

	before *Item[T] // which was added before it
}

// Queue holds items without a bound. The zero value is empty. It is safe for
// concurrent use.
type Queue[T any] struct{ latest atomic.Pointer[Item[T]] }

// Push adds an item, which is the queue's until it is taken.
func (q *Queue[T]) Push(item *Item[T]) {
	for {
		item.before = q.latest.Load()
		if q.latest.CompareAndSwap(item.before, item) {
			return
		}
	}
}

// Take appends all items to those given, the oldest first, and leaves none.
func (q *Queue[T]) Take(items []*Item[T]) []*Item[T] {
	had := len(items)
	for item := q.latest.Swap(nil); item != nil; {
		before := item.before
		item.before = nil
		items = append(items, item)
		item = before
	}
	slices.Reverse(items[had:])
	return items
}
