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
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"spangate/balancer"
	"spangate/handler"
	"spangate/handler/environ"
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
	Platform  environ.Platform `env:"PLATFORM" envDefault:"auto" doc:"where it runs, which changes defaults: cloudrun, fly, kubernetes, azure, ecs or none; auto finds out"`
	Telemetry telemetry.Config
	Setup     setup.Config
}

// check returns what is wrong with variables that are right by themselves: all
// for which a part would refuse to start.
func (c *config) check() error {
	return errors.Join(c.Balancer.Check(), c.Probe.Validate(), c.Handler.Check(), c.Setup.Check())
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
type faults = environ.Faults

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
func command(ctx context.Context, args, env []string, stdout io.Writer) error {
	switch arg := strings.Join(args, " "); arg {
	case "":
		return run(ctx, env, stdout)
	case "config":
		return printConfig(env, stdout)
	case "healthcheck":
		var cfg config
		environ.Load(&cfg, env) // other faults are for the instance to report
		return healthcheck(ctx, cfg.Handler)
	case "version":
		info, _ := debug.ReadBuildInfo()
		_, err := fmt.Fprintln(stdout, version(cmp.Or(info, &debug.BuildInfo{})))
		return err
	case "help":
		_, err := io.WriteString(stdout, usage+environ.Table(&config{}))
		return err
	default:
		return faults{fmt.Sprintf("unknown argument %q: there are config, healthcheck, version and help", arg)}
	}
}

// run serves until ctx is done. It returns [faults] when env is not a valid
// configuration.
func run(ctx context.Context, env []string, stdout io.Writer) error {
	var cfg config
	_, warnings, err := environ.Load(&cfg, env, cfg.check)
	if err != nil {
		return err
	}
	return serve(ctx, cfg, warnings, stdout)
}

// serve is the whole program, spelled out in the order in which a request
// meets it. After ctx is done it leaves in reverse order: requests in flight,
// what runs beside them, and last the delivery of telemetry.
func serve(ctx context.Context, cfg config, warnings []string, stdout io.Writer) error {
	lines := telemetry.NewLines(stdout)
	go lines.Run()
	defer lines.Close(handler.FlushTimeout(cfg.Handler) / 2)
	stdoutHandler := telemetry.LogHandler(lines, cfg.Telemetry)
	log := slog.New(stdoutHandler)
	var beside errgroup.Group
	background, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()

	cfg.Setup.Version = release
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
		return err
	}
	defer flush(sdk, cfg.Handler, log)
	if sdk.LogHandler != nil {
		log = slog.New(slog.NewMultiHandler(stdoutHandler, sdk.LogHandler))
	}
	for _, warning := range warnings {
		log.Warn(warning)
	}

	access := telemetry.NewAccessLog(cfg.Telemetry.AccessLog, lines)
	trusted := cfg.Handler.TrustedProxies
	providers := telemetry.Providers{Tracer: sdk.TracerProvider, Meter: sdk.MeterProvider, Propagator: sdk.Propagator}
	if cfg.Setup.Disabled {
		providers.Propagator = nil
	}
	tel, err := telemetry.New(cfg.Telemetry, providers, trusted, access, log)
	if err != nil {
		return err
	}
	discoveries, err := balancer.Discoveries(cfg.Balancer, nil)
	if err != nil {
		return err
	}
	sticky := balancer.NewSticky(cfg.Balancer.StickyCookie, cfg.Balancer.Algorithm.Picker(cfg.Balancer.HashKey.Func(func(r *http.Request) string {
		return handler.OutgoingClientAddr(r, trusted).String()
	})))
	cfg.Balancer.Pool.Changed = tel.StateChanged
	pool := balancer.NewPool(sticky.Pick, cfg.Balancer.Pool)
	fleet := &fleet{cfg: cfg, tel: tel, pool: pool, ctx: background, beside: &beside}
	fleet.change(backends, nil)
	cfg.Balancer.Retry.Wait = tel.RetryWait(balancer.Wait)
	cfg.Balancer.Retry.Stopped = tel.RetryStopped
	cfg.Balancer.Retry.Answered = sticky.Bind
	retrier := balancer.Retry(pool, cfg.Balancer.Retry)
	if err := errors.Join(tel.ObserveBackends(pool.Members), tel.ObserveBudget(retrier.BudgetLeft)); err != nil {
		return err
	}
	failures := handler.Failures{TraceID: tel.TraceID, Report: tel.Failed}
	chain := handler.Chain(
		handler.Forward(tel.Forward(retrier), handler.ForwardConfig{
			Trusted: trusted, ClientTimeout: cfg.Handler.ClientTimeout, Failures: failures,
		}),
		handler.Link{Name: "probes", Wrap: fleet.onDemand()},
		handler.Admin(cfg.Handler.AdminPrefix, readiness(ctx, pool)),
		handler.Link{Name: "telemetry", Wrap: tel.Server},
		handler.Link{Name: "timeout", Wrap: policy.Timeout(cfg.Policy.RequestTimeout)},
		handler.Link{Name: "body", Wrap: policy.MaxBody(cfg.Policy.MaxRequestBody, failures.Respond)},
	)

	ln, err := net.Listen("tcp", net.JoinHostPort(string(cfg.Handler.Host), strconv.Itoa(int(cfg.Handler.Port))))
	if err != nil {
		return fmt.Errorf("HOST, PORT: %w", err)
	}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	log.Info("listening", "address", ln.Addr().String(), "url", "http://"+net.JoinHostPort(cmp.Or(string(cfg.Handler.Host), "localhost"), port), "backends", names(cfg.Balancer.Backends))
	for _, d := range discoveries {
		beside.Go(func() error {
			d.Run(background, func(found balancer.Discovered) {
				fleet.change(found.Joined, found.Left)
				logDiscovered(log, found)
			})
			return nil
		})
	}
	err = handler.Serve(ctx, ln, chain, cfg.Handler, log)
	leave()
	if dropped := lines.Dropped(); dropped > 0 {
		log.Warn("the log was read too slowly", "lines_dropped", dropped)
	}
	return errors.Join(err, beside.Wait())
}

