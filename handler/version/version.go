// Package version answers: which build is this?
package version

import (
	"cmp"
	"runtime/debug"
	"strings"
)

// release is the version of an image, set by the linker.
var release string

// Short returns the release, or else the module's version, which a build inside a
// repository takes from there.
func Short() string { return short(build()) }

// Long returns Short's word, the revision if known, and Go's version.
func Long() string { return long(build()) }

func build() *debug.BuildInfo {
	info, _ := debug.ReadBuildInfo()
	return cmp.Or(info, &debug.BuildInfo{})
}

func short(info *debug.BuildInfo) string { return cmp.Or(release, info.Main.Version, "(devel)") }

func long(info *debug.BuildInfo) string {
	words := []string{short(info)}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			words = append(words, s.Value)
		}
	}
	return strings.Join(append(words, info.GoVersion), " ")
}
