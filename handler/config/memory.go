package config

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// Memory says when the Go runtime collects garbage. Its own default, as soon as
// the heap has doubled, has it collect all the time where next to nothing lives:
// a proxy's heap is a few megabytes, whatever its traffic.
type Memory struct {
	Growth HeapGrowth  `env:"GOGC" envDefault:"auto" doc:"percent by which the heap may grow before garbage is collected, or off; auto is 400, and less, down to 33, where that is more than 8 MiB or a sixteenth of GOMEMLIMIT, and has what is not in use given back to the system once there is little to do"`
	Limit  MemoryLimit `env:"GOMEMLIMIT" envDefault:"80%" doc:"memory at which garbage is collected however little the heap has grown: bytes such as 400MiB, or off, and no percentage: Go reads it before the program does, and ends with any other text; the default is of what the container may have, or else the machine has"`
}

// Apply makes the runtime heed m. What the returned function stops is that what comes
// of [AutoGrowth] follows the heap.
func (m Memory) Apply() (stop func()) {
	debug.SetMemoryLimit(int64(m.Limit))
	if m.Growth != AutoGrowth {
		debug.SetGCPercent(int(m.Growth))
		return func() {}
	}
	h := &headroom{most: headroomWithin(m.Limit), quiet: quietFor}
	h.adjust()
	return h.stop
}

// InForce returns, by its address, what comes of fields that leave it to others.
func (m *Memory) InForce() map[any]string {
	if m.Growth != AutoGrowth {
		return nil
	}
	most, _ := MemoryLimit(headroomWithin(m.Limit)).MarshalText() // cannot fail
	return map[any]string{&m.Growth: fmt.Sprintf("%d, at most %s", mostGrowth, most)}
}

// HeapGrowth is in percent; -1 is off.
type HeapGrowth int32

// AutoGrowth is as much as is worth its memory, see [headroom].
const AutoGrowth HeapGrowth = -2

// UnmarshalText reads what the runtime reads.
func (g *HeapGrowth) UnmarshalText(text []byte) error {
	switch string(text) {
	case off:
		*g = -1
		return nil
	case auto:
		*g = AutoGrowth
		return nil
	}
	n, err := strconv.ParseInt(string(text), 10, 32)
	if err != nil || n < 0 {
		return errors.New("must be a whole number of percent, such as 400, auto or off")
	}
	*g = HeapGrowth(n)
	return nil
}

// MarshalText renders the growth as UnmarshalText reads it.
func (g HeapGrowth) MarshalText() ([]byte, error) {
	switch {
	case g == AutoGrowth:
		return []byte(auto), nil
	case g < 0:
		return []byte(off), nil
	}
	return strconv.AppendInt(nil, int64(g), 10), nil
}

// MemoryLimit is in bytes.
type MemoryLimit int64

const (
	off     = "off"
	auto    = "auto"
	noLimit = MemoryLimit(math.MaxInt64)
)

// UnmarshalText reads what the runtime reads: bytes, with B, KiB, MiB, GiB or TiB
// behind them, or off. Beyond that it reads a percentage of what the container
// may have.
func (l *MemoryLimit) UnmarshalText(text []byte) error {
	if string(text) == off {
		*l = noLimit
		return nil
	}
	if percent, ok := strings.CutSuffix(string(text), "%"); ok {
		n, err := strconv.ParseUint(percent, 10, 7)
		if err != nil || n < 1 || n > 100 {
			return errMemory
		}
		*l = noLimit
		if available, ok := availableMemory(os.DirFS("/")); ok {
			*l = MemoryLimit(available / 100 * int64(n))
		}
		return nil
	}
	number, shift := string(text), 0
	for _, unit := range []struct {
		name  string
		shift int
	}{{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}, {"B", 0}} {
		if before, ok := strings.CutSuffix(number, unit.name); ok {
			number, shift = before, unit.shift
			break
		}
	}
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil || n > math.MaxInt64>>shift {
		return errMemory
	}
	*l = MemoryLimit(n << shift)
	return nil
}

var errMemory = errors.New("must be bytes, such as 400MiB, or off")

// MarshalText renders the limit as UnmarshalText reads it, in MiB where that is
// exact enough.
func (l MemoryLimit) MarshalText() ([]byte, error) {
	switch {
	case l == noLimit:
		return []byte(off), nil
	case l >= 1<<20:
		return fmt.Appendf(nil, "%dMiB", l>>20), nil
	}
	return fmt.Appendf(nil, "%dB", l), nil
}

// InForce is what spangate config shows.
func (l MemoryLimit) InForce() string {
	text, _ := l.MarshalText() // cannot fail
	return string(text)
}

// availableMemory returns how many bytes this process may have by its control
// group and those above it (version 2 or 1), and by what the machine has. In the
// namespace of a container the group is the root of what is mounted there, by
// whatever path it goes outside.
func availableMemory(root fs.FS) (bytes int64, known bool) {
	bytes = math.MaxInt64
	least := func(text string) {
		if n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64); err == nil && n > 0 && n < bytes {
			bytes, known = n, true
		}
	}
	read := map[string]bool{} // groups have parents in common
	groups, _ := fs.ReadFile(root, "proc/self/cgroup")
	for line := range strings.Lines(string(groups) + "\n0::/\n0:memory:/\n") {
		hierarchy := strings.SplitN(strings.TrimSpace(line), ":", 3)
		mount, file := "sys/fs/cgroup", "memory.max"
		switch {
		case len(hierarchy) < 3:
			continue
		case strings.Contains(","+hierarchy[1]+",", ",memory,"):
			mount, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		case hierarchy[1] != "":
			continue
		}
		for group := path.Clean("/" + hierarchy[2]); ; group = path.Dir(group) {
			limit := path.Join(mount, group, file)
			if !read[limit] {
				read[limit] = true
				text, _ := fs.ReadFile(root, limit) // "max" is no number
				least(string(text))
			}
			if group == "/" {
				break
			}
		}
	}
	machine, _ := fs.ReadFile(root, "proc/meminfo")
	for line := range strings.Lines(string(machine)) {
		if total, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			if kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(total), "kB")), 10, 53); err == nil {
				least(strconv.FormatInt(kib<<10, 10))
			}
		}
	}
	return bytes, known
}
