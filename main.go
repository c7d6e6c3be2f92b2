// Spangate is a reverse proxy that is configured by environment variables and
// makes each of its decisions about a request visible in OpenTelemetry.
package main

import (
	"cmp"
	"context"
	"encoding"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"reflect"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/caarlos0/env/v11"
	"golang.org/x/sync/errgroup"

	"spangate/balancer"
	"spangate/handler"
	"spangate/policy"
	"spangate/probe"
	"spangate/telemetry"
	"spangate/telemetry/setup"
)

// config is the whole configuration, in the order of the table of variables.
type config struct {
	Balancer  balancer.Config
	Probe     probe.Config
	Policy    policy.Config
	Handler   handler.Config
	Platform  platform `env:"PLATFORM" envDefault:"auto" doc:"where it runs, which changes defaults: cloudrun, fly, kubernetes, azure, ecs or none; auto finds out"`
	Telemetry telemetry.Config
	Setup     setup.Config
}

func main() {
	// Unless told so, the SDK does not count the spans that it drops.
	if os.Getenv("OTEL_GO_X_OBSERVABILITY") == "" {
		os.Setenv("OTEL_GO_X_OBSERVABILITY", "true")
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	ctx := interruptible(context.Background(), signals, os.Exit)
	os.Exit(report(os.Stderr, command(ctx, os.Args[1:], os.Environ(), os.Stdout)))
}

// interruptible returns a context that the first signal cancels; the second
// one exits at once, with a shell's code for it. Leaving that to the signal's
// default would not do: process 1 of a container has none.
func interruptible(ctx context.Context, signals <-chan os.Signal, exit func(code int)) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		cancel(fmt.Errorf("received signal: %v", <-signals))
		exit(128 + int((<-signals).(syscall.Signal)))
	}()
	return ctx
}

// report writes why the program ends and returns its exit code: 64 (EX_USAGE)
// when whoever started it has something to correct.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return 0
	}
	if faults, ok := errors.AsType[faults](err); ok {
		fmt.Fprintln(stderr, faults)
		return 64
	}
	fmt.Fprintln(stderr, "spangate:", err)
	return 1
}

const usage = `Spangate is a reverse proxy. It is configured by environment variables:

    BACKENDS=http://app-1:3000,http://app-2:3000 PORT=8080 spangate

    spangate              serves
    spangate config       prints the effective configuration and the origin of each value
    spangate healthcheck  asks the running instance whether it is live
    spangate version      prints the version
    spangate help         prints this

`

// command does what the arguments ask for.
func command(ctx context.Context, args, environ []string, stdout io.Writer) error {
	switch arg := strings.Join(args, " "); arg {
	case "":
		return run(ctx, environ, stdout)
	case "config":
		return printConfig(environ, stdout)
	case "healthcheck":
		// Other faults are for the instance to report.
		cfg, _, _, _ := load(environ)
		return healthcheck(ctx, cfg.Handler)
	case "version":
		info, _ := debug.ReadBuildInfo()
		_, err := fmt.Fprintln(stdout, version(cmp.Or(info, &debug.BuildInfo{})))
		return err
	case "help":
		_, err := io.WriteString(stdout, usage+table())
		return err
	default:
		return faults{fmt.Sprintf("unknown argument %q: there are config, healthcheck, version and help", arg)}
	}
}

// run serves until ctx is done. It returns [faults] when environ is not a
// valid configuration.
func run(ctx context.Context, environ []string, stdout io.Writer) error {
	cfg, _, warnings, err := load(environ)
	if err != nil {
		return err
	}
	return serve(ctx, cfg, warnings, stdout)
}

