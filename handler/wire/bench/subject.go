package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// subject is a proxy that can be measured.
type subject struct {
	name     string
	version  string
	traced   bool                          // it tells of itself how many of its spans arrive
	backends int                           // that it has in [ofBackends]
	command  func(site) (*exec.Cmd, error) // runs it, in the foreground
}

// site is what a subject is to serve.
type site struct {
	dir              string // for files of its own
	protocol         protocol
	address          string
	backends         []string // addresses
	certificate, key string   // files
}

// file writes a configuration.
func (s site) file(name, text string) (string, error) {
	path := filepath.Join(s.dir, name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// joined returns the backends, each between before and after.
func (s site) joined(before, after string) string {
	var all strings.Builder
	for _, b := range s.backends {
		all.WriteString(before + b + after)
	}
	return all.String()
}

// versionIn runs a command and returns the first version in what it writes.
func versionIn(ctx context.Context, command ...string) (string, error) {
	out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%q: %w\n%s", command, err, out)
	}
	found := regexp.MustCompile(`\d+\.\d+(\.\d+)?`).Find(out)
	if found == nil {
		return "", fmt.Errorf("%q says no version: %.200q", command, out)
	}
	return string(found), nil
}

// find returns where a program is: on the PATH or where Debian keeps servers, which is
// not on everybody's PATH. If it is in neither, the error is [exec.ErrNotFound].
func find(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		if server, err := exec.LookPath(filepath.Join("/usr/sbin", name)); err == nil {
			return server, nil
		}
	}
	return path, err
}

// newNginx keeps as many connections to backends as there are clients, buffers
// answers in memory alone and writes no log, so that it does what is measured and no more.
func newNginx(ctx context.Context) (subject, error) {
	path, err := find("nginx")
	if err != nil {
		return subject{}, err
	}
	version, err := versionIn(ctx, path, "-v")
	return subject{name: "nginx", version: version, command: func(s site) (*exec.Cmd, error) {
		config, err := s.file("nginx.conf", nginxConfig(s))
		return exec.Command(path, "-p", s.dir, "-e", "stderr", "-c", config), err
	}}, err
}

func nginxConfig(s site) string {
	options := map[protocol]string{https: " ssl", handshake: " ssl", h2: " ssl http2", h2c: " http2"}[s.protocol]
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;\n" // else its workers become somebody who cannot read the directory
	}
	return user + `daemon off;
worker_processes auto;
pid nginx.pid;
error_log stderr;
events { worker_connections 10000; }
http {
	access_log off;
	keepalive_requests 1000000000;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	map $http_upgrade $connection_field { default upgrade; '' ''; }
	upstream backends {
		` + s.joined("server ", "; ") + `
		keepalive 2048;
		keepalive_requests 1000000000;
	}
	server {
		listen ` + s.address + options + `;
		ssl_certificate ` + s.certificate + `;
		ssl_certificate_key ` + s.key + `;
		ssl_protocols TLSv1.2 TLSv1.3;
		location / {
			proxy_pass http://backends;
			proxy_http_version 1.1;
			proxy_max_temp_file_size 0;
			proxy_set_header Host $http_host;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection $connection_field;
			proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
			proxy_set_header X-Forwarded-Proto $scheme;
		}
	}
}
`
}

func newHAProxy(ctx context.Context) (subject, error) {
	path, err := find("haproxy")
	if err != nil {
		return subject{}, err
	}
	version, err := versionIn(ctx, path, "-v")
	return subject{name: "HAProxy", version: version, command: func(s site) (*exec.Cmd, error) {
		var servers strings.Builder
		for i, b := range s.backends {
			fmt.Fprintf(&servers, "\tserver b%d %s\n", i, b)
		}
		config, err := s.file("haproxy.cfg", `global
	maxconn 4096
defaults
	mode http
	timeout connect 5s
	timeout client 60s
	timeout server 60s
	option forwardfor
frontend clients
	bind `+s.address+`
	default_backend all
backend all
	balance roundrobin
`+servers.String())
		return exec.Command(path, "-db", "-f", config), err
	}}, err
}

// newCaddy builds Caddy as its go.mod pins it. What is up to date is left alone.
func newCaddy(ctx context.Context) (subject, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return subject{}, err
	}
	binary := filepath.Join(cache, "spangate", "caddy")
	if err := build(ctx, "caddy", binary, "github.com/caddyserver/caddy/v2/cmd/caddy", stripped...); err != nil {
		return subject{}, err
	}
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f={{.Version}}", "github.com/caddyserver/caddy/v2")
	list.Dir = "caddy"
	version, err := list.Output()
	return subject{name: "Caddy", version: strings.TrimSpace(strings.TrimPrefix(string(version), "v")), command: func(s site) (*exec.Cmd, error) {
		_, port, _ := strings.Cut(s.address, ":")
		config, err := s.file("Caddyfile", `{
	admin off
	auto_https off
	persist_config off
}
http://:`+port+` {
	bind 127.0.0.1
	reverse_proxy`+s.joined(" ", "")+` {
		lb_policy round_robin
		transport http {
			keepalive_idle_conns_per_host 1024
		}
	}
}
`)
		cmd := exec.Command(binary, "run", "--adapter", "caddyfile", "--config", config)
		cmd.Env = []string{"HOME=" + s.dir, "XDG_DATA_HOME=" + s.dir, "XDG_CONFIG_HOME=" + s.dir}
		return cmd, err
	}}, err
}

