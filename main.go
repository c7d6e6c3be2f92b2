// Spangate is a reverse proxy that is configured by environment variables and
// makes each of its decisions about a request visible in OpenTelemetry.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"spangate/balancer"
	"spangate/handler"
	"spangate/handler/admin"
	"spangate/handler/config"
	"spangate/handler/fault"
	"spangate/handler/field"
	"spangate/handler/wire"
	"spangate/policy"
	"spangate/policy/redis"
	"spangate/probe"
	"spangate/telemetry"
	"spangate/telemetry/export"
)

// Config is the whole configuration, in the order of the table of variables.
type Config struct {
	Balancer  balancer.Config
	Probe     probe.Config
	Policy    policy.Config
	Shared    redis.Config
	Wire      wire.Config
	Admin     admin.Config
	Origin    handler.Origin
	Platform  config.Platform `env:"PLATFORM" envDefault:"auto" auto:"none" doc:"where it runs, which changes defaults: cloudrun, fly, kubernetes, azure, ecs or none; auto finds out"`
	Memory    config.Memory
	Telemetry telemetry.Config
}

// check returns what is wrong with variables that are right by themselves: all
// for which a part would refuse to start.
func (c *Config) check() error {
	wrong := errors.Join(c.Balancer.Check(), c.Policy.Check(), c.Shared.Check(), c.Wire.Check(), c.Telemetry.Export.Check())
	key, _ := c.Balancer.HashKey.MarshalText()
	if header, ok := strings.CutPrefix(string(key), "header:"); ok && c.Policy.Auth.Takes(header) {
		wrong = errors.Join(wrong, config.Wrong(&c.Balancer.HashKey, "is not there any more when a backend is chosen"))
	}
	return wrong
}

func main() {
	signal.Ignore(syscall.SIGPIPE) // that nobody reads the log is no reason to end
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

// faults are all that is wrong with what the user wrote, a line each.
type faults = config.Faults

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
	fmt.Fprintf(stderr, "spangate: %s\n", handler.Visible([]byte(err.Error())))
	return 1
}

// command does what the arguments ask for.
func command(ctx context.Context, args, env []string, stdout io.Writer) error {
	if slices.Contains(args, "-h") || slices.Contains(args, "--help") {
		args = []string{"help"}
	}
	switch arg := strings.Join(args, " "); arg {
	case "":
		return run(ctx, env, stdout)
	case "config", "config --changed":
		return printed(printConfig(env, len(args) > 1, stdout))
	case "healthcheck", "status":
		var cfg Config
		config.Load(&cfg, env) // other faults are for the instance to report
		if arg == "status" {
			return printed(printStatus(ctx, cfg, stdout))
		}
		return healthcheck(ctx, cfg)
	case "version", "--version":
		info, _ := debug.ReadBuildInfo()
		_, err := fmt.Fprintln(stdout, version(cmp.Or(info, &debug.BuildInfo{})))
		return printed(err)
	case "help":
		return printed(config.Explain(&Config{}, "", stdout))
	default:
		if len(args) == 2 && args[0] == "help" {
			return printed(config.Explain(&Config{}, args[1], stdout))
		}
		return faults{fmt.Sprintf("unknown argument %q: there are config, healthcheck, status, version and help", arg)}
	}
}

// printed returns err, unless all that it says is that whoever reads has read
// enough.
func printed(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}

// run serves until ctx is done. It returns [faults] when env is not a valid
// configuration.
func run(ctx context.Context, env []string, stdout io.Writer) error {
	var cfg Config
	_, warnings, err := config.Load(&cfg, env, cfg.check)
	if err != nil {
		return err
	}
	cfg.Memory.Apply()
	process := telemetry.Process{Version: release, Platform: string(cfg.Platform), Environ: env}
	return serve(ctx, cfg, process, warnings, stdout)
}

