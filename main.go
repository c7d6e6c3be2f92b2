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
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"spangate/handler"
	"spangate/handler/admin"
	"spangate/handler/certificate"
	"spangate/handler/config"
	"spangate/handler/field"
	"spangate/handler/route"
	"spangate/handler/supervise"
	"spangate/handler/version"
	"spangate/handler/wire"
	"spangate/policy"
	"spangate/telemetry"
)

// Config is the whole configuration, in the order in which it is printed.
type Config struct {
	Route     route.Config
	Routes    route.Routes
	Wire      wire.Config
	HTTPS     policy.HTTPSConfig
	Admin     admin.Config
	Origin    handler.Origin
	Platform  config.Platform `env:"PLATFORM" envDefault:"auto" auto:"none" doc:"where it runs, which changes defaults: cloudrun, fly, kubernetes, azure, ecs or none; auto finds out"`
	Memory    config.Memory
	Telemetry telemetry.Config
}

// check returns what is wrong with variables that are right by themselves: all
// for which a part would refuse to start.
func (c *Config) check() error {
	wrong := []error{c.Route.Check(), c.Routes.Check(&c.Route, c.Wire.TLS.On()), c.Wire.Check(c.Telemetry.Export.Scraped()), c.Origin.CheckNeeded(&c.Wire.ProxyProtocol), c.Telemetry.Export.Check()}
	for _, way := range c.Routes.Ways(&c.Route) {
		wrong = append(wrong, c.HTTPS.Check(&c.Wire.TLS, &way.Policy.Auth))
	}
	return errors.Join(wrong...)
}

func main() {
	signal.Ignore(syscall.SIGPIPE) // that nobody reads the log is no reason to end
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	ctx := supervise.Interruptible(context.Background(), signals, os.Exit)
	os.Exit(report(os.Stderr, command(ctx, os.Args[1:], os.Environ(), os.Stdout)))
}

// report writes why the program ends and returns its exit code: 64 (EX_USAGE)
// when whoever started it has something to correct.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return 0
	}
	if faults, ok := errors.AsType[config.Faults](err); ok {
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
	var err error
	switch arg := strings.Join(args, " "); arg {
	case "":
		return run(ctx, env, stdout)
	case "config", "config --changed":
		var cfg, usual Config
		err = config.Print(&cfg, &usual, env, cfg.check, len(args) > 1, stdout)
	case "healthcheck", "status":
		var cfg Config
		config.Load(&cfg, env) // other faults are for the instance to report
		err = admin.Ask(ctx, cfg.Wire, cfg.Admin, cfg.Origin, arg, stdout)
	case "version", "--version":
		_, err = fmt.Fprintln(stdout, "spangate", version.Long())
	case "help":
		err = config.Explain(&Config{}, "", stdout)
	default:
		switch {
		case args[0] == "route":
			var cfg, same, usual Config
			holds := func(name string) error { return config.PrintOne(&same, &usual, env, same.check, name, stdout) }
			if _, _, err = config.Load(&cfg, env, cfg.check); err == nil {
				err = route.Explain(args[1:], &cfg.Route, &cfg.Routes, cfg.Origin, holds, stdout)
			}
		case args[0] == "help" && len(args) == 2:
			err = config.Explain(&Config{}, args[1], stdout)
		default:
			err = config.Faults{fmt.Sprintf("unknown argument %q: there are config, healthcheck, route, status, version and help", arg)}
		}
	}
	if errors.Is(err, syscall.EPIPE) {
		return nil // whoever reads has read enough
	}
	return err
}

