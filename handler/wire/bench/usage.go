package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// usage is what a process and those of its group have used so far.
type usage struct {
	cpu time.Duration // in user and system mode
	rss int           // bytes in memory, with what several have in common counted for each
	pss int           // the same, with what they have in common shared out
}

// usageOf reads it from /proc, see proc(5).
func usageOf(group int) (sum usage, err error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return usage{}, err
	}
	found := false
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if gone(err) {
			continue
		}
		if err != nil {
			return usage{}, err
		}
		of, cpu, err := parseStat(stat)
		if err != nil {
			return usage{}, fmt.Errorf("%s: %w", file, err)
		}
		if of != group {
			continue
		}
		found = true
		sum.cpu += cpu
		rollup, err := os.ReadFile(filepath.Join(filepath.Dir(file), "smaps_rollup"))
		if err != nil && !gone(err) {
			return usage{}, err
		}
		rss, pss := parseRollup(rollup)
		sum.rss += rss
		sum.pss += pss
	}
	if !found {
		return usage{}, fmt.Errorf("no process is left in group %d", group)
	}
	return sum, nil
}

// gone reports whether err says that a process has ended meanwhile.
func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) }

// parseStat returns the process group and the CPU time of a line of /proc/PID/stat.
// One that has ended, and that nobody has waited for yet, is in no group any more: 0.
func parseStat(stat []byte) (group int, cpu time.Duration, err error) {
	// The second field is a name in parentheses, which may hold any byte.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const state, ofGroup, user, system = 0, 2, 11, 12
	if len(fields) <= system {
		return 0, 0, fmt.Errorf("%d fields after the name", len(fields))
	}
	if string(fields[state]) == "Z" {
		return 0, 0, nil
	}
	group, err1 := strconv.Atoi(string(fields[ofGroup]))
	u, err2 := strconv.Atoi(string(fields[user]))
	s, err3 := strconv.Atoi(string(fields[system]))
	const tick = time.Second / 100 // on all of Linux
	return group, time.Duration(u+s) * tick, errors.Join(err1, err2, err3)
}

// parseRollup returns the sizes in /proc/PID/smaps_rollup, in bytes.
func parseRollup(rollup []byte) (rss, pss int) {
	for line := range bytes.Lines(rollup) {
		fmt.Sscanf(string(line), "Rss: %d kB", &rss)
		fmt.Sscanf(string(line), "Pss: %d kB", &pss)
	}
	return rss << 10, pss << 10
}
