package version

import (
	"runtime/debug"
	"testing"
)

func TestVersion(t *testing.T) {
	for name, test := range map[string]struct {
		info debug.BuildInfo
		want string
	}{
		"nothing known": {debug.BuildInfo{GoVersion: "go1.26.0"}, "(devel) go1.26.0"},
		"of a repository": {
			debug.BuildInfo{GoVersion: "go1.26.0", Main: debug.Module{Version: "v1.2.3+dirty"}, Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}}},
			"v1.2.3+dirty abc go1.26.0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := long(&test.info); got != test.want {
				t.Errorf("version is %q, want %q", got, test.want)
			}
		})
	}
}
