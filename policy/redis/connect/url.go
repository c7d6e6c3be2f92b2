package connect

import (
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// URL says where the store is, in one of these forms:
//
//	redis://user:password@host:6379/0
//	unix://user:password@/path/to/socket?db=0
//	redis+sentinel://user:password@host:26379,host:26379/0?master_name=name
//	redis+cluster://user:password@host:6379,host:6379
//
// User, password, ports and database may be left out. With rediss in the place
// of redis there is TLS, to sentinels too. User and password are those of Redis;
// those of the sentinels are the options sentinel_username and
// sentinel_password. As it may hold a password, it does not print itself.
type URL string

// String returns stars for a URL.
func (u URL) String() string {
	if u == "" {
		return ""
	}
	return "***"
}

// GoString is String.
func (u URL) GoString() string { return u.String() }

// The kinds of stores.
const (
	single   = ""
	sentinel = "sentinel"
	cluster  = "cluster"
)

// options returns what the URL says. Errors quote nothing of it that may be a
// part of a secret, and so not what net/url says.
func (u URL) options() (kind string, opt redis.UniversalOptions, err error) {
	p, err := u.split()
	if err != nil {
		return "", opt, err
	}
	opt.Username, opt.Password = p.user, p.password
	db := strings.Trim(p.path, "/")
	switch {
	case p.base == "unix" && (p.hosts != "" || db == ""):
		return "", opt, errors.New("must name a socket, such as unix:///run/redis.sock")
	case p.base == "unix":
		opt.Addrs, db = []string{p.path}, ""
	case strings.Contains(p.hosts, ",") && p.kind == single:
		return "", opt, errors.New("must be redis+sentinel:// or redis+cluster:// for several hosts")
	default:
		if opt.Addrs, err = addresses(p.hosts, defaultPorts[p.kind]); err != nil {
			return "", opt, err
		}
	}
	if db == "" && p.kind != cluster {
		db = p.take("db")
	}
	switch p.kind {
	case cluster:
		if db != "" {
			return "", opt, errors.New("must name no database, as a cluster has none")
		}
	case sentinel:
		opt.MasterName, opt.SentinelUsername, opt.SentinelPassword = p.take("master_name"), p.take("sentinel_username"), p.take("sentinel_password")
		if opt.MasterName == "" {
			return "", opt, errors.New("must tell the name by which the sentinels know the master: ?master_name=name")
		}
	}
	if db != "" {
		if opt.DB, err = strconv.Atoi(db); err != nil || opt.DB < 0 {
			return "", opt, errors.New("must have a number for a database")
		}
	}
	if p.base == "rediss" {
		host, _, _ := net.SplitHostPort(opt.Addrs[0])
		opt.TLSConfig = &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	}
	if len(p.query) > 0 {
		return "", opt, fmt.Errorf("must have no option that %s:// does not know: %s", p.scheme, strings.Join(slices.Sorted(maps.Keys(p.query)), ", "))
	}
	return p.kind, opt, nil
}

var defaultPorts = map[string]string{single: "6379", cluster: "6379", sentinel: "26379"}

// parts are those of a URL, which net/url does not split where it has several
// hosts.
type parts struct {
	scheme, base, kind string // rediss+cluster, rediss, cluster
	user, password     string
	hosts, path        string
	query              url.Values
}

// take returns the value of an option, which then is one that is known.
func (p *parts) take(option string) string {
	value := p.query.Get(option)
	delete(p.query, option)
	return value
}

func (u URL) split() (p parts, err error) {
	scheme, rest, _ := strings.Cut(string(u), "://")
	end := strings.IndexAny(rest+"/", "/?#")
	// An @ behind the hosts, or a second one before them, is of a password that
	// ended before it should, or shows where it began.
	if strings.Contains(rest[end:], "@") || strings.Count(rest[:end], "@") > 1 {
		return p, errSecret
	}
	credentials, hosts := "", rest[:end]
	if i := strings.IndexByte(hosts, '@') + 1; i > 0 {
		credentials, hosts = hosts[:i], hosts[i:]
	}
	switch scheme {
	case "redis", "rediss", "redis+cluster", "rediss+cluster", "redis+sentinel", "rediss+sentinel", "unix":
	default:
		return p, errors.New("must begin with redis://, rediss://, unix://, redis+sentinel://, rediss+sentinel://, redis+cluster:// or rediss+cluster://")
	}
	p.scheme, p.hosts = scheme, hosts
	p.base, p.kind, _ = strings.Cut(scheme, "+")
	parsed, err := url.Parse(p.base + "://" + credentials + rest[end:])
	if err != nil || parsed.Fragment != "" {
		return p, errSecret
	}
	p.user, p.path = parsed.User.Username(), parsed.Path
	p.password, _ = parsed.User.Password()
	if p.query, err = url.ParseQuery(parsed.RawQuery); err != nil {
		return p, errSecret
	}
	return p, nil
}

var errSecret = errors.New("must be a URL; if a user or password has one of / ? # @ : % in it, write that as %2F %3F %23 %40 %3A %25")

// addresses returns a comma list of hosts with their ports.
func addresses(hosts, port string) (all []string, err error) {
	for host := range strings.SplitSeq(hosts, ",") {
		// An authority of its own, as net/url reads it.
		u, err := url.Parse("redis://" + host)
		if err != nil || u.Hostname() == "" || u.Host != host {
			return nil, errors.New("must name hosts like host, host:6379 or [::1]:6379")
		}
		own := port
		if p := u.Port(); p != "" {
			own = p
		}
		if n, err := strconv.Atoi(own); err != nil || n < 1 || n > 65535 {
			return nil, errors.New("must have ports from 1 to 65535")
		}
		all = append(all, net.JoinHostPort(u.Hostname(), own))
	}
	return all, nil
}