// serve is the whole program, spelled out in the order in which a request
// meets it. After ctx is done it leaves in reverse order: requests in flight,
// what runs beside them, and last the delivery of telemetry.
func serve(ctx context.Context, cfg Config, process telemetry.Process, warnings []string, stdout io.Writer) (err error) {
	listeners, err := wire.Listen(ctx, cfg.Wire) // a port in use is the first thing to know, and the last
	if err != nil {
		return err
	}
	defer listeners.Close()
	var beside errgroup.Group
	background, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()

	tel, err := telemetry.New(cfg.Telemetry, process, stdout)
	if err != nil {
		return err
	}
	defer func() {
		var cause error
		if err == nil {
			cause = context.Cause(ctx)
		}
		tel.Flush(cfg.Wire.FlushTimeout(), cause)
	}()
	log := tel.Log
	info, _ := debug.ReadBuildInfo()
	log.Info("starting", "version", versionOf(cmp.Or(info, &debug.BuildInfo{})), "platform", string(cfg.Platform), "platform_found_by", cmp.Or(cfg.Platform.FoundBy(process.Environ), "no mark"))
	for _, warning := range warnings {
		log.Warn(warning)
	}
	log.LogAttrs(ctx, slog.LevelInfo, "telemetry", tel.Destinations()...)
	log.LogAttrs(ctx, slog.LevelInfo, "doors", cfg.Policy.Doors()...)

	fields := field.NewSet(append(cfg.Policy.Fields(), string(cfg.Origin.Header), cfg.Balancer.HashKey.Header())...)
	notice := &fault.Notice{Log: log}
	listening := tel.Balancer(cfg.Balancer.Algorithm)
	listening.Failed = notice.Saw
	pool, err := balancer.New(cfg.Balancer, cfg.Probe, listening)
	if err != nil {
		return err
	}
	retrier := balancer.Retry(pool)
	if err := errors.Join(tel.ObserveBackends(pool.Members), tel.ObserveBudget(retrier.BudgetLeft)); err != nil {
		return err
	}
	failures := handler.Failures{TraceID: tel.TraceID, Report: tel.Failed}
	refuse := tel.Refuse(failures.Refuse)
	hooks := tel.Policies()
	auth := policy.NewAuth(cfg.Policy.Auth, refuse, hooks)
	limits, err := newRateLimit(cfg, tel)
	if err != nil {
		return err
	}
	concurrency := policy.NewConcurrency(cfg.Policy.Concurrency, refuse, hooks)
	if concurrency != nil {
		if err := tel.ObserveConcurrency(concurrency.Active, concurrency.Queued); err != nil {
			return err
		}
	}
	endpoints := admin.Endpoints{
		Prefix: cfg.Admin.Prefix, Origin: cfg.Origin,
		Ready: readiness(ctx, pool), Status: func() any { return statusOf(pool, limits, concurrency, tel.Status()) },
	}
	adminLink := admin.Before(endpoints)
	if listeners.Admin != nil {
		adminLink = nil
	}
	flushing := tel.InRequests()
	chain := handler.Stack{
		{Name: "flush", Wrap: flushing},
		{Name: "probes", Wrap: pool.OnDemand},
		{Name: "fields", Wrap: handler.Fields(fields)},
		{Name: "admin", Wrap: adminLink},
		{Name: "client", Wrap: handler.Identify(cfg.Origin)},
		{Name: "telemetry", Wrap: tel.Server},
		{Name: "max headers", Wrap: handler.MaxHeaders(cfg.Wire.MaxHeaders, failures)},
		{Name: "request id", Wrap: policy.RequestID(cfg.Policy.RequestID, hooks)},
		{Name: "timeout", Wrap: policy.Timeout(cfg.Policy.RequestTimeout)},
		{Name: "cors", Wrap: policy.CORS(cfg.Policy.CORS, refuse)},
		{Name: "access", Wrap: policy.Access(cfg.Policy.Access, refuse)},
		{Name: "auth", Wrap: auth.Wrap},
		{Name: "rate limit", Wrap: policy.RateLimit(cfg.Policy.RateLimit, limits.decide, refuse)},
		{Name: "concurrency", Wrap: concurrency.Wrap},
		{Name: "body", Wrap: policy.MaxBody(cfg.Policy.MaxRequestBody, refuse)},
	}.Over(handler.Forward(tel.Forward(retrier), handler.ForwardConfig{
		Fields: fields, ClientTimeout: cfg.Wire.ClientTimeout, Failures: failures,
	}))

	if listeners.Admin != nil {
		// It serves until the requests have been drained, and then has no time of
		// its own: what is left of SHUTDOWN_TIMEOUT is for telemetry.
		brief := cfg.Wire
		brief.ShutdownDelay, brief.ShutdownTimeout = 0, cfg.Wire.ShutdownTimeout/100
		beside.Go(func() error {
			return wire.Serve(background, wire.Watched(listeners.Admin, notice.Saw), handler.Stack{{Name: "flush", Wrap: flushing}, {Name: "fields", Wrap: handler.Fields(fields)}}.Over(admin.Handler(endpoints)), brief, log)
		})
	}
	if limits.run != nil {
		beside.Go(func() error {
			limits.run(background) // returns why background ended
			return nil
		})
	}
	beside.Go(func() error { return auth.Run(background) })
	log.Info("listening", "address", listeners.Requests.Addr().String(), "url", cfg.Wire.URL(listeners.Requests), "backends", names(cfg.Balancer.Backends))
	if listeners.Admin != nil {
		log.Info("listening for the proxy's own endpoints", "address", listeners.Admin.Addr().String(), "url", cfg.Wire.URL(listeners.Admin)+string(cfg.Admin.Prefix))
	}
	beside.Go(func() error { return pool.Run(background) })
	err = wire.Serve(ctx, wire.Watched(listeners.Requests, notice.Saw), chain, cfg.Wire, log)
	leave()
	return errors.Join(err, beside.Wait())
}