// serve is the whole program, spelled out in the order in which a request
// meets it. After ctx is done it leaves in reverse order: requests in flight,
// what runs beside them, and last the delivery of telemetry.
func serve(ctx context.Context, cfg config, warnings []string, stdout io.Writer) error {
	stdoutHandler := telemetry.LogHandler(stdout, cfg.Telemetry)
	log := slog.New(stdoutHandler)
	var beside errgroup.Group
	background, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()

	sdk, sdkErr := setup.New(ctx, cfg.Setup, log, stdout)
	backends, err := balancer.New(cfg.Balancer, func(name string) (string, error) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		beside.Go(func() error { return handler.ServeEcho(background, ln, name) })
		return ln.Addr().String(), nil
	})
	if err = errors.Join(sdkErr, err); err != nil {
		return faults{err.Error()}
	}
	defer flush(sdk, cfg.Handler, log)
	if sdk.LogHandler != nil {
		log = slog.New(slog.NewMultiHandler(stdoutHandler, sdk.LogHandler))
	}
	for _, warning := range warnings {
		log.Warn(warning)
	}

	access := telemetry.NewAccessLog(cfg.Telemetry.AccessLog)
	trusted := cfg.Handler.TrustedProxies
	tel, err := telemetry.New(cfg.Telemetry, telemetry.Providers{
		Tracer: sdk.TracerProvider, Meter: sdk.MeterProvider, Propagator: sdk.Propagator,
	}, trusted, access, log)
	if err != nil {
		return err
	}
	pool := balancer.NewPool(cfg.Balancer.Algorithm.Picker(), backends...)
	for _, b := range backends {
		b.Transport = tel.Client(telemetry.ClientConfig{
			Backend: b, Algorithm: cfg.Balancer.Algorithm,
			Ready: func() int { return len(pool.Ready()) },
		}, b.Transport)
	}
	if err := tel.ObserveBackends(backends); err != nil {
		return err
	}
	failures := handler.Failures{TraceID: tel.TraceID, Report: tel.Failed}
	chain := handler.Chain(
		handler.Forward(tel.Forward(balancer.Retry(pool, cfg.Balancer.Retry)), handler.ForwardConfig{
			Trusted: trusted, ClientTimeout: cfg.Handler.ClientTimeout, Failures: failures,
		}),
		handler.Admin(cfg.Handler.AdminPrefix, readiness(ctx, backends)),
		handler.Link{Name: "telemetry", Wrap: tel.Server},
		handler.Link{Name: "timeout", Wrap: policy.Timeout(cfg.Policy.RequestTimeout)},
		handler.Link{Name: "body", Wrap: policy.MaxBody(cfg.Policy.MaxRequestBody, failures.Respond)},
	)

	ln, err := net.Listen("tcp", net.JoinHostPort(cfg.Handler.Host, strconv.Itoa(int(cfg.Handler.Port))))
	if err != nil {
		return fmt.Errorf("HOST, PORT: %w", err)
	}
	log.Info("listening", "address", ln.Addr().String(), "backends", names(backends))
	for _, b := range backends {
		beside.Go(func() error {
			if probe.Await(background, probe.TCP(b.Socket), b.URL, cfg.Probe.Timeout) == nil {
				b.MarkAnswered()
			}
			return nil
		})
	}
	if access != nil {
		beside.Go(func() error {
			if dropped := access.Run(background, stdout); dropped > 0 {
				log.Warn("access log was read too slowly", "dropped_lines", dropped)
			}
			return nil
		})
	}
	err = handler.Serve(ctx, ln, chain, cfg.Handler, log)
	leave()
	return errors.Join(err, beside.Wait())
}

// readiness returns an error while no request should be sent here: before a
// backend has answered, and once ctx is done.
func readiness(ctx context.Context, backends []*balancer.Backend) func() error {
	return func() error {
		if ctx.Err() != nil {
			return errors.New("shutting down")
		}
		if !slices.ContainsFunc(backends, (*balancer.Backend).Answered) {
			return errors.New("no backend has answered yet")
		}
		return nil
	}
}

func names(backends []*balancer.Backend) (all []string) {
	for _, b := range backends {
		all = append(all, b.Name)
	}
	return all
}

// flush delivers what telemetry is left, in the time that is kept for it.
func flush(sdk *setup.SDK, cfg handler.Config, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), handler.FlushTimeout(cfg))
	defer cancel()
	if err := sdk.Shutdown(ctx); err != nil {
		log.Warn("telemetry could not be flushed", "error", err.Error())
	}
}

