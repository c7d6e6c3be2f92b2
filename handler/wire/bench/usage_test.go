package main

import (
	"context"
	"os/exec"
	"testing"
	"time"
)

func TestStat(t *testing.T) {
	group, cpu, err := parseStat([]byte("42 (a) R 1 2 (b)) S 7 41 41 0 -1 4194560 15 0 0 0 123 45 0 0 20 0 9 0 1 2 3\n"))
	if want := 1680 * time.Millisecond; group != 41 || cpu != want || err != nil {
		t.Errorf("got group %d, %v and %v, want 41, %v and no error", group, cpu, err, want)
	}
	if group, _, err := parseStat([]byte("42 (a) Z 7 41 41 0 -1 4194560 15 0 0 0 123 45 0 0 20 0 9 0 1 2 3\n")); group != 0 || err != nil {
		t.Errorf("one that has ended is in group %d: %v", group, err)
	}
	for _, stat := range []string{"", "42 (a) S 7", "42 (a) S 7 x 41 0 -1 4194560 15 0 0 0 123 45 0 0 20 0"} {
		if _, _, err := parseStat([]byte(stat)); err == nil {
			t.Errorf("%q was read without an error", stat)
		}
	}
}

func TestRollup(t *testing.T) {
	rss, pss := parseRollup([]byte("55d0-7ffe ---p 00000000 00:00 0    [rollup]\nRss:                 20 kB\nPss:                  7 kB\nPss_Dirty:            3 kB\n"))
	if rss != 20<<10 || pss != 7<<10 {
		t.Errorf("got %d and %d", rss, pss)
	}
}

// A process is ended with those that it has started itself, and counted with them.
func TestProcessAndItsChildren(t *testing.T) {
	for name, end := range map[string]func(*process, context.CancelFunc){
		"stop":     func(p *process, _ context.CancelFunc) { p.stop() },
		"canceled": func(p *process, cancel context.CancelFunc) { cancel(); <-p.ended },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			cmd := exec.Command("sh", "-c", "sleep 1000 & sleep 1000")
			p, err := start(ctx, t.TempDir(), "sleepers", cmd)
			if err != nil {
				t.Fatal(err)
			}
			defer p.stop()
			if of, err := usageOf(p.pid); err != nil || of.rss == 0 || of.pss == 0 || of.pss > of.rss {
				t.Errorf("usage is %+v: %v", of, err)
			}
			end(p, cancel)
			for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
				if _, err := usageOf(p.pid); err != nil {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("some of the group go on")
				}
			}
		})
	}
}
