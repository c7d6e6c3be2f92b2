package schema

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// TestObjectsAgree holds that what one object means another one by is that one's: what
// is mounted, ports, and Services by name.
func TestObjectsAgree(t *testing.T) {
	eachBuild(t, func(t *testing.T, b build) {
		services := map[string]*corev1.Service{}
		for _, s := range of[corev1.Service](t, b, "Service") {
			services[s.Name] = s
		}
		for _, d := range of[appsv1.Deployment](t, b, "Deployment") {
			pod := d.Spec.Template.Spec
			for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
				for _, mount := range c.VolumeMounts {
					i := slices.IndexFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name })
					if i < 0 {
						t.Errorf("%s mounts %s, which is no volume", c.Name, mount.Name)
					} else if m := pod.Volumes[i].ConfigMap; m != nil && b["ConfigMap "+m.Name] == nil {
						t.Errorf("%s mounts the ConfigMap %s, which there is not", c.Name, m.Name)
					}
				}
			}
			for _, s := range services {
				if !selects(s.Spec.Selector, d) {
					continue
				}
				_, ports := variables(pod.Containers[0])
				for _, port := range s.Spec.Ports {
					if ports[port.TargetPort.String()] == 0 {
						t.Errorf("port %d of the Service %s leads to %s, which is none of %v", port.Port, s.Name, port.TargetPort.String(), ports)
					}
				}
			}
		}
		d := b.deployment(t)
		for _, a := range of[autoscalingv2.HorizontalPodAutoscaler](t, b, "HorizontalPodAutoscaler") {
			if d.Spec.Replicas != nil || a.Spec.ScaleTargetRef.Name != d.Name {
				t.Errorf("replicas of %s are %v, and the autoscaler sets those of %s", d.Name, d.Spec.Replicas, a.Spec.ScaleTargetRef.Name)
			}
		}
		for _, i := range of[networkingv1.Ingress](t, b, "Ingress") {
			to := i.Spec.Rules[0].HTTP.Paths[0].Backend.Service
			if s := services[to.Name]; s == nil || s.Spec.Ports[0].Name != to.Port.Name {
				t.Errorf("the ingress leads to %v", to)
			}
		}
		for _, r := range of[gatewayv1.HTTPRoute](t, b, "HTTPRoute") {
			to := r.Spec.Rules[0].BackendRefs[0]
			if s := services[string(to.Name)]; s == nil || s.Spec.Ports[0].Port != *to.Port || b["Gateway "+string(r.Spec.ParentRefs[0].Name)] == nil {
				t.Errorf("the route leads from %v to %v", r.Spec.ParentRefs, to)
			}
		}
	})
}

// TestGrace holds that the program's time to leave, 25s, is over before the kubelet's
// patience is, and with a sidecar the sidecar's too.
func TestGrace(t *testing.T) {
	eachBuild(t, func(t *testing.T, b build) {
		spec := b.deployment(t).Spec.Template.Spec
		least := int64(25 + 5)
		for _, c := range spec.InitContainers {
			if c.RestartPolicy == nil || *c.RestartPolicy != corev1.ContainerRestartPolicyAlways {
				t.Errorf("%s is no sidecar", c.Name)
			}
			least += 10
		}
		if got := *spec.TerminationGracePeriodSeconds; got < least {
			t.Errorf("it is killed after %ds, want %ds at least", got, least)
		}
		if environment(t, b)["SHUTDOWN_TIMEOUT"] != "" {
			t.Error("SHUTDOWN_TIMEOUT is not 25s")
		}
	})
}

// TestNetworkPolicy holds that the policy lets out to all whom the pod's variables name,
// and in at all ports but those that nobody needs.
func TestNetworkPolicy(t *testing.T) {
	// Services are by the label of their pods; these are not a part of the manifests.
	elsewhere := map[string]string{"collector": "collector"}
	url := regexp.MustCompile(`(?:https?|redis)://([a-z0-9-]+):(\d+)`)
	seen := map[string]bool{}
	eachBuild(t, func(t *testing.T, b build) {
		if b["NetworkPolicy spangate"] == nil {
			return
		}
		policy := new(networkingv1.NetworkPolicy)
		decode(t, "the NetworkPolicy", b["NetworkPolicy spangate"], policy)
		d := b.deployment(t)
		if !selects(policy.Spec.PodSelector.MatchLabels, d) {
			t.Errorf("the policy is for %v", policy.Spec.PodSelector)
		}
		pods := maps.Clone(elsewhere)
		for _, s := range of[corev1.Service](t, b, "Service") {
			pods[s.Name] = s.Spec.Selector["app.kubernetes.io/name"]
		}
		values := slices.Collect(maps.Values(environment(t, b)))
		for _, c := range d.Spec.Template.Spec.InitContainers {
			for _, v := range c.Env {
				values = append(values, v.Value)
			}
		}
		for _, match := range url.FindAllStringSubmatch(strings.Join(values, " "), -1) {
			host, text := match[1], match[2]
			if host == "localhost" {
				continue
			}
			port, _ := strconv.Atoi(text)
			if pods[host] == "" || !letsOut(t, policy, pods[host], port) {
				t.Errorf("the policy does not let out to %s, pods %q", match[0], pods[host])
			}
			seen[host] = true
		}
		_, ports := variables(d.Spec.Template.Spec.Containers[0])
		for name := range ports {
			if !slices.ContainsFunc(policy.Spec.Ingress, func(r networkingv1.NetworkPolicyIngressRule) bool {
				return slices.ContainsFunc(r.Ports, func(p networkingv1.NetworkPolicyPort) bool { return p.Port.StrVal == name })
			}) {
				t.Errorf("the policy lets nobody in at %s", name)
			}
		}
	})
	if got := fmt.Sprint(slices.Sorted(maps.Keys(seen))); got != "[api-pods app-pods collector docs-pods redis]" {
		t.Errorf("asked about were %s", got)
	}
}

func selects(selector map[string]string, d *appsv1.Deployment) bool {
	return labels.SelectorFromSet(selector).Matches(labels.Set(d.Spec.Template.Labels))
}

// letsOut tells whether pods with a name may be sent to.
func letsOut(t *testing.T, policy *networkingv1.NetworkPolicy, name string, port int) bool {
	t.Helper()
	for _, rule := range policy.Spec.Egress {
		if !slices.ContainsFunc(rule.Ports, func(p networkingv1.NetworkPolicyPort) bool { return p.Port.IntValue() == port }) {
			continue
		}
		for _, peer := range rule.To {
			if peer.PodSelector == nil || peer.NamespaceSelector != nil {
				continue
			}
			selector, err := metav1.LabelSelectorAsSelector(peer.PodSelector)
			if err != nil {
				t.Fatal(err)
			}
			if selector.Matches(labels.Set{"app.kubernetes.io/name": name}) {
				return true
			}
		}
	}
	return false
}