func printConfig(environ []string, stdout io.Writer) error {
	_, variables, warnings, err := load(environ)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	for _, v := range variables {
		text := plain(v.text)
		if v.secret && text != "" {
			text = "***"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", v.name, v.origin, text)
	}
	for _, warning := range warnings {
		fmt.Fprintln(w, warning)
	}
	return w.Flush()
}

// healthcheck returns nil when the instance that cfg describes is live.
func healthcheck(ctx context.Context, cfg handler.Config) error {
	if cfg.Port == 0 {
		return errors.New("healthcheck: PORT must be that of the running instance")
	}
	// Without a host, or with an unspecified one, net dials the loopback.
	address := net.JoinHostPort(cfg.Host, strconv.Itoa(int(cfg.Port)))
	live := &url.URL{Scheme: "http", Host: address, Path: cfg.AdminPrefix + "/live"}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, live.String(), nil)
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	req.Host = "localhost"
	// A transport of its own, because HTTP_PROXY is not meant for this.
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return fmt.Errorf("healthcheck: %s: %w", live, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("healthcheck: %s: %s", live, resp.Status)
	}
	return nil
}

// version names the module's version (which a build inside a repository takes
// from there), the revision if known, and Go's.
func version(info *debug.BuildInfo) string {
	words := []string{"spangate", cmp.Or(info.Main.Version, "(devel)")}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			words = append(words, s.Value)
		}
	}
	return strings.Join(append(words, info.GoVersion), " ")
}

// table renders the variables as a Markdown table.
func table() string {
	var b strings.Builder
	b.WriteString("| variable | default | meaning |\n|---|---|---|\n")
	for _, v := range variablesIn(reflect.ValueOf(&config{}).Elem(), "") {
		var values []string
		if v.required {
			values = append(values, "required")
		} else if text := v.tag("envDefault"); text != "" {
			values = append(values, "`"+text+"`")
		}
		for _, p := range platforms {
			if text := p.defaults[v.name]; text != "" {
				values = append(values, fmt.Sprintf("%s: `%s`", p.name, text))
			}
		}
		meaning := v.tag("doc")
		if v.secret {
			meaning += "; `" + v.name + "_FILE` names a file to read it from"
		}
		row := fmt.Sprintf("`%s` | %s | %s", v.name, strings.Join(values, ", "), strings.ReplaceAll(meaning, "|", `\|`))
		fmt.Fprintf(&b, "| %s |\n", row)
	}
	return b.String()
}

// faults are all that is wrong with what the user wrote, a line each.
type faults []string

func (f faults) Error() string { return strings.Join(f, "\n") }

// load parses environ, in which an empty value means that a variable is not
// set. warnings are about names that may be misspelled. The error is [faults],
// all of them, the warnings behind; cfg then holds what is right.
func load(environ []string) (cfg config, variables []variable, warnings []string, err error) {
	given := env.ToMap(environ)
	maps.DeleteFunc(given, func(_, text string) bool { return text == "" })
	defaults := platformDefaults(given)
	maps.DeleteFunc(given, func(name, text string) bool {
		return serviceLink.MatchString(name+"="+text) || name == "PLATFORM" && text == "auto"
	})
	var wrong faults
	var known []string
	variables = variablesIn(reflect.ValueOf(&cfg).Elem(), "")
	for i := range variables {
		v := &variables[i]
		err := v.choose(given, defaults)
		if err == nil && v.text != "" {
			err = v.set()
		}
		if err != nil {
			wrong = append(wrong, err.Error())
		}
		known = append(known, v.name)
		if v.secret {
			known = append(known, v.name+"_FILE")
		}
	}
	unknown, warnings := strays(given, known)
	if wrong = append(wrong, unknown...); len(wrong) > 0 {
		err = append(wrong, warnings...)
	}
	return cfg, variables, warnings, err
}

// serviceLink matches what Kubernetes and Docker tell of a neighbour, who may be
// called backend, or admin.
var serviceLink = regexp.MustCompile(`^[^=]+_(SERVICE_HOST|SERVICE_PORT(_[^=]+)?|PORT_\d+_(TCP|UDP|SCTP)(_[^=]+)?)=|^[^=]+_PORT=(tcp|udp|sctp)://`)

// A variable is a field of the configuration that has an env tag.
type variable struct {
	name             string
	required, secret bool
	field            reflect.StructField
	value            reflect.Value
	text             string
	origin           string // set, file, platform or default
}

