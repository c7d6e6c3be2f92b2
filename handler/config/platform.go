package config

import (
	"cmp"
	"maps"
	"time"

	"github.com/caarlos0/env/v11"
)

// A Platform is the name of an entry of [Platforms], or auto.
type Platform string

// Platforms change defaults. They stand in the order in which auto looks for
// their marks. Kubernetes comes before Cloud Run because Knative, on any
// cluster, sets K_SERVICE too.
//
// TRUSTED_PROXIES has a default only where it is known that nobody but the
// platform's own proxy can come from these addresses, and that what it writes
// cannot be what a client wrote:
//
//   - Cloud Run: yes. A container is reached through Google's front end alone,
//     which shows as a link-local address (169.254.1.1 and 169.254.169.126 have
//     been seen), and appends the client's address to X-Forwarded-For. Behind a
//     load balancer of one's own, that one's address is the last and belongs in
//     TRUSTED_PROXIES too. The front end also starts a trace for each request,
//     which it hardly ever samples. As its context is believed now, the default
//     sampler would follow it and record next to nothing, hence resample.
//   - Fly.io: no. Fly-Client-IP is set by its proxy, whatever the client sends,
//     while the last address of X-Forwarded-For is the app's own: hence the
//     header. But the addresses that the proxy comes from are not documented, and
//     reports differ (172.16.0.0/16, 172.19.2.97, the gateway of the machine,
//     and one from outside of 172.16.0.0/12).
//   - Azure Container Apps: no. Its proxy's addresses are not documented, depend
//     on the kind of environment, and are shared with other apps in there.
//   - ECS, Kubernetes: no. Load balancers and ingresses have addresses of a
//     network that each user chooses, and that other workloads share.
var Platforms = []struct {
	Name     string
	Mark     string            // a variable that it sets
	Defaults map[string]string // by name of variable
}{
	{"fly", "FLY_APP_NAME", map[string]string{"SHUTDOWN_TIMEOUT": "4500ms", "CLIENT_IP_HEADER": "Fly-Client-IP"}},
	{"azure", "CONTAINER_APP_NAME", map[string]string{"SHUTDOWN_TIMEOUT": "25s"}},
	{"ecs", "ECS_CONTAINER_METADATA_URI_V4", map[string]string{"SHUTDOWN_TIMEOUT": "25s"}},
	{"kubernetes", "KUBERNETES_SERVICE_HOST", map[string]string{"SHUTDOWN_TIMEOUT": "25s", "SHUTDOWN_DELAY": "5s"}},
	{"cloudrun", "K_SERVICE", map[string]string{
		"SHUTDOWN_TIMEOUT": "9s", "PROBE_MODE": "on-demand", "TRUSTED_PROXIES": "169.254.0.0/16",
		"TELEMETRY_FLUSH": "request", "LOG_FIELDS": "gcp", "TRACE_UNSAMPLED_PARENT": "resample",
	}},
	{"none", "", nil},
}

// UnmarshalText accepts the name of a platform.
func (p *Platform) UnmarshalText(text []byte) error {
	names := []Platform{"auto"}
	for _, known := range Platforms {
		names = append(names, Platform(known.Name))
	}
	return OneOf(p, text, names...)
}

// FoundBy returns the variable of environ that tells p: PLATFORM, or the mark
// that the platform left; "" when it is none because there is no mark.
func (p Platform) FoundBy(environ []string) string {
	if set := env.ToMap(environ)["PLATFORM"]; set != "" && set != "auto" {
		return "PLATFORM"
	}
	for _, known := range Platforms {
		if known.Name == string(p) {
			return known.Mark
		}
	}
	return ""
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