// fleet is the backends as they come and go, each watched while it is there.
type fleet struct {
	cfg    config
	tel    *telemetry.Telemetry
	pool   *balancer.Pool
	ctx    context.Context // ends the watching of all
	beside *errgroup.Group

	mu       sync.Mutex
	watched  map[*balancer.Backend]context.CancelFunc
	watchers map[*balancer.Backend]*probe.Watcher
	all      atomic.Pointer[[]*probe.Watcher]
}

// change takes backends in and lets others go.
func (f *fleet) change(joined, left []*balancer.Backend) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.watched == nil {
		f.watched, f.watchers = map[*balancer.Backend]context.CancelFunc{}, map[*balancer.Backend]*probe.Watcher{}
	}
	for _, b := range joined {
		f.watchers[b] = f.attend(b)
	}
	f.pool.Change(joined, left)
	for _, b := range joined {
		ctx, cancel := context.WithCancel(f.ctx)
		watcher := f.watchers[b]
		f.watched[b] = cancel
		f.beside.Go(func() error {
			watcher.Run(ctx) // returns why ctx ended
			return nil
		})
	}
	for _, b := range left {
		f.watched[b]()
		delete(f.watched, b)
		delete(f.watchers, b)
	}
	all := slices.Collect(maps.Values(f.watchers))
	f.all.Store(&all)
}

// attend lets telemetry see what is sent to b, and returns what watches it:
// probes, and the fate of its requests.
func (f *fleet) attend(b *balancer.Backend) *probe.Watcher {
	b.Transport = f.tel.Client(telemetry.ClientConfig{
		Backend: b, Algorithm: f.cfg.Balancer.Algorithm,
		Ready: func() int { return len(f.pool.Ready()) },
	}, b.Transport)
	outlier := probe.NewOutlier(f.cfg.Probe.Outlier, func(d time.Duration) bool { return f.pool.Eject(b, d) })
	check := f.cfg.Probe.Check(f.tel.ProbeClient(b.Probes), "", cmp.Or(b.Socket, b.Address))
	watched := f.tel.Check(b, f.cfg.Probe.Kind(), func(ctx context.Context, u *url.URL) error {
		err := check(ctx, u)
		if err == nil {
			b.MarkAnswered()
		}
		if outlier.Probed(err) {
			f.pool.Readmit(b)
		}
		return err
	})
	watcher := probe.NewWatcher(f.cfg.Probe, b.URL, watched, func(c probe.Change) { f.pool.Probed(b, c.Fit, c.Err) })
	b.Attempted = func(resp *http.Response, err *balancer.Error) {
		failed := f.cfg.Balancer.Pool.FailedOn.Failed(resp, err)
		outlier.Observe(!failed)
		if failed {
			watcher.Suspect()
		}
	}
	return watcher
}

// onDemand returns what makes requests probe where timers cannot, or nil.
func (f *fleet) onDemand() func(http.Handler) http.Handler {
	if f.cfg.Probe.Mode != probe.ModeOnDemand {
		return nil
	}
	return probe.OnDemand(func() []*probe.Watcher { return *f.all.Load() })
}

func logDiscovered(log *slog.Logger, found balancer.Discovered) {
	if found.Err != nil {
		log.Warn("backends could not be looked up", "name", found.Name, "backends", len(found.Backends), "error", found.Err.Error())
		return
	}
	log.Info("backends found", "name", found.Name, "backends", len(found.Backends), "joined", len(found.Joined), "left", len(found.Left))
}

// readiness returns an error while no request should be sent here: before a
// backend has answered, and once ctx is done.
func readiness(ctx context.Context, pool *balancer.Pool) func() error {
	return func() error {
		if ctx.Err() != nil {
			return errors.New("shutting down")
		}
		if !slices.ContainsFunc(pool.Members(), (*balancer.Backend).Answered) {
			return errors.New("no backend has answered yet")
		}
		return nil
	}
}

func names(members balancer.Members) (all []string) {
	for _, m := range members {
		all = append(all, m.Name)
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

func printConfig(env []string, stdout io.Writer) error {
	var cfg config
	variables, warnings, err := environ.Load(&cfg, env, cfg.check)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	for _, v := range variables {
		fmt.Fprintf(w, "%s\t%s\t%s\n", v.Name, v.Origin, v.Shown())
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
	address := net.JoinHostPort(string(cfg.Host), strconv.Itoa(int(cfg.Port)))
	live := &url.URL{Scheme: "http", Host: address, Path: string(cfg.AdminPrefix) + "/live"}
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

// release is the version of an image, set by the linker.
var release string

// version names the release, or else the module's version (which a build inside
// a repository takes from there), the revision if known, and Go's.
func version(info *debug.BuildInfo) string {
	words := []string{"spangate", cmp.Or(release, info.Main.Version, "(devel)")}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			words = append(words, s.Value)
		}
	}
	return strings.Join(append(words, info.GoVersion), " ")
}