func variablesIn(group reflect.Value, prefix string) (all []variable) {
	for field, value := range group.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("env"), ",")
		secret := field.Tag.Get("secret") == "true"
		switch {
		case name == "-" || !field.IsExported():
		case name != "":
			all = append(all, variable{prefix + name, options == "required", secret, field, value, "", ""})
		case value.Kind() == reflect.Struct:
			all = append(all, variablesIn(value, prefix+field.Tag.Get("envPrefix"))...)
		}
	}
	return all
}

func (v *variable) tag(key string) string { return v.field.Tag.Get(key) }

// choose finds the variable's text: what was set, or else the default of the
// platform, or else its own.
func (v *variable) choose(given, defaults map[string]string) (err error) {
	if file := v.name + "_FILE"; v.secret && given[file] != "" {
		v.origin = "file"
		if given[v.name] != "" {
			return fault(file, given[file], fmt.Errorf("%s is set too", v.name))
		}
		v.text, err = readSecret(given[file])
		return fault(file, given[file], err)
	}
	switch {
	case given[v.name] != "":
		v.text, v.origin = given[v.name], "set"
	case defaults[v.name] != "":
		v.text, v.origin = defaults[v.name], "platform"
	default:
		v.text, v.origin = v.tag("envDefault"), "default"
	}
	switch example := v.tag("example"); {
	case v.text != "" || !v.required:
		return nil
	case example != "":
		return fmt.Errorf("%s: required, e.g. %s", v.name, example)
	default:
		return fmt.Errorf("%s: required: %s", v.name, v.tag("doc"))
	}
}

const maxSecret = 64 << 10

// readSecret refuses an empty file: unlike an empty variable, it is hardly
// meant to say that what the secret protects is open.
func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", errors.Unwrap(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	text := strings.TrimRight(string(b), "\r\n")
	switch {
	case err != nil:
		return "", errors.Unwrap(err)
	case len(b) > maxSecret:
		return "", fmt.Errorf("is larger than %d KiB", maxSecret>>10)
	case text == "":
		return "", errors.New("is empty")
	}
	return text, nil
}

// set gives the field the value that the text stands for.
func (v *variable) set() error {
	value, err := v.parse(v.text)
	if least := v.tag("min"); err == nil && least != "" {
		if floor, _ := v.parse(least); value.Int() < floor.Int() {
			err = fmt.Errorf("must be at least %s", least)
		}
	}
	switch {
	case err == nil:
		v.value.Set(value)
		return nil
	case v.secret: // whose reason may quote the value
		return fmt.Errorf("%s: malformed; expected: %s", v.name, v.tag("doc"))
	default:
		return fault(v.name, v.text, err)
	}
}

// parse converts text as package env does, but in a struct of one field: env's
// errors name the field, and several structs have one of that name.
func (v *variable) parse(text string) (reflect.Value, error) {
	field := reflect.StructField{Name: v.field.Name, Type: v.field.Type, Tag: `env:"V" ` + v.field.Tag}
	alone := reflect.New(reflect.StructOf([]reflect.StructField{field}))
	err := env.ParseWithOptions(alone.Interface(), env.Options{Environment: map[string]string{"V": text}})
	if perr, ok := errors.AsType[env.ParseError](err); ok {
		err = reason(v.field.Type, perr.Err)
	}
	return alone.Elem().Field(0), err
}

// reason words what t expects, unless t is a type of ours, which does so itself.
func reason(t reflect.Type, err error) error {
	zero := reflect.Zero(t)
	switch _, speaks := reflect.New(t).Interface().(encoding.TextUnmarshaler); {
	case t == reflect.TypeFor[slog.Level]():
		return errors.New("must be debug, info, warn or error")
	case speaks:
		return err
	case t == reflect.TypeFor[time.Duration]():
		return errors.New("must be a duration such as 500ms, 10s or 1m30s")
	case t.Kind() == reflect.Bool:
		return errors.New("must be true or false")
	case zero.CanUint():
		return fmt.Errorf("must be a whole number from 0 to %d", uint64(1)<<t.Bits()-1)
	case zero.CanInt() && errors.Is(err, strconv.ErrRange):
		return errors.New("is out of range")
	case zero.CanInt():
		return errors.New("must be a whole number")
	}
	return err
}