// newReference builds the reverse proxy of the standard library.
func (r *rig) newReference(ctx context.Context) (subject, error) {
	binary := filepath.Join(r.dir, "reference")
	err := build(ctx, ".", binary, "./reference", stripped...)
	if err != nil {
		return subject{}, err
	}
	version, err := versionIn(ctx, "go", "env", "GOVERSION")
	return subject{name: "httputil.ReverseProxy", version: "of Go " + version, command: func(s site) (*exec.Cmd, error) {
		return exec.Command(binary, append([]string{s.address}, s.backends...)...), nil
	}}, err
}

// stripped is how the program is shipped, and those beside it are built alike.
var stripped = []string{"-ldflags=-s -w"}

// program is this program: its binary, for subjects that differ in their environment.
type program struct{ binary, commit string }

// newProgram builds it as just build does.
func newProgram(ctx context.Context, dir string) (program, error) {
	p := program{binary: filepath.Join(dir, "spangate")}
	err := build(ctx, "../../..", p.binary, ".", stripped...)
	if err != nil {
		return program{}, err
	}
	if out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output(); err == nil {
		p.commit = strings.TrimSpace(string(out))
	}
	return p, nil
}

// with returns the program as a subject whose environment is env and where to
// serve, and nothing else.
func (p program) with(name string, env ...string) subject {
	return subject{name: name, command: func(s site) (*exec.Cmd, error) {
		host, port, _ := strings.Cut(s.address, ":")
		cmd := exec.Command(p.binary)
		cmd.Env = append([]string{
			"PLATFORM=none", "HOST=" + host, "PORT=" + port,
			"BACKENDS=" + strings.TrimSuffix(s.joined("http://", ","), ","),
			"ACCESS_LOG=off",
		}, env...)
		if s.protocol.secure() {
			cmd.Env = append(cmd.Env, "TLS_CERT_FILE="+s.certificate, "TLS_KEY_FILE="+s.key)
		}
		return cmd, nil
	}}
}

// untraced switches all telemetry off.
const untraced = "OTEL_SDK_DISABLED=true"

// subjects returns this program with all that telemetry may be set to.
func (p program) subjects(collector string) []subject {
	endpoint := "OTEL_EXPORTER_OTLP_ENDPOINT=http://" + collector
	all := []subject{
		p.with("Spangate, 1 % traced", endpoint, "OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.01"),
		p.with("Spangate, all traced", endpoint),
		p.with("Spangate, all traced, rate limit", endpoint, "RATE_LIMIT=1000000/s"),
	}
	for i := range all {
		all[i].traced = true
	}
	return append([]subject{p.plain()}, all...)
}

// plain is what the program costs without telemetry.
func (p program) plain() subject { return p.with(plainName, untraced) }

const plainName = "Spangate, telemetry disabled"

// routed returns it with no, one and many routes, of which the first one takes what is
// asked for. Each has a pool of its own, as it is in less of a hurry than the one before.
func (p program) routed(collector string) (all []subject) {
	for _, routes := range []int{0, 1, 100} {
		s := p.with(fmt.Sprintf("Spangate, routes: %d", routes), "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+collector, "OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.01",
			"REQUEST_TIMEOUT=30s", "MAX_REQUEST_BODY=1MiB")
		plain := s.command
		s.command = func(at site) (*exec.Cmd, error) {
			cmd, err := plain(at)
			if err != nil || routes == 0 {
				return cmd, err
			}
			backends := strings.TrimSuffix(at.joined("http://", ","), ",")
			var names []string
			for i := range routes {
				name, pattern := fmt.Sprintf("r%d", i), fmt.Sprintf("/r%d/*", i)
				if i == 0 {
					pattern = fmt.Sprintf("/%d/*,/1/*", small)
				}
				names = append(names, name)
				of := "ROUTE_" + strings.ToUpper(name)
				cmd.Env = append(cmd.Env, of+"_MATCH="+pattern, of+"_BACKENDS="+backends,
					fmt.Sprintf("%s_BACKEND_CONNECT_TIMEOUT=%dms", of, 5001+i), of+"_REQUEST_TIMEOUT=31s", of+"_MAX_REQUEST_BODY=2MiB")
			}
			cmd.Env = append(cmd.Env, "ROUTES="+strings.Join(names, ","))
			return cmd, nil
		}
		all = append(all, s)
	}
	return all
}

// algorithms returns it with each algorithm, before two backends and before many.
func (p program) algorithms(many int) (all []subject) {
	for _, algorithm := range []string{"round-robin", "least-requests", "power-of-two", "peak-ewma", "random", "hash"} {
		env := []string{untraced, "BALANCER=" + algorithm}
		if algorithm == "hash" {
			env = append(env, "BALANCER_HASH_KEY=path")
		}
		few := p.with(algorithm, env...)
		few.backends = 2
		several := few
		several.backends = many
		all = append(all, few, several)
	}
	return all
}
