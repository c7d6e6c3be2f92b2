package deploy_test

import (
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

func azure(t *testing.T) manifest {
	t.Helper()
	// Whether all else is right is the question of deploy/schema.
	var file struct {
		Properties struct {
			Configuration struct {
				Ingress struct {
					TargetPort int `yaml:"targetPort"`
				}
				Secrets []struct{ Name string }
			}
			Template struct {
				TerminationGracePeriodSeconds int `yaml:"terminationGracePeriodSeconds"`
				Containers                    []struct {
					Env []struct {
						Name, Value string
						SecretRef   string `yaml:"secretRef"`
					}
					Probes []struct {
						HTTPGet struct {
							Path string
							Port int
						} `yaml:"httpGet"`
					}
				}
			}
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "azure/containerapp.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	configuration, template := file.Properties.Configuration, file.Properties.Template
	if len(template.Containers) != 1 {
		t.Fatalf("there are %d containers", len(template.Containers))
	}
	m := manifest{
		platform: "azure",
		given: map[string]string{
			"CONTAINER_APP_NAME": "spangate", "CONTAINER_APP_REVISION": "spangate--1", "CONTAINER_APP_REPLICA_NAME": "spangate--1-a",
			"CONTAINER_APP_HOSTNAME": "spangate.example.com", "CONTAINER_APP_ENV_DNS_SUFFIX": "example.com", "CONTAINER_APP_PORT": "8080",
		},
		set:    map[string]string{},
		facts:  map[string]any{"faas.name": "spangate", "faas.version": "spangate--1", "faas.instance": "spangate--1-a", "cloud.provider": "azure"},
		port:   configuration.Ingress.TargetPort,
		signal: syscall.SIGTERM,
		grace:  time.Duration(template.TerminationGracePeriodSeconds) * time.Second,
	}
	known := map[string]bool{}
	for _, s := range configuration.Secrets {
		known[s.Name] = true
	}
	for _, variable := range template.Containers[0].Env {
		m.set[variable.Name] = variable.Value
		if name := variable.SecretRef; name != "" {
			if !known[name] {
				t.Errorf("%s is of the secret %s, which there is not", variable.Name, name)
			}
			m.set[variable.Name] = secret(t, variable.Name)
		}
	}
	for _, p := range template.Containers[0].Probes {
		if p.HTTPGet.Port != m.port {
			t.Errorf("%s is asked at port %d", p.HTTPGet.Path, p.HTTPGet.Port)
		}
		m.probes = append(m.probes, p.HTTPGet.Path)
	}
	return m
}
