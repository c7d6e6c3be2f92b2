package environ

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A Platform is the name of an entry of [Platforms], or auto.
type Platform string

// Platforms change defaults. They stand in the order in which auto looks for
// their marks. Kubernetes comes before Cloud Run because Knative, on any
// cluster, sets K_SERVICE too.
var Platforms = []struct {
	Name     string
	Mark     string            // a variable that it sets
	Defaults map[string]string // by name of variable
}{
	{"fly", "FLY_APP_NAME", map[string]string{"SHUTDOWN_TIMEOUT": "4500ms"}},
	{"azure", "CONTAINER_APP_NAME", map[string]string{"SHUTDOWN_TIMEOUT": "25s"}},
	{"ecs", "ECS_CONTAINER_METADATA_URI_V4", map[string]string{"SHUTDOWN_TIMEOUT": "25s"}},
	{"kubernetes", "KUBERNETES_SERVICE_HOST", map[string]string{"SHUTDOWN_TIMEOUT": "25s", "SHUTDOWN_DELAY": "5s"}},
	{"cloudrun", "K_SERVICE", map[string]string{"SHUTDOWN_TIMEOUT": "9s", "PROBE_MODE": "on-demand"}},
	{"none", "", nil},
}

// UnmarshalText accepts the name of a platform.
func (p *Platform) UnmarshalText(text []byte) error {
	names := []string{"auto"}
	for _, known := range Platforms {
		names = append(names, known.Name)
	}
	if !slices.Contains(names, string(text)) {
		return fmt.Errorf("must be one of %s", strings.Join(names, ", "))
	}
	*p = Platform(text)
	return nil
}

// platformDefaults returns the defaults of the platform that PLATFORM names,
// or that left its mark in the environment, and PLATFORM itself.
func platformDefaults(given map[string]string) map[string]string {
	name := cmp.Or(given["PLATFORM"], "auto")
	defaults := map[string]string{}
	for _, p := range Platforms {
		if name == p.Name || name == "auto" && (p.Mark == "" || given[p.Mark] != "") {
			maps.Copy(defaults, p.Defaults)
			defaults["PLATFORM"] = p.Name
			break
		}
	}
	shortenDelay(defaults, given["SHUTDOWN_TIMEOUT"])
	return defaults
}

// shortenDelay lets the delay of a platform take no larger part of a timeout
// that was set than of the platform's own: what is set need not know of it.
func shortenDelay(defaults map[string]string, timeout string) {
	delay, err := time.ParseDuration(defaults["SHUTDOWN_DELAY"])
	if err != nil {
		return
	}
	own, _ := time.ParseDuration(defaults["SHUTDOWN_TIMEOUT"])
	if given, err := time.ParseDuration(timeout); err == nil && 0 < given && given < own {
		defaults["SHUTDOWN_DELAY"] = (given / (own / delay)).String()
	}
}
