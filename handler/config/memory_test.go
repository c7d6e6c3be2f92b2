package config

import (
	"testing"
	"testing/fstest"
)

func TestHeapGrowth(t *testing.T) {
	for _, test := range []struct {
		text string
		want HeapGrowth
		bad  bool
	}{
		{text: "100", want: 100}, {text: "0", want: 0}, {text: "off", want: -1}, {text: "auto", want: AutoGrowth}, {text: "2147483647", want: 2147483647},
		{text: "-1", bad: true}, {text: "2147483648", bad: true}, {text: "50%", bad: true}, {text: "x", bad: true},
	} {
		var got HeapGrowth
		if err := got.UnmarshalText([]byte(test.text)); (err != nil) != test.bad || got != test.want {
			t.Errorf("%q is %d, %v, want %d", test.text, got, err, test.want)
		}
		if text, _ := got.MarshalText(); !test.bad && string(text) != test.text {
			t.Errorf("%q is written as %q", test.text, text)
		}
	}
}

func TestMemoryLimit(t *testing.T) {
	for _, test := range []struct {
		text, shown string
		want        MemoryLimit
		bad         bool
	}{
		{text: "off", want: noLimit, shown: "off"},
		{text: "400MiB", want: 400 << 20, shown: "400MiB"},
		{text: "1GiB", want: 1 << 30, shown: "1024MiB"},
		{text: "64KiB", want: 64 << 10, shown: "65536B"},
		{text: "1TiB", want: 1 << 40, shown: "1048576MiB"},
		{text: "1000B", want: 1000, shown: "1000B"}, {text: "1000", want: 1000, shown: "1000B"},
		{text: "400MB", bad: true}, {text: "-1", bad: true}, {text: "1.5GiB", bad: true}, {text: "9000000TiB", bad: true},
		{text: "101%", bad: true}, {text: "0%", bad: true}, {text: "x%", bad: true}, {text: "MiB", bad: true},
	} {
		var got MemoryLimit
		if err := got.UnmarshalText([]byte(test.text)); (err != nil) != test.bad || got != test.want {
			t.Errorf("%q is %d, %v, want %d", test.text, got, err, test.want)
		}
		if !test.bad && got.InForce() != test.shown {
			t.Errorf("%q is shown as %q, want %q", test.text, got.InForce(), test.shown)
		}
	}
}

func TestAvailableMemory(t *testing.T) {
	const meminfo = "MemTotal:       16384000 kB\nMemFree:        1 kB\n"
	for name, test := range map[string]struct {
		files map[string]string
		want  int64 // 0: not known
	}{
		"nothing is known": {},
		"the machine's":    {files: map[string]string{"proc/meminfo": meminfo}, want: 16384000 << 10},
		"a container's, version 2": {
			files: map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "536870912\n", "proc/meminfo": meminfo},
			want:  512 << 20,
		},
		"a container's, version 1, by its path outside": {
			files: map[string]string{"proc/self/cgroup": "5:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "67108864\n"},
			want:  64 << 20,
		},
		"a service's": {
			files: map[string]string{
				"proc/self/cgroup": "0::/system.slice/spangate.service\n", "sys/fs/cgroup/system.slice/spangate.service/memory.max": "268435456\n",
				"sys/fs/cgroup/system.slice/memory.max": "max\n",
			},
			want: 256 << 20,
		},
		"of the group above it": {
			files: map[string]string{
				"proc/self/cgroup": "0::/pods/pod/container\n", "sys/fs/cgroup/pods/pod/container/memory.max": "max\n", "sys/fs/cgroup/pods/pod/memory.max": "134217728\n",
			},
			want: 128 << 20,
		},
		"both versions at once": {
			files: map[string]string{
				"proc/self/cgroup": "4:memory:/process/x\n0::/\n", "sys/fs/cgroup/memory/process/x/memory.limit_in_bytes": "134217728\n",
			},
			want: 128 << 20,
		},
		"unlimited, version 2": {
			files: map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n", "proc/meminfo": meminfo}, want: 16384000 << 10,
		},
		"unlimited, version 1": {
			files: map[string]string{"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n", "proc/meminfo": meminfo}, want: 16384000 << 10,
		},
		"no path out": {
			files: map[string]string{"proc/self/cgroup": "0::/../..\n4:memory\n\n", "sys/fs/cgroup/memory.max": "67108864\n"}, want: 64 << 20,
		},
		"nonsense": {files: map[string]string{"proc/self/cgroup": "x", "sys/fs/cgroup/memory.max": "-5", "proc/meminfo": "MemTotal: x kB"}},
	} {
		t.Run(name, func(t *testing.T) {
			root := fstest.MapFS{}
			for path, text := range test.files {
				root[path] = &fstest.MapFile{Data: []byte(text)}
			}
			got, known := availableMemory(root)
			if known != (test.want != 0) || known && got != test.want {
				t.Errorf("%d bytes, known %v, want %d", got, known, test.want)
			}
		})
	}
}
