package main

import (
	"errors"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// poll waits for many sockets in one thread, by epoll. Load and backends are made
// of it rather than of goroutines, so that the machine is left to what is measured.
type poll struct {
	epoll  int
	events [256]unix.EpollEvent
}

// polls is how many threads load and backends may have, each: one on machines
// with few processors, which is all that a proxy can keep busy there.
func polls() int { return max(1, runtime.NumCPU()/4) }

func newPoll() (*poll, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	return &poll{epoll: fd}, err
}

// add has wait return events of fd; set changes which.
func (p *poll) add(fd int, events uint32) error {
	return unix.EpollCtl(p.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
}

func (p *poll) set(fd int, events uint32) error {
	return unix.EpollCtl(p.epoll, unix.EPOLL_CTL_MOD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
}

// wait returns what has happened, after patience at the latest, or for ever when
// it is negative.
func (p *poll) wait(patience time.Duration) ([]unix.EpollEvent, error) {
	ms := -1
	if patience >= 0 {
		ms = int((patience + time.Millisecond - 1) / time.Millisecond)
	}
	for {
		n, err := unix.EpollWait(p.epoll, p.events[:], ms)
		if !errors.Is(err, unix.EINTR) {
			return p.events[:max(n, 0)], err
		}
	}
}