// rateLimit is the limit on requests, by whoever keeps the counts.
type rateLimit struct {
	decide policy.Limiter
	keys   func() int
	run    func(context.Context) error // what is to be done beside decisions; nil: nothing
	shared *redis.Store                // nil: the counts are this instance's own
}

func newRateLimit(cfg Config, tel *telemetry.Telemetry) (rateLimit, error) {
	limits, maxKeys := cfg.Policy.RateLimit.Effective(), cfg.Policy.RateLimit.MaxKeys
	if len(limits) == 0 {
		return rateLimit{}, nil
	}
	var l rateLimit
	if cfg.Shared.RedisURL == "" {
		memory := policy.NewMemoryLimiter(limits, maxKeys)
		l = rateLimit{decide: memory.Limit, keys: memory.Keys}
	} else {
		store, err := redis.New(cfg.Shared, limits, maxKeys, tel.StoreChanged(string(cfg.Shared.OnError)))
		if err != nil {
			return rateLimit{}, err
		}
		l = rateLimit{decide: store.Limit, keys: store.Keys, run: store.Run, shared: store}
	}
	l.decide = tel.Limiter(l.decide, cfg.Policy.RateLimit)
	return l, tel.ObserveKeys(l.keys)
}

// instance is what the status endpoint shows of this one.
type instance struct {
	Backends    []backendStatus    `json:"backends"`
	RateLimit   *rateLimitStatus   `json:"rate_limit,omitempty"`
	Concurrency *concurrencyStatus `json:"concurrency,omitempty"`
	Telemetry   []export.Status    `json:"telemetry,omitempty"`
}

type backendStatus struct {
	Name    string         `json:"name"`
	Address string         `json:"address,omitempty"` // of a member of a name
	State   balancer.State `json:"state"`
	Serves  bool           `json:"serves"` // it may be picked: also one that is ejected, when no other may, and any below PANIC_THRESHOLD
	Active  int64          `json:"active_requests"`
}

type rateLimitStatus struct {
	Keys      int          `json:"keys"`
	Store     policy.Store `json:"store,omitempty"` // who decides now; none with RATE_LIMIT_ON_STORE_ERROR=allow or deny
	Instances int          `json:"instances,omitempty"`
	Since     *time.Time   `json:"degraded_since,omitempty"`
	Why       string       `json:"degraded_because,omitempty"`
}