// run is the whole program: it serves until ctx is done. Of its parts telemetry
// alone works before all are built, and after all others have ended; what began is
// waited for on every path. It returns [config.Faults] when env is not a valid
// configuration.
func run(ctx context.Context, env []string, stdout io.Writer) (err error) {
	var cfg Config
	_, warnings, err := config.Load(&cfg, env, cfg.check) // every fault at once
	if err != nil {
		return err
	}
	defer cfg.Memory.Apply()()
	listeners, err := wire.Listen(ctx, cfg.Wire, cfg.Telemetry.Export.Scraped()) // a port in use is the first thing to know
	if err != nil {
		return err
	}
	defer listeners.Close()
	tel, err := telemetry.New(cfg.Telemetry, telemetry.Process{Platform: string(cfg.Platform), Environ: env, Routes: len(cfg.Routes.Each)}, stdout)
	if err != nil {
		return err
	}
	defer func() { tel.Flush(cfg.Wire.FlushTimeout(), stopped(ctx, err)) }()
	announce(tel, cfg, env, warnings)
	listeners = listeners.With(cfg.Wire, cfg.Origin.Trusted.Contains, tel.Front())
	fields := field.NewSet(slices.Concat(cfg.Route.Fields(), cfg.Routes.Fields(), []string{string(cfg.Origin.Header)})...) // that mean something to the proxy
	routes, err := route.NewTable(cfg.Route, cfg.Routes.Each, route.Front{Shared: cfg.Route.Shared, Fields: fields, ClientTimeout: cfg.Wire.ClientTimeout, Reload: cfg.Wire.TLS.ReloadInterval}, tel)
	if err != nil {
		return err
	}
	shown := func() []certificate.Info { return append(listeners.Certificates(), routes.Certificates()...) }
	endpoints := admin.New(cfg.Admin, cfg.Origin, admin.Sources{Leaving: ctx.Done(), Ready: routes.Ready, Snapshot: routes.Snapshot, Certificates: shown, Delivery: tel.Status})
	onPort := endpoints.Before
	if listeners.Admin != nil {
		onPort = nil // they have a port of their own
	}

	// What the proxy's own endpoints need too, wherever they are.
	around := handler.Stack{
		{Name: "export", Wrap: tel.InRequests()},       // outermost: it may hold a client that has its answer
		{Name: "probes", Wrap: routes.OnDemand},        // outside telemetry: that wait is no part of the request
		{Name: "fields", Wrap: handler.Fields(fields)}, // before anybody believes a field that must not be there
	}
	// From there to the route, in the order in which a request meets them.
	site := handler.Stack{
		{Name: "acme", Wrap: listeners.Challenges()},                                             // before all that may refuse or redirect
		{Name: "admin", Wrap: onPort},                                                            // before telemetry: no span for a platform's health checks
		{Name: "client", Wrap: handler.Identify(cfg.Origin)},                                     // who asks, decided once for all below
		{Name: "match", Wrap: routes.Match},                                                      // which route, decided once: the request's span has its name, and whether it is traced is that one's to say
		{Name: "telemetry", Wrap: tel.Server},                                                    // from here on everything is seen
		{Name: "max headers", Wrap: handler.MaxHeaders(cfg.Wire.MaxHeaders, tel.Failures())},     // before the proxy adds fields of its own, which do not count
		{Name: "websocket", Wrap: handler.WebSockets},                                            // before any policy: a handshake over HTTP/2 is one like others
		{Name: "request id", Wrap: policy.RequestID(cfg.Route.Policy.RequestID, tel.Policies())}, // before any policy: each refusal has it
		{Name: "https", Wrap: policy.HTTPS(cfg.HTTPS, cfg.Wire.TLS.Port, tel.Failures().Refuse)}, // before any door: no credentials are asked for in the clear
	}

	listeners.Announce(tel.Log, cfg.Wire, string(cfg.Admin.Prefix), cfg.Route.Balancer.Backends.Names())
	serve := func(ctx context.Context) error {
		return wire.Serve(ctx, listeners.Requests(), around.Over(site.Over(routes)), cfg.Wire, tel.Log)
	}
	serveOwn := func(ctx context.Context) error {
		return admin.Serve(ctx, listeners, around.Over(endpoints), tel.Scrapes(), cfg.Wire, tel.Log)
	}
	return supervise.Run(ctx, serve, serveOwn, routes.Run, listeners.Run, tel.Certificates(shown))
}

// announce tells the log what begins.
func announce(tel *telemetry.Telemetry, cfg Config, env, warnings []string) {
	tel.Log.Info("starting", "version", version.Short(), "platform", string(cfg.Platform), "platform_found_by", cmp.Or(cfg.Platform.FoundBy(env), "no mark"))
	for _, warning := range warnings {
		tel.Log.Warn(warning)
	}
	tel.Log.LogAttrs(context.Background(), slog.LevelInfo, "telemetry", tel.Destinations()...)
	tel.Log.LogAttrs(context.Background(), slog.LevelInfo, "doors", cfg.Routes.Doors(&cfg.Route)...)
}

// stopped returns why the program stops, nil if err says so.
func stopped(ctx context.Context, err error) error {
	if err != nil {
		return nil
	}
	return context.Cause(ctx)
}
