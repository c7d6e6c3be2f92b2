package route_test

import (
	"path"
	"slices"
	"testing"

	"spangate/balancer"
	"spangate/handler/config"
	"spangate/handler/rewrite"
	"spangate/handler/route"
	"spangate/probe"
)

// Whatever is of backends means nothing to a route that asks none, and whatever is of a
// pool nothing to one that has another's.
func TestWhatIsIdle(t *testing.T) {
	var pool struct {
		Balancer balancer.Config
		Probe    probe.Config
	}
	var beside struct {
		Path     rewrite.Path
		Canary   balancer.CanaryConfig
		Mirror   balancer.MirrorConfig
		Balancer struct{ Retry balancer.RetryConfig }
	}
	ofPool, others := config.Variables(&pool), config.Variables(&beside)
	has := func(n *route.Named, name string) bool {
		return slices.ContainsFunc(n.Idle(), func(pattern string) bool { ok, _ := path.Match(pattern, name); return ok })
	}
	var cfg struct {
		Route  route.Config
		Routes route.Routes
	}
	if _, _, err := config.Load(&cfg, []string{"ROUTES=ping,old,write,read", "ROUTE_PING_MATCH=/a", "ROUTE_PING_RESPOND=204", "ROUTE_OLD_MATCH=/b", "ROUTE_OLD_REDIRECT=/a", "ROUTE_WRITE_MATCH=/c", "ROUTE_WRITE_BACKENDS=@read", "ROUTE_READ_MATCH=/d", "ROUTE_READ_BACKENDS=http://a"}); err != nil {
		t.Fatal(err)
	}
	each := cfg.Routes.Each
	ping, old, write, read := &each[0], &each[1], &each[2], &each[3]
	for _, v := range slices.Concat(ofPool, others) {
		if v.Name == "GCE_METADATA_HOST" {
			continue // it holds for the whole program
		}
		isBeside := slices.ContainsFunc(others, func(other config.Variable) bool { return other.Name == v.Name })
		isOfPool := !isBeside && v.Name != "BACKENDS"
		if !has(ping, v.Name) || !has(old, v.Name) || has(read, v.Name) || has(write, v.Name) != isOfPool {
			t.Errorf("%s is idle: %t of an answer, %t of a redirect, %t with its own backends, %t with those of another", v.Name, has(ping, v.Name), has(old, v.Name), has(read, v.Name), has(write, v.Name))
		}
	}
}