// fault returns an error of one line, whatever the text; nil if err is nil.
func fault(name, text string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s=%.200q: %.500s", name, credentials.ReplaceAllString(text, "//***@"), plain(err.Error()))
}

// credentials of a URL; rather too much than too little.
var credentials = regexp.MustCompile(`(?s)//.*@`)

// plain returns text as it may be shown: in one line, without credentials.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, credentials.ReplaceAllString(text, "//***@"))
}

// prefixes are ours alone once a known name has them: nobody else in a
// container reads a variable that begins so.
var prefixes = []string{"BACKEND_", "BACKENDS_", "BALANCER_", "CORS_", "OUTLIER_", "PROBE_", "RATE_", "RETRY_", "SHUTDOWN_"}

// strays returns a line for each given name that is not known but seems to be
// meant for us. It is wrong under a prefix of ours, and a warning when it is
// one or two slips away from a known name; not from HOST, PORT and the like,
// to which too much is near.
func strays(given map[string]string, known []string) (wrong, warnings []string) {
	ours := func(name string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool {
			return strings.HasPrefix(name, p) && slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(k+"_", p) })
		})
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if slices.Contains(known, name) {
			continue
		}
		near, slips := nearest(strings.ToUpper(name), known)
		line := fmt.Sprintf("%s: unknown; did you mean %s?", plain(name), near)
		switch {
		case ours(name):
			wrong = append(wrong, line)
		case slips <= 2 && len(near) >= len("BACKENDS"):
			warnings = append(warnings, line)
		}
	}
	return wrong, warnings
}

// nearest returns the known name that is most likely meant, and how many slips
// name is from it. Letters left out count half, because people shorten names:
// CORS_ORIGINS means CORS_ALLOWED_ORIGINS rather than CORS_MAX_AGE.
func nearest(name string, known []string) (near string, slips int) {
	cost := func(k string) int { return 2*distance(name, k) - max(0, len(k)-len(name)) }
	near = slices.MinFunc(known, func(a, b string) int { return cost(a) - cost(b) })
	return near, distance(name, near)
}

// distance counts the letters to insert, drop or change to make a of b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		change := row[0]
		row[0] = i + 1
		for j := range len(b) {
			if a[i] != b[j] {
				change++
			}
			change, row[j+1] = row[j+1], min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// A platform is the name of an entry of platforms, or auto.
type platform string

// platforms stand in the order in which auto looks for their marks. Kubernetes
// comes before Cloud Run because Knative, on any cluster, sets K_SERVICE too.
var platforms = []struct {
	name     string
	mark     string // a variable that it sets
	defaults map[string]string
}{
	{"fly", "FLY_APP_NAME", map[string]string{"SHUTDOWN_TIMEOUT": "4500ms"}},
	{"azure", "CONTAINER_APP_NAME", map[string]string{"SHUTDOWN_TIMEOUT": "25s"}},
	{"ecs", "ECS_CONTAINER_METADATA_URI_V4", map[string]string{"SHUTDOWN_TIMEOUT": "25s"}},
	{"kubernetes", "KUBERNETES_SERVICE_HOST", map[string]string{"SHUTDOWN_TIMEOUT": "25s", "SHUTDOWN_DELAY": "5s"}},
	{"cloudrun", "K_SERVICE", map[string]string{"SHUTDOWN_TIMEOUT": "9s"}},
	{"none", "", nil},
}

// UnmarshalText accepts the name of a platform.
func (p *platform) UnmarshalText(text []byte) error {
	names := []string{"auto"}
	for _, known := range platforms {
		names = append(names, known.name)
	}
	if !slices.Contains(names, string(text)) {
		return fmt.Errorf("must be one of %s", strings.Join(names, ", "))
	}
	*p = platform(text)
	return nil
}

// platformDefaults returns the defaults of the platform that PLATFORM names,
// or that left its mark in the environment, and PLATFORM itself.
func platformDefaults(given map[string]string) map[string]string {
	name := cmp.Or(given["PLATFORM"], "auto")
	defaults := map[string]string{}
	for _, p := range platforms {
		if name == p.name || name == "auto" && (p.mark == "" || given[p.mark] != "") {
			maps.Copy(defaults, p.defaults)
			defaults["PLATFORM"] = p.name
			break
		}
	}
	return defaults
}