type concurrencyStatus struct {
	Active int64 `json:"active"`
	Queued int64 `json:"queued"`
}

func statusOf(pool *balancer.Pool, limits rateLimit, concurrency *policy.Concurrency, delivery []export.Status) instance {
	s := instance{Telemetry: delivery}
	ready := pool.Ready()
	for _, b := range pool.Members() {
		s.Backends = append(s.Backends, backendStatus{Name: b.Name, Address: b.Address, State: b.State(), Serves: slices.Contains(ready, b), Active: b.Active()})
	}
	if limits.decide != nil {
		s.RateLimit = &rateLimitStatus{Keys: limits.keys(), Store: policy.StoreMemory}
	}
	if limits.shared != nil {
		s.RateLimit.Store, s.RateLimit.Instances = limits.shared.Decides(), limits.shared.Instances()
		if since, why, degraded := limits.shared.Degraded(); degraded {
			s.RateLimit.Since, s.RateLimit.Why = &since, fmt.Sprintf("%.500s", why)
		}
	}
	if concurrency != nil {
		s.Concurrency = &concurrencyStatus{concurrency.Active(), concurrency.Queued()}
	}
	return s
}

// readiness returns an error while no request should be sent here: before the
// pool has started, and once ctx is done.
func readiness(ctx context.Context, pool *balancer.Pool) func() error {
	return func() error {
		if ctx.Err() != nil {
			return errors.New("shutting down")
		}
		return pool.Started()
	}
}

func names(members balancer.Members) (all []string) {
	for _, m := range members {
		all = append(all, m.Name)
	}
	return all
}

// healthcheck returns nil when the instance that cfg describes is live.
func healthcheck(ctx context.Context, cfg Config) error {
	if _, err := admin.Ask(ctx, cfg.Wire, cfg.Admin.Prefix, "live"); err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	return nil
}

// printStatus prints what the instance that cfg describes says of itself.
func printStatus(ctx context.Context, cfg Config, stdout io.Writer) error {
	status, err := admin.Ask(ctx, cfg.Wire, cfg.Admin.Prefix, "status")
	if err != nil {
		return fmt.Errorf("status: %w", err)
	}
	_, err = stdout.Write(status)
	return err
}

// release is the version of an image, set by the linker.
var release string

// version names the release, or else the module's version (which a build inside
// a repository takes from there), the revision if known, and Go's.
func version(info *debug.BuildInfo) string {
	words := []string{"spangate", versionOf(info)}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			words = append(words, s.Value)
		}
	}
	return strings.Join(append(words, info.GoVersion), " ")
}

func versionOf(info *debug.BuildInfo) string { return cmp.Or(release, info.Main.Version, "(devel)") }

// printConfig prints what env configures.
func printConfig(env []string, changedOnly bool, stdout io.Writer) error {
	var cfg, usual Config
	variables, warnings, err := config.Load(&cfg, env, cfg.check)
	if err != nil {
		return err
	}
	defaults, _, err := config.Load(&usual, []string{"BACKENDS=echo:any", "PLATFORM=none"})
	if err != nil {
		return err
	}
	set, unset := config.Setting{Variables: variables, InForce: cfg.inForce()}, config.Setting{Variables: defaults, InForce: usual.inForce()}
	err = config.PrintInForce(set, unset, changedOnly, stdout)
	for _, warning := range warnings {
		fmt.Fprintln(stdout, warning)
	}
	return err
}

// inForce returns, by its address, what comes of fields that leave it to others.
func (c *Config) inForce() map[any]string {
	all := map[any]string{}
	for _, part := range []interface{ InForce() map[any]string }{&c.Balancer, &c.Probe, &c.Policy.RateLimit, &c.Wire, &c.Telemetry.Export} {
		maps.Copy(all, part.InForce())
	}
	return all
}
